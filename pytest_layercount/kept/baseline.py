"""A baseline: a model's numbers and lines as the text of a file, written and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_layercount.errors import LayercountError
from pytest_layercount.files import beside, read_bytes, reason
from pytest_layercount.kept.lines import lines
from pytest_layercount.kept.parse import Malformed, parse
from pytest_layercount.model.count import measure_graph
from pytest_layercount.model.graph import Layer, ModelGraph, Seen
from pytest_layercount.text import printable

METRICS = ("layers", "nodes", "top", "depth", "parameters", "trainable", "bytes", "macs")


def numbers(graph: ModelGraph) -> dict[str, int]:
    """The numbers of ``graph``, by the names of the metrics."""
    found = measure_graph(graph)
    return {
        "layers": found.layers,
        "nodes": found.nodes,
        "top": found.top,
        "depth": found.depth,
        "parameters": found.parameters,
        "trainable": found.trainable_parameters,
        "bytes": found.weight_bytes,
        "macs": found.macs,
    }


_TITLE = "# pytest-layercount baseline 2"
_OLD_TITLE = "# pytest-layercount baseline 1"
"""Until then a line showed only what decides about folding."""
_NOTES = (
    "# A line for each call of a layer, which reads the line above where it does not say:",
    "# up3 is what stands three lines above, up3.layer the layer that is called there.",
)
_KEYS = ("test", "name", "judged", "keras", "model", *METRICS)
_UNREAD = ("top",)
"""What the lines do not say."""

KINDS: Mapping[str, tuple[bool, Seen]] = {
    "Functional": (False, "graph"),
    "Sequential": (True, "graph"),
    "seen in one call": (False, "one call"),
    "traced function": (False, "traced function"),
}
"""What a model is, and whether it is Sequential and how its structure was seen."""

_CHECKED = ("layers", "nodes", "parameters", "trainable")
"""What the lines must bear out, whichever version of this package wrote them."""


@dataclass(frozen=True)
class Baseline:
    """A model as it was accepted.

    ``test`` is the node id of the test that judges it, from the folder of its file;
    ``name`` is what the test calls it and ``judged`` what of it is judged.
    """

    test: str
    name: str
    judged: str
    graph: ModelGraph
    numbers: Mapping[str, int]
    whole: bool = True


def baseline(
    test: str, name: str, judged: str, graph: ModelGraph, *, whole: bool = True
) -> Baseline:
    """The baseline that ``graph`` would have: what reading its file will give.

    Only so are a model and its baseline told apart by nothing but what the file says.
    Without ``whole`` it is what a file of the old format says.
    """
    if not whole:
        graph = replace(graph, layers=tuple(map(_without_settings, graph.layers)))
    body = parse(graph.keras, graph.sequential, graph.seen, lines(graph), 1, whole=whole)
    test, name = (printable(" ".join(text.splitlines())) for text in (test, name))
    return Baseline(test, name, judged, body, numbers(body) | {"top": len(graph.top)}, whole)


def _without_settings(layer: Layer) -> Layer:
    inner = {
        name: _without_settings(part)
        for name, part in layer.config.items()
        if isinstance(part, Layer)
    }
    return replace(layer, settings=None, config={**layer.config, **inner})


def written(baseline: Baseline) -> str:
    """``baseline`` as the text of a file."""
    head = {
        "test": baseline.test,
        "name": baseline.name,
        "judged": baseline.judged,
        "keras": baseline.graph.keras,
        "model": kind_of(baseline.graph),
        **{name: str(baseline.numbers[name]) for name in METRICS},
    }
    said = [f"{key}: {value}" for key, value in head.items()]
    return "\n".join([_TITLE, *_NOTES, "", *said, "", *lines(baseline.graph), ""])


def read(text: str) -> Baseline:
    """The baseline that a file holds.

    Raises:
        Malformed: it does not; the error says in which line.
    """
    found = text.splitlines()
    if not found or found[0] not in (_TITLE, _OLD_TITLE):
        raise Malformed(1, f"a baseline begins with {_TITLE!r}")
    start = next((n for n, line in enumerate(found) if n and not line.startswith("#") and line), 0)
    end = next((n for n in range(start, len(found)) if not found[n]), len(found))
    head = _head(found[start:end], start + 1)
    body = found[end + 1 :]
    if head["model"] not in KINDS:
        problem = f"must be one of {', '.join(KINDS)}"
        raise Malformed(start + 1 + _KEYS.index("model"), problem)
    sequential, seen = KINDS[head["model"]]
    whole = found[0] == _TITLE
    graph = parse(head["keras"], sequential, seen, body, end + 2, whole=whole)
    given = {name: _number(head[name], start + 1 + _KEYS.index(name)) for name in METRICS}
    counted = numbers(graph) | {name: given[name] for name in _UNREAD}
    for name in _CHECKED:
        if counted[name] != given[name]:
            line = start + 1 + _KEYS.index(name)
            makes = f"the lines below, which make {counted[name]}"
            raise Malformed(line, f"says another number of {name} than {makes}")
    return Baseline(head["test"], head["name"], head["judged"], graph, counted, whole)


def kind_of(graph: ModelGraph) -> str:
    """What sort of model it is, as a file says it."""
    known = graph.sequential and graph.seen == "graph", graph.seen
    return next(name for name, kind in KINDS.items() if kind == known)


def _head(said: Sequence[str], first: int) -> dict[str, str]:
    head = {}
    for number, key in enumerate(_KEYS):
        name, colon, value = said[number].partition(": ") if number < len(said) else ("", "", "")
        if name != key or not colon:
            raise Malformed(first + number, f"must say '{key}: ...'")
        head[key] = value
    if len(said) > len(_KEYS):
        problem = "must be empty: the numbers end here and the layers begin"
        raise Malformed(first + len(_KEYS), problem)
    return head


def _number(text: str, line: int) -> int:
    if not text.isdecimal():
        raise Malformed(line, "must give a whole number")
    return int(text)


class BaselineError(LayercountError):
    """A baseline that cannot be read or written."""


def save(path: Path, shown: str, text: str) -> None:
    """Write a baseline so that no reader ever finds half of it.

    Raises:
        BaselineError: the file or its folder may not be written.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        with beside(path) as made:
            made.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise BaselineError(f"cannot write the baseline {shown}: {reason(error)}") from None


def load(path: Path, shown: str) -> Baseline | None:
    """The baseline at ``path``, None if there is none; ``shown`` is what errors call it.

    Raises:
        BaselineError: the file is damaged, or may not be read.
    """
    try:
        text = read_bytes(path).decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BaselineError(_damaged(shown, Malformed(line, "is not UTF-8 text"))) from None
    except OSError as error:
        raise BaselineError(f"cannot read the baseline {shown}: {reason(error)}") from None
    try:
        return read(text)
    except Malformed as error:
        raise BaselineError(_damaged(shown, error)) from None


def _damaged(shown: str, error: Malformed) -> str:
    problem = f"damaged baseline: {error.problem}"
    return f"{shown}:{error.line}: {problem}; restore it, or accept the model as it is"
