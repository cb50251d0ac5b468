"""Layers that hold a whole SavedModel: read as what its operations amount to.

Keras counts a ``TFSMLayer`` or a ``KerasLayer`` of TensorFlow Hub as one layer. What is
inside is shown in its place: to be counted and explained, for only TensorFlow can run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, map_tree, values_in
from pytest_layercount.model.keras.common import holds_saved_model, saved_function
from pytest_layercount.model.readers.live import OpenModel
from pytest_layercount.model.readers.tensorflow import is_function, read_function


def with_reloaded_opened(opened: OpenModel) -> ModelGraph:
    """The graph of a model, the SavedModels in it opened where they can be."""
    found = {}
    classes = set(filter(holds_saved_model, set(map(type, opened.layers))))
    for number, layer in enumerate(opened.layers):
        if type(layer) in classes:
            inner = _inside(opened.graph, number, layer)
            if inner is not None:
                found[number] = inner
    return _Splice(opened.graph, found).graph() if found else opened.graph


def _inside(graph: ModelGraph, number: int, layer: Any) -> ModelGraph | None:
    """What a layer calls; None where that cannot be told, or does not fit its calls."""
    calls = [graph.nodes[node] for node in graph.calls.get(number, ())]
    function = _concrete(saved_function(layer), graph, calls[0]) if calls else None
    if function is None:
        return None
    try:
        inner = read_function(function)
    except ModelError:
        return None
    taken, given = list(values_in(inner.inputs)), list(values_in(inner.outputs))
    fits = all((len(call.inputs), len(call.shapes)) == (len(taken), len(given)) for call in calls)
    return inner if fits else None


def _concrete(function: Any, graph: ModelGraph, call: Node) -> Any | None:
    """The concrete function that is called with arguments like those of ``call``."""
    if is_function(function):
        return function
    if not hasattr(function, "get_concrete_function"):
        return None
    import tensorflow as tf

    specs = [tf.TensorSpec(graph.shape(v), graph.dtype(v) or "float32") for v in call.inputs]
    for flags in ({}, {"training": False}):
        try:
            return function.get_concrete_function(*specs, **flags)
        except (TypeError, ValueError):
            continue  # no such argument, or it must be given
    return None


@dataclass
class _Splice:
    """A graph in which some layers are replaced by graphs."""

    outer: ModelGraph
    inner: Mapping[int, ModelGraph]
    layers: list[Layer] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    known: dict[Value, Value] = field(default_factory=dict)

    def graph(self) -> ModelGraph:
        for number, node in enumerate(self.outer.nodes):
            inner = self.inner.get(node.layer)
            if inner is None:
                layer = self._numbered(-1, node.layer, self.outer.layers[node.layer])
                self._add(node, layer, self.known)
                for index in range(len(node.shapes)):
                    self.known[Value(number, index)] = Value(len(self.nodes) - 1, index)
            else:
                self._open(number, node, inner)
        return replace(
            self.outer,
            layers=tuple(self.layers),
            nodes=tuple(self.nodes),
            inputs=map_tree(self.outer.inputs, self.known.get),
            outputs=map_tree(self.outer.outputs, self.known.get),
        )

    def _open(self, number: int, node: Node, inner: ModelGraph) -> None:
        path = self.outer.layers[node.layer].path
        given = [self.known[value] for value in node.inputs]
        known = dict(zip(values_in(inner.inputs), given, strict=True))
        for place, call in enumerate(inner.nodes):
            if Value(place) in known:
                continue
            own = inner.layers[call.layer]
            layer = self._numbered(node.layer, call.layer, replace(own, path=f"{path}/{own.path}"))
            self._add(call, layer, known)
            for index in range(len(call.shapes)):
                known[Value(place, index)] = Value(len(self.nodes) - 1, index)
        for index, value in enumerate(values_in(inner.outputs)):
            self.known[Value(number, index)] = known[value]

    def _numbered(self, where: int, number: int, layer: Layer) -> int:
        key = (where, number)
        if key not in self.numbers:
            self.numbers[key] = len(self.layers)
            self.layers.append(layer)
        return self.numbers[key]

    def _add(self, node: Node, layer: int, known: Mapping[Value, Value]) -> None:
        def moved(leaf: Any) -> Any:
            return known[leaf] if isinstance(leaf, Value) else leaf

        args, kwargs = map_tree(node.args, moved), map_tree(node.kwargs, moved)
        self.nodes.append(replace(node, layer=layer, args=args, kwargs=kwargs))
