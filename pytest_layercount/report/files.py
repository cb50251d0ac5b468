"""The files that reports are written to, checked before the run and written after it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_layercount.files import beside, no_place, no_room
from pytest_layercount.messages import reports
from pytest_layercount.report.as_json import as_json
from pytest_layercount.report.markdown import markdown
from pytest_layercount.report.summary import Summary
from pytest_layercount.text import printable
from pytest_layercount.versions import versions


def check_files(files: Iterable[Path]) -> None:
    """Find out before an hour's run, not after it, that a report cannot be written.

    Raises:
        pytest.UsageError: its folder cannot be written to, or Jinja2 is missing.
    """
    for file in files:
        if file.suffix == ".html" and find_spec("jinja2") is None:
            raise pytest.UsageError(printable(reports.install_jinja(file.name)))
        problem = no_place(file)
        if problem:
            raise pytest.UsageError(printable(reports.no_place("report", str(file), problem)))


def check_pictures(folder: Path) -> None:
    """Find out the same of the folder for pictures, which is made where there is one.

    Raises:
        pytest.UsageError: it cannot be written to.
    """
    problem = no_room(folder)
    if problem:
        raise pytest.UsageError(printable(reports.no_place("pictures", str(folder), problem)))


def report_text(suffix: str, summary: Summary, drawings: Path | None = None) -> str:
    """The report in the format that a name ending in ``suffix`` asks for.

    ``drawings`` is the folder in which those of the models were left.
    """
    if suffix == ".md":
        return markdown(summary)
    if suffix == ".json":
        return as_json(summary, versions())
    from pytest_layercount.report.html import html

    return html(summary, versions(), drawings)


def write(file: Path, text: str) -> None:
    """Write ``file`` whole or not at all."""
    with beside(file) as made:
        made.write_text(text, encoding="utf-8", errors="replace", newline="\n")
