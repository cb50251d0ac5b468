"""What was collected, in the process that collects: every worker under xdist.

Whether a baseline is used by no test any more can only be told when all tests ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount.baselines.names import FOLDER

OUTPUT = "layercount_seen"
"""Under this name a worker hands it to the controller."""


class Seen:
    """The folders of baselines on the way, what was skipped, and whether tests were left out."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.folders: set[str] = set()
        self.skipped: set[str] = set()
        self.collected: set[str] = set()
        self.left_out = False

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Note a folder of baselines, in which there are no tests."""
        if collection_path.name != FOLDER:
            return None
        self.folders.add(str(collection_path))
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what was collected, and what could not be."""
        if "::" not in report.nodeid:
            self.collected.add(report.nodeid)
        if report.failed:
            self.left_out = True
        elif report.skipped:
            self.skipped.add(report.nodeid)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note that tests were left out."""
        self.left_out = self.left_out or bool(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Hand it to the controller."""
        output: dict[str, Any] | None = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[OUTPUT] = {
                "folders": sorted(self.folders),
                "skipped": sorted(self.skipped),
                "collected": sorted(self.collected),
                "left_out": self.left_out,
            }

    def merge(self, found: dict[str, Any]) -> None:
        """Add what a worker has seen."""
        self.folders.update(found["folders"])
        self.skipped.update(found["skipped"])
        self.collected.update(found["collected"])
        self.left_out = self.left_out or found["left_out"]
