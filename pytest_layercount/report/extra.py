"""What a page of pytest-html shows with a test: its models in numbers."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pytest

from pytest_layercount.checks.judgement import Judgement
from pytest_layercount.report import words
from pytest_layercount.report.summary import Row, summarize
from pytest_layercount.text import printable


def add_extra(report: pytest.TestReport, judged: Sequence[Judgement]) -> None:
    """Put a table of the models on ``report``."""
    from pytest_html import extras

    content = "".join(map(_table, summarize(judged).rows))
    found = [*getattr(report, "extras", ()), extras.html(content)]
    report.extras = found  # type: ignore[attr-defined]


def _table(row: Row) -> str:
    rows = [("model", row.name), *words.numbers(row), ("outcome", words.verdict(row))]
    cells = (
        f"<tr><td>{html.escape(printable(name))}</td><td>{html.escape(printable(text))}</td>"
        for name, text in rows
    )
    return f'<table class="layercount">{"".join(cells)}</table>'
