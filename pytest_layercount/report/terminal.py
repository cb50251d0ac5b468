"""What the terminal shows after a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_layercount.report import words
from pytest_layercount.text import aligned, number, printable

if TYPE_CHECKING:
    import pytest

    from pytest_layercount.report.summary import Row, Summary

_NAME = 40
_RIGHT = {words.COLUMNS.index(name) for name in ("layers", "parameters", "folds to")}


def show(terminal: pytest.TerminalReporter, summary: Summary) -> None:
    """One line with ``-q``; a table with ``-v``, and where something failed."""
    verbosity = terminal.config.get_verbosity()
    if verbosity < 0:
        terminal.write_line(f"layercount: {words.headline(summary)}")
    elif verbosity > 0 or summary.failed:
        terminal.write_sep("=", f"layercount: {words.headline(summary)}")
        rows = [row for row in summary.rows if verbosity > 0 or row.outcome != "passed"]
        _table(terminal, rows)
        for problem in filter(None, map(words.unplanned, rows)):
            terminal.write_line(printable(problem))
        if len(rows) < len(summary.rows):
            terminal.write_line(
                f"and {number(len(summary.rows) - len(rows), 'model')} that passed; -v shows all"
            )


def _table(terminal: pytest.TerminalReporter, rows: list[Row]) -> None:
    lines = [words.COLUMNS, *(_short(words.cells(row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(words.COLUMNS))]
    terminal.write_line(aligned(lines[0], widths, _RIGHT).rstrip())
    for row, line in zip(rows, lines[1:], strict=True):
        colours = {"failed": {"red": True}, "expected": {"yellow": True}}.get(row.outcome, {})
        text = f"{aligned(line, widths, _RIGHT)}  {words.verdict(row)}"
        terminal.write_line(printable(text.rstrip()), **colours)


def _short(cells: tuple[str, ...]) -> tuple[str, ...]:
    name = printable(cells[0]).replace("\n", "?")
    return (name if len(name) <= _NAME else name[: _NAME - 1] + "…", *cells[1:])
