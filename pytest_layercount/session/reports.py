"""The judgements of a run, in the process that reports them: the controller under xdist."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import carrier
from pytest_layercount.checks.judgement import Judgement, from_data
from pytest_layercount.settings import settings
from pytest_layercount.text import printable


class Reports:
    """Gathers judgements from the reports of the tests, and reports them when all have run."""

    def __init__(self, config: pytest.Config) -> None:
        self.files = _files(config)
        if self.files:
            from pytest_layercount.report.files import check_files

            check_files(self.files)
        self.failures = _failures(config)
        if self.failures:
            from pytest_layercount.report.files import check_pictures

            check_pictures(self.failures)
        shown = self.failures is not None or any(map(_shows_models, self.files))
        self.drawings = _folder(config) if shown else None
        if self.drawings:
            carrier.told(config)["pictures"] = str(self.drawings)
        self._found: dict[str, list[Judgement]] = {}
        self._said: list[str] = []

    def take(self, report: pytest.TestReport, judgements: Sequence[Mapping[str, Any]]) -> None:
        """Take what a test judged; one that is run again is judged anew."""
        if report.when == "setup":
            self._found.pop(report.nodeid, None)
        if not judgements:
            return
        found = [from_data(data).by_subtest() for data in judgements]
        self._found.setdefault(report.nodeid, []).extend(found)
        if self.failures is not None and self.drawings is not None:
            from pytest_layercount.report.pictures import pictures_of_failures

            for line in pictures_of_failures(found, self.drawings, self.failures):
                report.sections.append(("layercount picture", line))

    def judgements(self) -> list[Judgement]:
        """All of them, test by test, in an order that the run has no part in."""
        return [judgement for test in sorted(self._found) for judgement in self._found[test]]

    def finish(self, session: pytest.Session) -> bool:
        """Write the reports that were asked for, and the summary of a step on GitHub."""
        if not (self._found or self.files):
            return True
        from pytest_layercount.report.files import report_text, write
        from pytest_layercount.report.summary import summarize
        from pytest_layercount.report.words import could_not_write

        summary = summarize(self.judgements())
        changes, all_written = settings(session.config).report_changes, True
        for file in self.files:
            shown = summary.changed() if changes and file.suffix == ".md" else summary
            try:
                if shown.rows or shown is summary:
                    write(file, report_text(file.suffix, shown, self.drawings))
                    self._said.append(f"layercount report: {file}")
                else:
                    # What an earlier run left would be taken for this one's.
                    file.unlink(missing_ok=True)
                    why = "nothing failed or changed, so there is no"
                    self._said.append(f"layercount report: {why} {file}")
            except OSError as error:
                self._said.append(could_not_write(file, error))
                all_written = False
        step = os.environ.get("GITHUB_STEP_SUMMARY")
        if step and summary.rows:
            from pytest_layercount.files import without_waiting

            try:
                with open(step, "a", encoding="utf-8", opener=without_waiting) as opened:
                    opened.write(f"\n{report_text('.md', summary)}")
            except OSError as error:
                self._said.append(could_not_write(step, error))
        return all_written

    def show(self, terminal: pytest.TerminalReporter) -> None:
        """Show the models, and where the reports are."""
        if self._found:
            from pytest_layercount.report.summary import summarize
            from pytest_layercount.report.terminal import show

            show(terminal, summarize(self.judgements()))
        for line in self._said:
            terminal.write_line(printable(line))


def _files(config: pytest.Config) -> list[Path]:
    """The reports to write."""
    start = _start(config, "layercount_report")
    return list(dict.fromkeys(start / file for file in settings(config).report))


def _failures(config: pytest.Config) -> Path | None:
    """The folder for pictures of the models that fail."""
    folder = settings(config).pictures
    return _start(config, "layercount_pictures") / folder if folder else None


def _start(config: pytest.Config, option: str) -> Path:
    """Where paths begin: those of the command line where it was given."""
    given = config.getoption(option) is not None
    return config.invocation_params.dir if given or not config.inipath else config.inipath.parent


def _shows_models(file: Path) -> bool:
    return file.suffix == ".html"


def _folder(config: pytest.Config) -> Path:
    """A new folder, there until the run is over."""
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="layercount-")
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)


def show_with_test(
    item: pytest.Item, report: pytest.TestReport, data: Iterable[Mapping[str, Any]]
) -> None:
    """Put what was judged where JUnit files and pytest-html show it with the test."""
    judgements = list(map(from_data, data))
    item.user_properties += _properties(judgements, item.user_properties)
    report.user_properties = list(item.user_properties)
    if item.config.getoption("htmlpath", None):
        from pytest_layercount.report.html import add_extra

        add_extra(report, judgements)


def _properties(
    judgements: Iterable[Judgement], known: Iterable[tuple[str, object]]
) -> list[tuple[str, object]]:
    """The numbers of each model as properties of the test, which JUnit files show."""
    found = {
        printable(f"layercount.{judgement.model}.{name}"): getattr(judgement.facts, name)
        for judgement in judgements
        if judgement.facts is not None
        for name in ("layers", "nodes", "parameters", "folded_layers")
        if getattr(judgement.facts, name) is not None
    }
    there = dict(known)
    return [(name, value) for name, value in found.items() if name not in there]
