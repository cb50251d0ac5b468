"""The files that reports are written to, checked before the run and written after it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_layercount.files import beside, no_place, no_room
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
            raise pytest.UsageError(
                printable(
                    f"--layercount-report={file.name}: an HTML report needs Jinja2, which is not "
                    'installed: pip install "pytest-layercount[html]"'
                )
            )
        check_place("report", str(file), no_place(file))


def check_pictures(folder: Path) -> None:
    """Find out the same of the folder for pictures, which is made where there is one.

    Raises:
        pytest.UsageError: it cannot be written to.
    """
    check_place("pictures", str(folder), no_room(folder))


def check_place(option: str, path: str, problem: str) -> None:
    """Say before the run that what ``option`` asks for could not be written after it.

    Raises:
        pytest.UsageError: there is a ``problem``.
    """
    if problem:
        text = f"--layercount-{option}={path}: cannot be written there: {problem}"
        raise pytest.UsageError(printable(text))


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
