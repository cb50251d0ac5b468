"""Records beside each other: a row for each model, a column for each version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_layercount.checks.record import fact, finding_lines, stale
from pytest_layercount.text import aligned, number

if TYPE_CHECKING:
    from pytest_layercount.kept.comparison import Cell, RecordComparison
    from pytest_layercount.kept.expected import Expected
    from pytest_layercount.kept.record import Record


def matrix(found: RecordComparison) -> str:
    """Every model in every version, what differs, and why."""
    lines = [*table(found), "", LEGEND, ""]
    for name in found.rows:
        lines += explained(found, name)
    return "\n".join([*lines, *_stale(found.stale), _outputs(found), _summary(found)])


LEGEND = "layers (nodes); * differs from the first, ~ differs as expected"


def table(found: RecordComparison) -> list[str]:
    """The matrix in columns."""
    heads = [_head(record) for record in found.records]
    if len({tuple(head) for head in heads}) < len(heads):
        heads = [[column] for column in found.columns]
    depth = max(map(len, heads))
    rows = [
        ["model" if n == 0 else "", *(h[n] if n < len(h) else "" for h in heads)]
        for n in range(depth)
    ]
    rows += [[name, *(cell_text(cell) for cell in cells)] for name, cells in found.rows.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    made = [aligned(row, widths).rstrip() for row in rows]
    return [*made[:depth], "  ".join("-" * width for width in widths), *made[depth:]]


def _head(record: Record) -> list[str]:
    return record.label.split(", ")


def cell_text(cell: Cell) -> str:
    """A model in one version: its layers and nodes."""
    mark = "*" if cell.unexpected else "~" if cell.expected else ""
    if cell.record.graph is None:
        return f"none {mark}".rstrip()
    return f"{cell.record.count('layers')} ({cell.record.count('nodes')}) {mark}".rstrip()


def explained(found: RecordComparison, name: str) -> list[str]:
    """Why a model differs: versions that differ alike together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for column, cell in zip(found.columns, found.rows[name], strict=True):
        lines = tuple(_cell_lines(cell))
        if lines:
            groups.setdefault(lines, []).append(column)
    return [
        line
        for lines, columns in groups.items()
        for line in (f"{name} with {'; '.join(columns)}:", *lines)
    ]


def _cell_lines(cell: Cell) -> Iterator[str]:
    if cell.pair is None or not (cell.unexpected or cell.expected):
        return
    yield f"   {fact(cell.pair, [*cell.unexpected, *(one for one, _ in cell.expected)])}"
    yield from finding_lines(cell.unexpected)
    for finding, known in cell.expected:
        yield f"   {finding.code}: {finding.message}"
        yield f"      expected: {known.reason}"


def _stale(expectations: Sequence[Expected]) -> list[str]:
    return [stale(one) for one in expectations]


def _outputs(found: RecordComparison) -> str:
    """How far outputs are apart that were compared and found equal."""
    gaps = [
        gap
        for cells in found.rows.values()
        for cell in cells
        if cell.pair is not None
        for gap in cell.pair.gaps
        if gap.equal and gap.magnitude
    ]
    if not gaps:
        return "no outputs compared"
    worst = max(gap.difference / gap.magnitude for gap in gaps)
    limit = max(gap.limit / gap.magnitude for gap in gaps)
    return (
        f"{number(len(gaps), 'output')} equal: at most {worst:.1g} of the largest value apart, "
        f"where float32 noise explains up to {limit:.1g}"
    )


def _summary(found: RecordComparison) -> str:
    counts = summary(found)
    return (
        f"{number(counts['models'], 'model')} in {number(len(found.columns), 'version')}: "
        f"{counts['same']} the same, {counts['expected']} as expected, {counts['differ']} differ"
    )


def summary(found: RecordComparison) -> Mapping[str, int]:
    """How many models are the same, differ as expected, and differ."""
    differ = [any(cell.unexpected for cell in cells) for cells in found.rows.values()]
    known = [any(cell.expected for cell in cells) for cells in found.rows.values()]
    expected = sum(k and not d for k, d in zip(known, differ, strict=True))
    return {
        "models": len(differ),
        "same": len(differ) - sum(differ) - expected,
        "expected": expected,
        "differ": sum(differ),
    }


def markdown(found: RecordComparison) -> str:
    """The matrix as a table of GitHub's markdown."""
    heads = ["model", *(column.replace(", ", "<br>") for column in found.columns)]
    rows = [[_code(name), *map(cell_text, cells)] for name, cells in found.rows.items()]
    rules = ["---", *["---:"] * len(found.columns)]
    made = [
        "| " + " | ".join(_escaped(text) for text in row) + " |" for row in (heads, rules, *rows)
    ]
    why = [line for name in found.rows for line in explained(found, name)]
    block = ["", "```", *why, "```"] if why else []
    rest = [*_stale(found.stale), _outputs(found), "", _summary(found)]
    return "\n".join([*made, "", _escaped(LEGEND), *block, "", *rest])


def _code(text: str) -> str:
    return f"`{text}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("~", "\\~")
