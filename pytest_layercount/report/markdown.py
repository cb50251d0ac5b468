"""The report as GitHub and GitLab show it: markdown that fits into one comment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pytest_layercount.checks.judgement import Facts, Judgement, Step
from pytest_layercount.report import words
from pytest_layercount.report.summary import Row, Summary
from pytest_layercount.text import number, printable

MOST = 65_535
"""The characters GitHub takes in a comment; a step summary takes more."""

_TABLE = 30_000
_TEXT = 200
_LIST = 30
_SIGNS = {"failed": "❌", "expected": "⚠️", "passed": "✅"}
_SAFE = frozenset(" ,.:;()+=%'/-…")
_RIGHT = ("layers", "parameters", "folds to")


def markdown(summary: Summary) -> str:
    """The whole report, in fewer than 65,536 characters however many models there are."""
    sign = _SIGNS["failed" if summary.failed else "passed"]
    head = f"### {sign} layercount: {words.headline(summary)}\n"
    table = _fitting(
        [_line(row) for row in summary.rows], _TABLE, lambda left: f"\n{words.left_out(left)}\n"
    )
    head += f"\n{_table_head()}{table}"
    blocks = [_block(row) for row in summary.rows if _has_details(row)]
    return head + _fitting(blocks, MOST - len(head), _details_left_out)


def _details_left_out(left: int) -> str:
    return f"\nThere is no room for the details of {number(left, 'model')} more.\n"


def _fitting(parts: Sequence[str], room: int, rest: Callable[[int], str]) -> str:
    """As many of ``parts`` as there is room for, and how many are left out."""
    if sum(map(len, parts)) <= room:
        return "".join(parts)
    room -= len(rest(len(parts)))
    shown = 0
    while room >= len(parts[shown]):
        room -= len(parts[shown])
        shown += 1
    return "".join(parts[:shown]) + rest(len(parts) - shown)


def _table_head() -> str:
    sides = ("---:" if column in _RIGHT else "---" for column in words.COLUMNS)
    return f"| | {' | '.join(words.COLUMNS)} |\n|---|{'|'.join(sides)}|\n"


def _line(row: Row) -> str:
    name, *others = words.cells(row)
    cells = " | ".join(map(_escaped, others))
    return f"| {_SIGNS[row.outcome]} | {_code(name)} | {cells} |\n"


def _has_details(row: Row) -> bool:
    refusals = row.facts is not None and row.facts.refusals
    return bool(row.messages or row.growth or refusals or words.unplanned(row))


def _block(row: Row) -> str:
    inside = "\n".join(_details(row))
    title = f"{_code(row.name)}: {_escaped(words.title(row))}"
    return f"\n<details><summary>{title}</summary>\n\n{inside}\n\n</details>\n"


def _details(row: Row) -> Iterator[str]:
    yield from (f"**{_escaped(message)}**\n" for message in row.messages)
    if row.failed:
        yield from _listed(list(dict.fromkeys(map(_test, row.failed))))
        yield ""
    if row.growth:
        yield f"{_escaped(words.since(row.growth))}\n"
        yield from _listed([_step(step) for step in row.growth.steps])
        yield ""
    if words.unplanned(row):
        yield f"{_escaped(words.unplanned(row))}\n"
    if row.facts:
        yield from _types(row.facts)
        yield from _refusals(row.facts)


def _test(judgement: Judgement) -> str:
    accept = f", to accept: {_code(judgement.accept)}" if judgement.accept else ""
    return f"- {_code(judgement.tested_in)}{accept}"


def _step(step: Step) -> str:
    paths = ", ".join(_code(path) for path in step.layers[:5])
    more = ", ..." if len(step.layers) > 5 else ""
    return f"- {step.delta:+d} {_escaped(step.message)}" + (f": {paths}{more}" if paths else "")


def _types(facts: Facts) -> Iterator[str]:
    yield "| layer type | before folding | after |"
    yield "|---|---:|---:|"
    names = dict.fromkeys([*facts.types, *facts.folded_types])
    yield from _listed(
        [
            f"| {_code(name)} | {facts.types.get(name, 0)} | {facts.folded_types.get(name, 0)} |"
            for name in names
        ]
    )


def _refusals(facts: Facts) -> Iterator[str]:
    if facts.refusals:
        stay = f"{number(len(facts.refusals), 'layer')} that folding leaves in place:"
        yield f"\n{_escaped(stay)}\n"
        yield from _listed(
            [
                f"- {_code(refusal.layer)} ({refusal.reason}): {_escaped(refusal.message)}"
                for refusal in facts.refusals
            ]
        )


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_LIST]
    if len(lines) > _LIST:
        yield f"\n{words.left_out(len(lines) - _LIST)}"


def _code(text: str) -> str:
    return f"<code>{_escaped(text)}</code>"


def _escaped(text: str) -> str:
    """``text`` cut, its signs written as numbers, so that none is markup or a mention."""
    text = printable(text)
    short = text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
    return "".join(each if each.isalnum() or each in _SAFE else f"&#{ord(each)};" for each in short)
