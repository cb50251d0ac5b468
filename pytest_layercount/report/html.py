"""The report as one page that needs no network: everything it shows is in it.

Jinja2 escapes all text. The pictures are images and not part of the page, so that
nothing in them can be; the page's own policy forbids scripts and requests. A page of
pytest-html shows the numbers of the models with their tests.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_layercount.checks.judgement import Facts, Judgement, Refused
from pytest_layercount.folding.reasons import advice
from pytest_layercount.report import words
from pytest_layercount.report.pictures import laid_out
from pytest_layercount.report.summary import Row, Summary, summarize
from pytest_layercount.text import printable

if TYPE_CHECKING:
    import pytest

NARROW = 1000
"""The points that a picture may be wide and still be read when it is made to fit."""


@dataclass(frozen=True)
class Bar:
    """A layer type, and its share of the most frequent type's number, in percent."""

    type: str
    before: int
    after: int
    before_share: float
    after_share: float


@dataclass(frozen=True)
class Shown:
    """A picture: an address that holds it, whether it may shrink to fit, or why it is not there."""

    address: str = ""
    narrow: bool = False
    problem: str = ""


def html(summary: Summary, versions: Mapping[str, str], drawings: Path | None = None) -> str:
    """The whole page; ``drawings`` is the folder of the models' drawings."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_layercount.report", "templates"),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    names = [picture for row in summary.rows if (picture := _picture(row))]
    pictures = laid_out(names, drawings) if drawings else {}
    page: str = environment.get_template("page.html").render(
        summary=summary,
        versions=versions,
        messages=words,
        bars=bars,
        reasons=reasons,
        picture=lambda row: _shown(pictures.get(_picture(row), (b"", ""))),
    )
    return page


def bars(facts: Facts) -> list[Bar]:
    """The layer types before and after folding, the most frequent first."""
    most = max([*facts.types.values(), *facts.folded_types.values()], default=1)
    return [
        Bar(name, before, after, round(100 * before / most, 2), round(100 * after / most, 2))
        for name in dict.fromkeys([*facts.types, *facts.folded_types])
        for before, after in [(facts.types.get(name, 0), facts.folded_types.get(name, 0))]
    ]


def reasons(facts: Facts) -> list[tuple[str, str, list[Refused]]]:
    """The layers that stay, by reason: its code, what to do about it, and the layers."""
    ordered = sorted(facts.refusals, key=lambda refusal: refusal.reason)
    groups = [
        (code, list(group)) for code, group in groupby(ordered, lambda refusal: refusal.reason)
    ]
    ranked = sorted(groups, key=lambda group: -len(group[1]))
    return [(code, advice(code, "the layer in the way"), group) for code, group in ranked]


def _picture(row: Row) -> str:
    return next((each.picture for each in row.judgements if each.picture), "")


def _shown(picture: tuple[bytes, str]) -> Shown:
    svg, problem = picture
    if not svg:
        return Shown(problem=problem)
    width = re.search(rb'<svg width="(\d+)pt"', svg)
    address = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
    return Shown(address, narrow=width is not None and int(width[1]) <= NARROW)


def add_extra(report: pytest.TestReport, judged: Sequence[Judgement]) -> None:
    """Put a table of the models on ``report``."""
    from pytest_html import extras

    content = "".join(map(_numbers, summarize(judged).rows))
    found = [*getattr(report, "extras", ()), extras.html(content)]
    report.extras = found  # type: ignore[attr-defined]


def _numbers(row: Row) -> str:
    rows = [("model", row.name), *words.numbers(row), ("outcome", words.verdict(row))]
    cells = (
        f"<tr><td>{escape(printable(name))}</td><td>{escape(printable(text))}</td>"
        for name, text in rows
    )
    return f'<table class="layercount">{"".join(cells)}</table>'
