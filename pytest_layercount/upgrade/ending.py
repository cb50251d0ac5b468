"""Gathers what was recorded, in the process that reports: the controller under xdist."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from pytest_layercount import messages
from pytest_layercount.errors import LayercountError
from pytest_layercount.records.file import model_from, write_record
from pytest_layercount.records.record import Record, by_name
from pytest_layercount.settings import Settings
from pytest_layercount.text import printable
from pytest_layercount.upgrade.reference import Reference
from pytest_layercount.upgrade.watch import ATTRIBUTE


class Ending:
    """A plugin that writes the record at the end, and says what was compared."""

    def __init__(self, asked: Settings, reference: Reference | None) -> None:
        self.asked = asked
        self.reference = reference
        self.found: dict[tuple[str, str], dict[str, Any]] = {}
        self.lines: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what was recorded off ``report``, of each model the first that is no problem."""
        for text in report.__dict__.pop(ATTRIBUTE, ()):
            noted = json.loads(text)
            key = (noted["name"], noted["where"])
            if key not in self.found or self.found[key]["model"].get("problem"):
                self.found[key] = noted

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the record. A run that found no model fails."""
        if not session.config.option.collectonly:
            good = [self._written(), self._compared()]
            if not all(good) and session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was recorded and compared."""
        if self.lines:
            terminalreporter.section("layercount records")
            for line in self.lines:
                terminalreporter.write_line(printable(line))

    def _written(self) -> bool:
        file = self.asked.record
        if file is None:
            return True
        found = {key: model_from(noted["model"]) for key, noted in sorted(self.found.items())}
        models = by_name([(name, one) for (name, _), one in found.items()])
        record = Record(
            models=models,
            tensorflow=max((str(noted["tensorflow"]) for noted in self.found.values()), default=""),
            own_weights=self.asked.weights == "own",
        )
        there = [one for one in models.values() if one.graph is not None]
        if not there:
            self.lines.append(messages.records.nothing_recorded(file))
            return False
        try:
            write_record(record, file)
        except LayercountError as error:
            self.lines.append(str(error))
            return False
        said = {
            name: one.problem or (one.unrun if one.weights else "") for name, one in models.items()
        }
        problems = [f"{name}: {problem}" for name, problem in said.items() if problem]
        self.lines += messages.records.recorded(file, record.label, len(there), problems)
        return True

    def _compared(self) -> bool:
        reference = self.reference
        if reference is None:
            return True
        compared = [noted for noted in self.found.values() if noted.get("compared")]
        if not compared:
            self.lines.append(messages.records.nothing_compared(reference.file))
            return False
        met = {one for noted in compared for one in noted["met"]}
        differ = sum(noted["differs"] for noted in compared)
        known = sum(bool(noted["met"]) and not noted["differs"] for noted in compared)
        said = messages.records
        self.lines.append(said.compared(reference.file, len(compared), differ, known))
        record = reference.record
        there = {record.find_name(*key) for key in self.found}
        gone = [name for name, one in record.models.items() if one.graph and name not in there]
        new = [noted["name"] for key, noted in self.found.items() if not record.find_name(*key)]
        self.lines += [said.unseen(gone, reference.file)] if gone else []
        self.lines += [said.unseen(new, "this run")] if new else []
        if not gone:
            self.lines += [said.stale(one) for one in reference.expected if str(one) not in met]
        return True
