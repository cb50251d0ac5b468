"""The judgements of a run, in the process that reports them: the controller under xdist."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_layercount.messages import reports
from pytest_layercount.report.recorder import ATTRIBUTE, PICTURES, record
from pytest_layercount.settings import settings
from pytest_layercount.text import printable

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_layercount.checks.judgement import Judgement


class Run:
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
        self._found: dict[str, list[Judgement]] = {}
        self._said: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to leave drawings."""
        if self.drawings:
            node.workerinput[PICTURES] = str(self.drawings)

    def pytest_report_header(self) -> str:
        """Say which versions count the layers."""
        from pytest_layercount.report.versions import versions

        return reports.header(versions())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the judgements off ``report``; a test that is run again is judged anew."""
        data = report.__dict__.pop(ATTRIBUTE, ())
        if report.when == "setup":
            self._found.pop(report.nodeid, None)
        if not data:
            return
        from pytest_layercount.checks.judgement import from_data

        found = [from_data(each) for each in data]
        if found:
            self._found.setdefault(report.nodeid, []).extend(found)
        if self.failures is not None and self.drawings is not None:
            from pytest_layercount.report.pictures import pictures_of_failures

            for line in pictures_of_failures(found, self.drawings, self.failures):
                report.sections.append((reports.PICTURE, line))

    def judgements(self) -> list[Judgement]:
        """All of them, test by test, in an order that the run has no part in."""
        return [judgement for test in sorted(self._found) for judgement in self._found[test]]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports that were asked for, and the summary of a step on GitHub."""
        if session.config.option.collectonly or not (self._found or self.files):
            return
        from pytest_layercount.report.files import report_text, write
        from pytest_layercount.report.summary import summarize

        summary = summarize(self.judgements())
        changes = settings(session.config).report_changes
        for file in self.files:
            shown = summary.changed() if changes and file.suffix == ".md" else summary
            try:
                if shown.rows or shown is summary:
                    write(file, report_text(file.suffix, shown, self.drawings))
                    self._said.append(reports.written(str(file)))
                else:
                    # What an earlier run left would be taken for this one's.
                    file.unlink(missing_ok=True)
                    self._said.append(reports.unchanged(str(file)))
            except OSError as error:
                self._said.append(reports.not_written(str(file), error.strerror or str(error)))
                session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        step = os.environ.get("GITHUB_STEP_SUMMARY")
        if step and summary.rows:
            from pytest_layercount.files import without_waiting

            try:
                with open(step, "a", encoding="utf-8", opener=without_waiting) as opened:
                    opened.write(f"\n{report_text('.md', summary)}")
            except OSError as error:
                self._said.append(reports.not_written(step, error.strerror or str(error)))

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Show the models, and where the reports are."""
        if self._found:
            from pytest_layercount.report import terminal
            from pytest_layercount.report.summary import summarize

            terminal.show(terminalreporter, summarize(self.judgements()))
        for line in self._said:
            terminalreporter.write_line(printable(line))


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


def start(config: pytest.Config) -> None:
    """Record what is judged in this process, and report it if it is not a worker."""
    told: Mapping[str, str] | None = getattr(config, "workerinput", None)
    if told is None:
        run = Run(config)
        config.pluginmanager.register(run, "layercount-run")
        record(config, run.drawings)
    else:
        record(config, Path(told[PICTURES]) if PICTURES in told else None)


def _shows_models(file: Path) -> bool:
    return file.suffix == ".html"


def _folder(config: pytest.Config) -> Path:
    """A new folder, there until the run is over."""
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="layercount-")
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)
