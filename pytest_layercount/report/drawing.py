"""Two models as a picture, before and after folding or one and the other: text for Graphviz.

Both models stand side by side, every chain of layers as a box with a row for each
layer. Colours say what becomes of it; the legend says what the colours mean.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_layercount.folding.plan import Plan
from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import Layer, ModelGraph, Shape, values_in
from pytest_layercount.report.chains import Row, chains, home, shortened
from pytest_layercount.report.graphviz import run_dot
from pytest_layercount.text import number

if TYPE_CHECKING:
    from pytest_layercount.compare.explain import Explanation

NAME = 40
"""The characters of a name that are shown."""

_FONT = "Helvetica,Arial,sans-serif"
_PLAIN, _BORDER, _FAINT = "#ffffff", "#9aa5b1", "#6b7785"
COLOURS: Mapping[str, tuple[str, str]] = {
    "folds": ("#cfeed6", "#14532d"),
    "refused": ("#ffd9c2", "#8a2c00"),
    "removed": ("#e4e7eb", "#52606d"),
    "absorbs": ("#d6e8fb", "#0b4a8f"),
    "gone": ("#ffd6d6", "#8f1010"),
    "new": ("#cfeed6", "#14532d"),
    "changed": ("#fff1b8", "#6b4e00"),
}
"""Background and text of a row, by what becomes of the layer."""

LEGEND: Mapping[str, str] = {
    "folds": "folds into a neighbour",
    "refused": "stays",
    "removed": "does nothing at inference: removed",
    "absorbs": "took up what folded",
    "gone": "only in the first model",
    "new": "only in the second model",
    "changed": "configured or connected otherwise",
}
NOTHING = "nothing folds and nothing is left to fold"
SAME = "nothing differs but names"


@dataclass(frozen=True)
class _Mark:
    """What becomes of a layer, and a word about it."""

    state: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Side:
    """One of the two models: the prefix of its boxes, and the marks of its layers."""

    prefix: str
    graph: ModelGraph
    title: str
    marks: Mapping[str, _Mark]
    boxes: dict[int, str] = field(default_factory=dict)

    def mark(self, node: int) -> _Mark:
        return self.marks.get(self.graph.layer_of(node).path, _Mark())


def dot_text(graph: ModelGraph, plan: Plan) -> str:
    """The picture of ``graph`` and of what ``plan`` leaves of it, for Graphviz."""
    before = _Side("a", graph, _title(graph.name, graph), _before(plan))
    after = _Side("b", plan.graph, _title("folded", plan.graph), _after(plan))
    return _picture(before, after, NOTHING)


def difference_text(one: ModelGraph, two: ModelGraph, explanation: Explanation) -> str:
    """The picture of two models whose difference is explained, for Graphviz.

    The rows with a colour are the layers that the causes concern, and those that changed.
    """
    gone, new = {}, {}
    for change in explanation.changed:
        note = ", ".join(change.attributes)
        gone[change.before], new[change.after] = _Mark("changed", note), _Mark("changed", note)
    for cause in explanation.causes:
        # Layers with other weights are there in both models.
        both = cause.code == "other-weights"
        gone.update(dict.fromkeys(cause.before, _Mark("changed" if both else "gone", cause.code)))
        new.update(dict.fromkeys(cause.after, _Mark("changed" if both else "new", cause.code)))
    before, after = (_title(graph.name, graph) for graph in (one, two))
    return _picture(_Side("a", one, before, gone), _Side("b", two, after, new), SAME)


def _picture(before: _Side, after: _Side, nothing: str) -> str:
    used = {mark.state for side in (before, after) for mark in side.marks.values()}
    lines = [
        "digraph model {",
        f'graph [fontname="{_FONT}", fontsize=14, ranksep=0.3, nodesep=0.35, pad=0.3,',
        f' labelloc=t, bgcolor="white", label=<{_legend(used, nothing)}>];',
        f'node [fontname="{_FONT}", fontsize=10, shape=plain];',
        f'edge [color="{_FAINT}", arrowsize=0.6];',
        *_side(before),
        *_side(after),
        "}",
    ]
    return "\n".join(lines) + "\n"


def svg(graph: ModelGraph, plan: Plan) -> str:
    """The picture as an ``<svg>`` element, ready for a file or a page.

    Raises:
        LayercountError: Graphviz is not installed or fails.
    """
    text = run_dot(dot_text(graph, plan), "svg").decode("utf-8")
    return text[text.index("<svg") :]


def _before(plan: Plan) -> dict[str, _Mark]:
    marks = {path: _Mark("removed") for path in plan.removed}
    for fold in plan.folds:
        marks[fold.layer] = _Mark("folds", _folds_into(fold.into, fold.condition))
    for refusal in plan.refusals:
        marks[refusal.layer] = _Mark("refused", f"stays: {refusal.reason}")
    return marks


def _folds_into(into: Sequence[str], condition: str) -> str:
    names = [path.rpartition("/")[2] for path in into]
    where = names[0] if len(names) == 1 else f"{len(names)} layers"
    return f"into {where}{f', if {condition}' if condition else ''}" if names else condition


def _after(plan: Plan) -> dict[str, _Mark]:
    marks = {path: _Mark("absorbs") for fold in plan.folds for path in fold.into}
    for refusal in plan.refusals:
        marks[refusal.layer] = _Mark("refused", f"stays: {refusal.reason}")
    return marks


def _title(name: str, graph: ModelGraph) -> str:
    return f"{name}: {number(count_graph(graph).total, 'layer')}"


def _side(side: _Side) -> Iterator[str]:
    """The lines that draw one of the models."""
    yield f"subgraph cluster_{side.prefix} {{"
    yield f'color="{_BORDER}"; style=rounded; margin=14; label=<{_bold(side.title)}>;'
    inside: dict[str, list[str]] = {}
    for chain in chains(side.graph):
        box = f"{side.prefix}{chain[0]}"
        side.boxes.update(dict.fromkeys(chain, box))
        lines = inside.setdefault(home(side.graph, chain[0]), [])
        lines.append(f"{box} [label=<{_table(side, chain)}>];")
    yield from _clusters(side, inside)
    yield from _edges(side)
    yield "}"


def _clusters(side: _Side, inside: Mapping[str, list[str]]) -> Iterator[str]:
    """The boxes, those of nested models in frames within frames."""
    paths = {path for home in inside for path in _outwards(home)}
    opened: list[str] = []
    for place, path in enumerate(sorted(paths, key=lambda path: path.split("/") if path else [])):
        while opened and not (path == opened[-1] or path.startswith(f"{opened[-1]}/")):
            opened.pop()
            yield "}"
        if path:
            yield f"subgraph cluster_{side.prefix}_{place} {{"
            yield f'color="{_BORDER}"; style="rounded,dashed"; margin=10;'
            yield f"label=<{_text(path.rpartition('/')[2])}>;"
            opened.append(path)
        yield from inside.get(path, ())
    yield from ("}" for _ in opened)


def _outwards(path: str) -> Iterator[str]:
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


def _edges(side: _Side) -> Iterator[str]:
    for call, node in enumerate(side.graph.nodes):
        for value in node.inputs:
            if side.boxes[value.node] != side.boxes[call]:
                yield f"{side.boxes[value.node]} -> {side.boxes[call]};"
    for place, value in enumerate(values_in(side.graph.outputs)):
        end = f"{side.prefix}_out{place}"
        yield f'{end} [shape=plaintext, fontcolor="{_FAINT}", label=<output>];'
        yield f"{side.boxes[value.node]} -> {end};"


def _table(side: _Side, chain: list[int]) -> str:
    def look(node: int) -> tuple[object, ...]:
        layer = side.graph.layer_of(node)
        return layer.type, side.graph.nodes[node].shapes, side.mark(node).state

    rows = "".join(_row(side, row) for row in shortened(chain, look))
    inner = f'<table border="0" cellborder="0" cellspacing="0" cellpadding="3">{rows}</table>'
    return (  # a second table around, or the rows would stick out of its round corners
        f'<table border="1" color="{_BORDER}" bgcolor="{_PLAIN}" cellborder="0" cellspacing="0"'
        f' cellpadding="4" style="rounded"><tr><td>{inner}</td></tr></table>'
    )


def _row(side: _Side, row: Row) -> str:
    layer, mark = side.graph.layer_of(row.node), side.mark(row.node)
    background, colour = COLOURS.get(mark.state, (_PLAIN, "#1f2933"))
    kind = f"<i>{_text(layer.type)}</i>" if layer.kind == "operation" else _bold(layer.type)
    kind = f"<s>{kind}</s>" if mark.state == "removed" else kind
    shapes = side.graph.nodes[row.node].shapes
    shape = _shape(shapes[0] if shapes else None)
    texts = (_text(layer.name), _details(layer), shape, _text(mark.note))
    cells = (kind, *map(_small, texts))
    made = "".join(
        f'<td align="left" bgcolor="{background}"><font color="{colour}">{cell}</font></td>'
        for cell in cells
    )
    again = _again(row.more, row.size)
    more = f'<tr><td align="left" colspan="5">{_small(_text(again))}</td></tr>' if row.more else ""
    return f"<tr>{made}</tr>{more}"


def _again(more: int, size: int) -> str:
    rows = "this layer" if size == 1 else f"these {size} layers"
    return f"⋮ {rows} {more} more times"


def _details(layer: Layer) -> str:
    """``3 x 3 / 2, 1,792``: the window, the strides where it skips any, and the parameters."""
    config = layer.config
    window = config.get("kernel_size") or config.get("pool_size") or ()
    strides = config.get("strides") or ()
    parts = [" &#215; ".join(map(str, _sizes(window)))]
    if any(size != 1 for size in _sizes(strides)):
        parts[0] += f" / {' &#215; '.join(map(str, dict.fromkeys(_sizes(strides))))}"
    if layer.parameters:
        parts.append(f"{layer.parameters:,}")
    return ", ".join(filter(None, parts))


def _sizes(value: object) -> tuple[int, ...]:
    """The whole numbers of a setting, which may be one; a file may hold anything."""
    sizes = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(size for size in sizes if type(size) is int)


def _legend(used: set[str], nothing: str) -> str:
    cells = "".join(
        f'<td bgcolor="{background}"><font color="{colour}">{LEGEND[state]}</font></td>'
        for state, (background, colour) in COLOURS.items()
        if state in used
    )
    if not cells:
        cells = f"<td>{nothing}</td>"
    look = 'border="0" cellborder="0" cellspacing="6" cellpadding="4"'
    return f"<table {look}><tr>{cells}</tr></table>"


def _shape(shape: Shape) -> str:
    sizes = ["?" if size is None else str(size) for size in (shape or ())[1:]]
    return " &#215; ".join(sizes)


def _bold(text: str) -> str:
    return f"<b>{_text(text)}</b>"


def _small(markup: str) -> str:
    return f'<font point-size="9">{markup or "&#160;"}</font>'


def _text(text: str) -> str:
    """``text`` for Graphviz's markup, whatever stands in it, cut in the middle if long."""
    if len(text) > NAME:
        text = f"{text[: NAME // 2]}…{text[-NAME // 2 + 1 :]}"
    shown = "".join(each if each.isprintable() else "�" for each in text)
    return html.escape(shown).replace("\\", "&#92;&#92;")
