"""A graph as text: a line for each call, in terms that a change elsewhere leaves alone.

The lines stand in the order in which a walk from the outputs finds the calls, so that
a layer more in one branch moves nothing in another. What a line reads is said by how
many lines up it stands, and not at all if it is the line above.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from pytest_layercount.compare.form import Form
from pytest_layercount.kept.defaults import without_defaults
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, leaves, values_in
from pytest_layercount.model.plain_settings import digest

_NAME = re.compile(r"[\w.:-]+")
_PATH = re.compile(r"[\w.:/-]+")
_NUMBER = re.compile(r"_\d+$")
MOST_NUMBERS, MOST_RECORDED = 16, 4096
"""Longer constants are known by a digest, in baselines and in records."""

SEALS = ("quantized", "lora", "tied")
"""Why the weights of a layer must not be rewritten."""

_UNTOLD = ("input", "input_layer", "keras_tensor")


def lines(graph: ModelGraph, *, recorded: bool = False) -> list[str]:
    """The calls of ``graph``, a line each, and what it returns.

    A line of a record has the layer's path, the class of an operation and numbers as they
    are; one of a baseline is to be read by people, and the same tomorrow.
    """
    order = Form(graph).order()
    writer = _Writer(order, "ops" if graph.seen == "graph" else "layers", recorded=recorded)
    entries = [value.node for value in values_in(graph.inputs)]
    first: dict[int, int] = {}
    found = []
    for line, number in enumerate(order):
        node = graph.nodes[number]
        layer = graph.layers[node.layer]
        again = line - first.setdefault(node.layer, line)
        entry = entries.index(number) + 1 if number in entries and len(entries) > 1 else 0
        called = f"up{again}.layer" if again else writer.layer(_with_axes(layer, node), entry)
        text = f"{called}{writer.call(node, layer, line)} -> {_outputs(node)}"
        facts = ", ".join(_facts(node, None if again else layer))
        numbered = graph.seen == "traced function"  # TensorFlow numbers the names of users too
        named = "" if again or numbered else given_name(layer)
        columns = [text, facts, named]
        if recorded:
            columns[2:] = () if again else (_class_of(layer), _quoted(layer.path))
        found.append(" | ".join(filter(None, columns)))
    ends = ", ".join(writer.literal(value, len(found)) for value in values_in(graph.outputs))
    return [*found, f"outputs({ends})"]


def given_name(layer: Layer) -> str:
    """The name that a user gave a layer, empty if Keras made it of the type and a number."""
    base = _NUMBER.sub("", layer.name)
    made = layer.operation is not None or (layer.kind == "input" and base in _UNTOLD)
    if made or base.replace("_", "") == layer.type.lower().replace("_", ""):
        return ""
    return layer.name if _NAME.fullmatch(layer.name) else ""


def _class_of(layer: Layer) -> str:
    """The class of an operation, which is called by its function."""
    if layer.operation is None or layer.type == layer.operation:
        return ""
    return f"as {'' if layer.builtin else 'own.'}{_identifier(layer.type)}"


def _quoted(path: str) -> str:
    """A path as it is, or as Python writes it with no space, where it could be something else."""
    if _PATH.fullmatch(path) and path not in SEALS:
        return path
    return repr(path).replace(" ", "\\x20")


class _Writer:
    """Writes what is said about a call.

    ``order`` has the node of each line, and ``counted`` is what an operation is said to
    be if it counts as a layer. In a whole graph all do or none, as the Keras has it.
    """

    def __init__(self, order: Sequence[int], counted: str, *, recorded: bool) -> None:
        self._order, self._counted, self._recorded = order, counted, recorded
        self._places = {node: line for line, node in enumerate(order)}

    def layer(self, layer: Layer, entry: int = 0) -> str:
        if layer.operation is not None:
            home = self._counted if layer.kind == "layer" else "ops"
            return f"{home}.{_identifier(layer.operation)}"
        config: dict[str, Any] = _shown(layer)
        if entry:
            config["number"] = entry
        shown = ", ".join(self._given(name, value) for name, value in config.items())
        return f"{'' if layer.builtin else 'own.'}{_identifier(layer.type)}({shown})"

    def _given(self, name: str, value: Any) -> str:
        """A setting as Python would give it; those of users may have any name."""
        if name.isidentifier() and not keyword.iskeyword(name):
            return f"{name}={self.literal(value, 0)}"
        return f"**{{{name!r}: {self.literal(value, 0)}}}"

    def call(self, node: Node, layer: Layer, line: int) -> str:
        kwargs = {name: value for name, value in node.kwargs.items() if value is not None}
        if layer.operation is not None and layer.settings is not None:
            kwargs = _of_operation(layer) | kwargs
        plain = not node.args if layer.kind == "input" else self._reads_above(node.args, line)
        if plain and not kwargs and layer.operation is None:
            return ""
        shown = [self.literal(value, line) for value in node.args]
        shown += [f"{name}={self.literal(value, line)}" for name, value in sorted(kwargs.items())]
        return f"({', '.join(shown)})"

    def _reads_above(self, args: tuple[Any, ...], line: int) -> bool:
        return len(args) == 1 and line > 0 and args[0] == Value(self._order[line - 1])

    def literal(self, value: Any, line: int) -> str:
        """``value`` as Python would write it; ``other`` for what has no short form."""
        if isinstance(value, Value):
            up = f"up{line - self._places[value.node]}"
            return f"{up}[{value.index}]" if value.index else up
        if isinstance(value, Layer):
            return self.layer(value)
        if isinstance(value, Mapping):
            items = sorted(value.items(), key=lambda item: str(item[0]))
            inner = ", ".join(f"{str(key)!r}: {self.literal(one, line)}" for key, one in items)
            return f"{{{inner}}}"
        if isinstance(value, (list, tuple)):
            numbers = _numbers(value)
            most = MOST_RECORDED if self._recorded else MOST_NUMBERS
            if numbers is not None and len(numbers) > most:
                return repr(f"{len(numbers)} values {digest(numbers)}")
            inner = ", ".join(self.literal(one, line) for one in value)
            if isinstance(value, list):
                return f"[{inner}]"
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        array = value.numpy() if callable(getattr(value, "numpy", None)) else value
        if getattr(array, "ndim", 0) and hasattr(array, "tolist") and not hasattr(value, "assign"):
            return self.literal(array.tolist(), line)  # as files hold constants
        if hasattr(value, "as_numpy_dtype"):
            return repr(str(value.name))
        return _scalar(array, exact=self._recorded)


def _numbers(tree: Sequence[Any]) -> list[float] | None:
    """The numbers of a constant, however deep in lists; None where something else is, too."""
    found = list(leaves(tree))
    if any(not isinstance(leaf, Real) for leaf in found):
        return None
    return [float(f"{float(leaf):.6g}") for leaf in found]


def _scalar(value: Any, *, exact: bool) -> str:
    if type(value).__module__ == "numpy" and not getattr(value, "ndim", 1):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return repr(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return f"float('{value}')"
        return repr(float(value if exact else f"{value:.6g}"))
    if isinstance(value, slice):
        parts = (_scalar(part, exact=exact) for part in (value.start, value.stop, value.step))
        return f"slice({', '.join(parts)})"
    if value is Ellipsis:
        return "..."
    return f"other({type(value).__name__!r})" if exact else "other"


def _shown(layer: Layer) -> dict[str, Any]:
    """What is said of a layer: of its settings all that are not as usual."""
    others = {**(layer.settings or {})}
    if others.get("axis") == -1:
        del others["axis"]
    return dict(sorted({**without_defaults(layer.config), **others}.items()))


def _of_operation(layer: Layer) -> dict[str, Any]:
    """What an operation of Keras 3 was made with; Keras 2 calls functions with all of it."""
    found = {**layer.config, **(layer.settings or {})}
    return {
        name: value for name, value in found.items() if value is not None and value is not False
    }


def _with_axes(layer: Layer, node: Node) -> Layer:
    """The last axis as -1, and the one axis of a batch normalization not in a list."""
    shape = node.shapes[0] if node.shapes else None
    if shape is None or not layer.builtin:
        return layer
    config = {**layer.config, **_axes(layer.type, layer.config, len(shape))}
    if layer.settings is None:
        return replace(layer, config=config)
    settings = {**layer.settings, **_axes(layer.type, layer.settings, len(shape))}
    return replace(layer, config=config, settings=settings)


def _axes(type_: str, config: Mapping[str, Any], rank: int) -> dict[str, Any]:
    axis = config.get("axis")
    axes = axis if isinstance(axis, tuple) else (axis,)
    if axis is None or not all(type(one) is int for one in axes):
        return {}
    counted = tuple(-1 if one == rank - 1 else one for one in axes)
    listed = isinstance(axis, tuple) and not type_.endswith("BatchNormalization")
    return {"axis": counted if listed else counted[0]}


def _identifier(name: str) -> str:
    """The name of a class or function as Python may have it; a class made at run time has any."""
    written = re.sub(r"\W", "_", name)
    return written if written.isidentifier() and not keyword.iskeyword(written) else f"_{written}"


def _outputs(node: Node) -> str:
    found = []
    for index, shape in enumerate(node.shapes):
        dtype = node.dtypes[index] if index < len(node.dtypes) else ""
        masked = index < len(node.masked) and node.masked[index]
        words = ["unknown" if shape is None else _shape(shape)]
        words += [dtype] if dtype not in ("", "float32") else []
        found.append(" ".join(words + ["masked"] * masked))
    return "; ".join(found) or "nothing"


def _shape(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def _facts(node: Node, layer: Layer | None) -> Iterator[str]:
    if layer is not None and layer.parameters:
        yield f"{layer.parameters} parameters"
        if layer.trainable_parameters != layer.parameters:
            yield f"{layer.trainable_parameters} trained"
        if layer.weight_bytes != 4 * layer.parameters:
            yield f"{layer.weight_bytes} bytes"
    if layer is not None and layer.sealed:
        yield layer.sealed
    if node.training is not None:
        yield f"training={node.training}"
