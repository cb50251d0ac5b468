"""The judgements of a run, in the process that reports them: the controller under xdist."""

from __future__ import annotations

import pytest

from pytest_layercount.report.judgement import Judgement, from_data
from pytest_layercount.report.recorder import ATTRIBUTE


class Run:
    """Gathers judgements from the reports of the tests: a plugin of the controller."""

    def __init__(self) -> None:
        self._found: dict[str, list[Judgement]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the judgements off ``report``; a test that is run again is judged anew."""
        data = report.__dict__.pop(ATTRIBUTE, ())
        if report.when == "setup":
            self._found.pop(report.nodeid, None)
        if data:
            self._found.setdefault(report.nodeid, []).extend(map(from_data, data))

    def judgements(self) -> list[Judgement]:
        """All of them, test by test, in an order that the run has no part in."""
        return [judgement for test in sorted(self._found) for judgement in self._found[test]]
