"""Records the models of a run, and compares them with those of another TensorFlow.

What a fixture returns is recorded when it is set up, before a test can change it. The
records travel to the controller on the reports of the tests, as JSON; models stay
where they are.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import messages
from pytest_layercount.errors import LayercountError
from pytest_layercount.files import no_place
from pytest_layercount.kept.record import Record, by_name
from pytest_layercount.kept.record_file import model_from, write_record
from pytest_layercount.session.reference import Reference, reference
from pytest_layercount.session.watch import ATTRIBUTE, Watch
from pytest_layercount.settings import Settings, settings
from pytest_layercount.text import printable


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


def activate(config: pytest.Config) -> None:
    """Record or compare in this run, as an option says."""
    asked = settings(config)
    try:
        known = None if asked.against is None else reference(asked)
    except LayercountError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(Watch(asked, known), "layercount-watch")
    if not hasattr(config, "workerinput"):
        problem = no_place(Path(asked.record)) if asked.record else ""
        if problem:
            text = messages.reports.no_place("record", str(asked.record), problem)
            raise pytest.UsageError(printable(text))
        config.pluginmanager.register(Ending(asked, known), "layercount-ending")
