"""A box of a picture: a chain of calls in Graphviz's markup, with a row for each."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_layercount.model.graph import Layer, ModelGraph, Shape
from pytest_layercount.report.chains import shortened

NAME = 40
"""The characters of a name that are shown."""

PLAIN, BORDER, FAINT = "#ffffff", "#9aa5b1", "#6b7785"
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

_TOLD_APART = ("activation", "dilation_rate", "groups", "padding")
"""Settings that no row shows, and by which layers are no copies of one another."""


@dataclass(frozen=True)
class Mark:
    """What becomes of a layer, why, and a word about it."""

    state: str = ""
    why: str = ""
    note: str = ""


NO_MARK = Mark()


def look(graph: ModelGraph, node: int, marks: Mapping[str, Mark]) -> tuple[str, ...]:
    """What copies of a call have in common, whatever their names, sizes and numbers are."""
    layer = graph.layer_of(node)
    mark = marks.get(layer.path, NO_MARK)
    settings = (str(layer.config.get(name)) for name in _TOLD_APART)
    return layer.type, layer.kind, _window(layer), *settings, mark.state, mark.why


def box(graph: ModelGraph, copies: Sequence[Sequence[int]], marks: Mapping[str, Mark]) -> str:
    """The table of a chain; ``copies`` are its calls, and those of all chains it stands for."""
    nodes = list(zip(*copies, strict=True))

    def token(place: int) -> object:
        return [
            (*look(graph, node, marks), graph.nodes[node].shapes, graph.layer_of(node).parameters)
            for node in nodes[place]
        ]

    rows = []
    for row in shortened(range(len(nodes)), token):
        rows.append(_row(graph, nodes[row.node], marks))
        if row.more:
            again = small(text(_again(row.more, row.size)))
            rows.append(f'<tr><td align="left" colspan="5">{again}</td></tr>')
    inner = "".join(rows)
    inner = f'<table border="0" cellborder="0" cellspacing="0" cellpadding="3">{inner}</table>'
    return (  # a second table around, or the rows would stick out of its round corners
        f'<table border="1" color="{BORDER}" bgcolor="{PLAIN}" cellborder="0" cellspacing="0"'
        f' cellpadding="4" style="rounded"><tr><td>{inner}</td></tr></table>'
    )


def _row(graph: ModelGraph, nodes: Sequence[int], marks: Mapping[str, Mark]) -> str:
    """The row of a call, and of those it stands for."""
    layers = [graph.layer_of(node) for node in nodes]
    layer, mark = layers[0], marks.get(layers[0].path, NO_MARK)
    background, colour = COLOURS.get(mark.state, (PLAIN, "#1f2933"))
    kind = f"<i>{text(layer.type)}</i>" if layer.kind == "operation" else bold(layer.type)
    kind = f"<s>{kind}</s>" if mark.state == "removed" else kind
    weights = _from_to(f"{layer.parameters:,}" if layer.parameters else "" for layer in layers)
    details = ", ".join(filter(None, (_window(layer), weights)))
    shape = _from_to(_shape(next(iter(graph.nodes[node].shapes), None)) for node in nodes)
    texts = (text(layer.name), details, shape, text(mark.note))
    cells = "".join(
        f'<td align="left" bgcolor="{background}"><font color="{colour}">{cell}</font></td>'
        for cell in (kind, *map(small, texts))
    )
    return f"<tr>{cells}</tr>"


def _again(more: int, size: int) -> str:
    rows = "this layer" if size == 1 else f"these {size} layers"
    return f"⋮ {rows} {more} more times"


def _window(layer: Layer) -> str:
    """``3 x 3 / 2``: the window, and the strides where it skips any."""
    config = layer.config
    window = " &#215; ".join(map(str, _sizes(config.get("kernel_size") or config.get("pool_size"))))
    strides = _sizes(config.get("strides"))
    if any(size != 1 for size in strides):
        window += f" / {' &#215; '.join(map(str, dict.fromkeys(strides)))}"
    return window


def _sizes(value: object) -> tuple[int, ...]:
    """The whole numbers of a setting, which may be one; a file may hold anything."""
    sizes = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(size for size in sizes if type(size) is int)


def _shape(shape: Shape) -> str:
    sizes = ["?" if size is None else str(size) for size in (shape or ())[1:]]
    return " &#215; ".join(sizes)


def _from_to(texts: Iterable[str]) -> str:
    """A text that is the same in all copies, or that of the first and of the last."""
    first, *others = texts
    return first if all(other == first for other in others) else f"{first} … {others[-1]}"


def bold(words: str) -> str:
    """``words`` as markup, in bold."""
    return f"<b>{text(words)}</b>"


def small(markup: str) -> str:
    """``markup`` in small letters; a cell of a table must not be empty."""
    return f'<font point-size="9">{markup or "&#160;"}</font>'


def text(words: str) -> str:
    """``words`` for Graphviz's markup, whatever stands in them, cut in the middle if long."""
    if len(words) > NAME:
        words = f"{words[: NAME // 2]}…{words[-NAME // 2 + 1 :]}"
    shown = "".join(letter if letter.isprintable() else "�" for letter in words)
    return html.escape(shown).replace("\\", "&#92;&#92;")
