"""A model's structure as JSON, the same for the same model whatever Keras it is of.

Layers stand in the order in which :class:`.form.Form` walks them, not in that of their
construction, under names of :mod:`pytest_layercount.model.names`; names are stored
beside the structure and never compared. What is written here is read by any later
version, without a Keras.

In arguments and configurations a JSON object is one thing that JSON has no word for:
``{"value": [node, index]}``, ``{"slice": [...]}``, ``{"array": [...]}`` and so on. An
object of a user's own is ``{"object": "its type"}``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_layercount.compare.form import Form
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from pytest_layercount.model.layers.arguments import in_known_order
from pytest_layercount.model.names import model_name, stable_paths

MOST_NUMBERS = 4096
"""Larger arrays among the arguments of a call are stored by their shape alone."""


@dataclass(frozen=True)
class Opaque:
    """Something that cannot be stored, known by a word."""

    word: str


def canonical(graph: ModelGraph) -> tuple[ModelGraph, list[int]]:
    """``graph`` in canonical order with stable names, and where each layer stood before."""
    ordered, callers = Form(graph).as_graph()
    before = [graph.nodes[numbers[0]].layer for numbers in callers]
    layers = tuple(
        replace(layer, path=graph.layers[number].path)
        for layer, number in zip(ordered.layers, before, strict=True)
    )
    named = stable_paths(replace(ordered, layers=layers))
    layers = tuple(replace(layer, path=named[layer.path]) for layer in layers)
    top = tuple(sorted(graph.top))
    return replace(ordered, layers=layers, name=model_name(graph), top=top), before


def to_data(graph: ModelGraph) -> dict[str, Any]:
    """A canonical graph as what JSON can hold."""
    return {
        "name": graph.name,
        "keras": graph.keras,
        "sequential": graph.sequential,
        "top": dict(sorted(Counter(graph.top).items())),
        "inputs": _written(graph.inputs),
        "outputs": _written(graph.outputs),
        "names": [layer.path for layer in graph.layers],
        "layers": [_layer_data(layer) for layer in graph.layers],
        "nodes": [_node_data(node) for node in graph.nodes],
    }


def from_data(data: Mapping[str, Any]) -> ModelGraph:
    """The graph that :func:`to_data` wrote.

    Raises:
        KeyError, TypeError, ValueError, IndexError: it did not write this.
    """
    names = data["names"]
    layers = [_layer(one, name) for one, name in zip(data["layers"], names, strict=True)]
    if not all(0 <= one["layer"] < len(layers) for one in data["nodes"]):
        raise ValueError("a node calls a layer that is not there")
    nodes = tuple(_node(one, layers[one["layer"]]) for one in data["nodes"])
    if any(value.node >= len(nodes) for node in nodes for value in node.inputs):
        raise ValueError("a node reads a node that is not there")
    return ModelGraph(
        name=data["name"],
        keras=data["keras"],
        layers=tuple(layers),
        nodes=nodes,
        inputs=_read(data["inputs"]),
        outputs=_read(data["outputs"]),
        top=tuple(Counter(data["top"]).elements()),
        sequential=data["sequential"],
    )


def _layer_data(layer: Layer) -> dict[str, Any]:
    found = {
        "type": layer.type,
        "kind": layer.kind,
        "builtin": layer.builtin,
        "config": {name: _written(value) for name, value in sorted(layer.config.items())},
        "operation": layer.operation,
        "sealed": layer.sealed,
        "parameters": layer.parameters,
        "trainable": layer.trainable_parameters,
        "settings": _settings_data(layer.settings),
    }
    return {name: value for name, value in found.items() if value != _USUAL.get(name)}


def _settings_data(settings: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The settings, None where they are not known: not the same as none."""
    if settings is None:
        return None
    return {name: _written(value) for name, value in sorted(settings.items())}


_USUAL: Mapping[str, Any] = {"kind": "layer", "builtin": True, "config": {}, "parameters": 0}
_USUAL = {**_USUAL, "trainable": 0}


def _layer(data: Mapping[str, Any], name: str) -> Layer:
    config = {key: _frozen(_read(value)) for key, value in data.get("config", {}).items()}
    return Layer(
        path=name,
        type=data["type"],
        kind=data.get("kind", "layer"),
        builtin=data.get("builtin", True),
        config=config,
        operation=data.get("operation"),
        sealed=data.get("sealed"),
        parameters=data.get("parameters", 0),
        trainable_parameters=data.get("trainable", 0),
        settings=_settings(data.get("settings")),
    )


def _settings(data: Any) -> dict[str, Any] | None:
    if data is None:
        return None  # a record of before they were written
    return {key: _frozen(_read(value)) for key, value in data.items()}


def _node_data(node: Node) -> dict[str, Any]:
    found = {
        "layer": node.layer,
        "args": [_written(value) for value in node.args],
        "kwargs": {name: _written(value) for name, value in node.kwargs.items()},
        "shapes": [None if shape is None else list(shape) for shape in node.shapes],
        "dtypes": list(node.dtypes),
        "training": node.training,
        "masked": list(node.masked) if any(node.masked) else None,
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _node(data: Mapping[str, Any], layer: Layer) -> Node:
    shapes = data.get("shapes", ())
    kwargs = {name: _read(value) for name, value in data.get("kwargs", {}).items()}
    return Node(
        layer=data["layer"],
        args=tuple(_read(value) for value in data.get("args", ())),
        # Older records hold them by name.
        kwargs=in_known_order(layer.type, kwargs) if layer.builtin else kwargs,
        shapes=tuple(None if shape is None else tuple(shape) for shape in shapes),
        dtypes=tuple(data.get("dtypes", ())),
        training=data.get("training"),
        masked=tuple(data.get("masked", ())),
    )


def _written(value: Any) -> Any:
    """``value`` as JSON, tuples as lists."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, Value):
        return {"value": [value.node, value.index]}
    if isinstance(value, Layer):
        return {"layer": [value.name, _layer_data(value)]}
    if isinstance(value, slice):
        return {"slice": [_written(part) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, Mapping):
        return {"dict": {str(key): _written(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in value]
    return _written_array(value)


def _written_array(value: Any) -> Any:
    """NumPy's numbers and arrays, TensorFlow's constants and data types; else its type's name."""
    if hasattr(value, "as_numpy_dtype"):
        return str(value.name)
    if type(value).__name__ == "Opaque":
        return {"object": value.word}
    array = value.numpy() if callable(getattr(value, "numpy", None)) else value
    if type(array).__module__ != "numpy" or not hasattr(array, "tolist"):
        return {"object": type(value).__name__}
    if array.dtype.kind not in "biuf" or array.size > MOST_NUMBERS:
        return {"object": f"{array.dtype} {list(array.shape)}"}
    return _written(array.tolist()) if not array.ndim else {"array": _written(array.tolist())}


def _read(data: Any) -> Any:
    if isinstance(data, list):
        return [_read(item) for item in data]
    if not isinstance(data, dict):
        return data
    ((word, inner),) = data.items()
    return _READERS[word](inner)


def _array(inner: Any) -> Any:
    import numpy as np

    return np.asarray(_read(inner))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "array": _array,
    "dict": lambda inner: {key: _read(item) for key, item in inner.items()},
    "float": float,
    "layer": lambda inner: _layer(inner[1], inner[0]),
    "object": Opaque,
    "slice": lambda inner: slice(*inner),
    "value": lambda inner: Value(*inner),
}


def _frozen(value: Any) -> Any:
    """Configurations hold tuples, not lists."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
