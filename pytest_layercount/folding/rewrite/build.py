"""Build the Keras model that a ModelGraph describes, out of copies of live layers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.affine import Array
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, map_tree
from pytest_layercount.model.readers.dialect import generation
from pytest_layercount.model.readers.weights import variable

if TYPE_CHECKING:
    from pytest_layercount.model.readers.live import OpenModel


class Writer(Protocol):
    """How one Keras generation makes things."""

    def input(self, live: Any, name: str, dtype: str | None) -> Any:
        """A new input tensor like that of an InputLayer."""

    def copy(
        self, live: Any, layer: Layer, name: str, changes: Mapping[str, Any], dtype: str | None
    ) -> Any:
        """A new layer with the configuration of ``live`` and ``changes`` applied."""

    def call(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        """The output tensors of calling ``layer``, in order."""

    def copy_state(self, old: Any, new: Any) -> None:
        """Give ``new`` the weights and other learned state of ``old``."""

    def model(self, inputs: Any, outputs: Any, old: Any) -> Any:
        """A functional model between these tensors."""

    def sequential(self, inputs: Any, layers: list[Any], old: Any) -> Any:
        """A Sequential model of these layers."""


@dataclass(frozen=True)
class Built:
    """A new model, and the live layer behind each layer of the graph it was built from."""

    model: Any
    graph: ModelGraph
    layers: tuple[Any, ...]


def build_model(
    opened: OpenModel,
    graph: ModelGraph,
    sources: tuple[int, ...],
    weights: Mapping[int, Mapping[str, Array]],
    *,
    dtype: str | None = None,
) -> Built:
    """A new model of the structure ``graph``.

    ``sources`` gives, for each layer of ``graph``, the number of the live layer
    it is a copy of; ``weights`` the new weights, by that number. With ``dtype``
    every floating-point layer computes in that type instead of its own.

    Raises:
        ModelError: a layer cannot be copied from its configuration.
    """
    builder = _Builder(opened, graph, sources, dtype)
    with _deep_enough_for(len(graph.nodes)):
        model = builder.build()
    for number, new in enumerate(builder.layers):
        if new is not None and graph.layers[number].kind == "layer":
            builder.fill(new, sources[number], weights.get(sources[number], {}))
    return Built(model, graph, tuple(builder.layers))


class _Builder:
    def __init__(
        self, opened: OpenModel, graph: ModelGraph, sources: tuple[int, ...], dtype: str | None
    ) -> None:
        self.opened, self.graph, self.sources, self.dtype = opened, graph, sources, dtype
        self.writer = writer_for(opened.model)
        self.names = unique_names(graph)
        self.layers: list[Any] = [None] * len(graph.layers)

    def build(self) -> Any:
        chain = _chain(self.graph)
        tensors: dict[Value, Any] = {}
        for number, node in enumerate(self.graph.nodes):
            if self.graph.layers[node.layer].kind == "input":
                live = self.opened.layers[self.sources[node.layer]]
                tensors[Value(number)] = self.writer.input(live, self.names[node.layer], self.dtype)
            elif chain:
                self._layer(node.layer)
            else:
                self._call(number, node, tensors)
        if chain:
            layers = [layer for layer in self.layers if layer is not None]
            return self.writer.sequential(tensors[Value(0)], layers, self.opened.model)
        inputs = _filled(self.graph.inputs, tensors)
        return self.writer.model(inputs, _filled(self.graph.outputs, tensors), self.opened.model)

    def _call(self, number: int, node: Node, tensors: dict[Value, Any]) -> None:
        layer = self._layer(node.layer)
        args, kwargs = _filled(node.args, tensors), _filled(node.kwargs, tensors)
        for index, tensor in enumerate(self.writer.call(layer, node, args, kwargs)):
            tensors[Value(number, index)] = tensor

    def _layer(self, number: int) -> Any:
        if self.layers[number] is None:
            live, layer = self.opened.layers[self.sources[number]], self.graph.layers[number]
            before = self.opened.graph.layers[self.sources[number]].config
            changes = _changes(before, layer.config)
            try:
                self.layers[number] = self.writer.copy(
                    live, layer, self.names[number], changes, self.dtype
                )
            except Exception as error:
                raise ModelError(_uncopied(layer, error)) from error
        return self.layers[number]

    def fill(self, new: Any, source: int, weights: Mapping[str, Array]) -> None:
        """Copy the state of the live layer, then put the folded weights in."""
        old = self.opened.layers[source]
        self.writer.copy_state(old, new)
        if not weights and _shapes(old) != _shapes(new):
            raise ModelError(_unlike(self.opened.graph.layers[source]))
        for name, array in weights.items():
            target = variable(new, name)
            if target is None:
                raise AssertionError(f"{new.name} has no {name}")
            target.assign(array)
        if weights and hasattr(new, "finalize_state"):
            new.finalize_state()  # what is derived from the weights


@contextmanager
def _deep_enough_for(nodes: int) -> Iterator[None]:
    """Keras walks a new model recursively, a few frames a layer; we do not."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1000 + 10 * nodes))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def writer_for(model: Any) -> Writer:
    """The writer for the Keras generation of ``model``."""
    if generation(model) == 3:
        from pytest_layercount.folding.rewrite.keras3 import Keras3Writer

        return Keras3Writer()
    from pytest_layercount.folding.rewrite.keras2 import Keras2Writer

    return Keras2Writer(model)


def unique_names(graph: ModelGraph) -> list[str]:
    """A name for each layer: its own where no other has it, else its path."""
    own = [layer.name for layer in graph.layers]
    names: list[str] = []
    taken: set[str] = set()
    for layer in graph.layers:
        name = layer.name if own.count(layer.name) == 1 else layer.path.replace("/", "_")
        base, copies = name, 1
        while name in taken:
            copies += 1
            name = f"{base}_{copies}"
        taken.add(name)
        names.append(name)
    return names


def _chain(graph: ModelGraph) -> bool:
    """Whether the graph is a Sequential model: every call reads the one before it."""
    if not graph.sequential or len(graph.nodes) != len(graph.layers):
        return False
    return all(
        graph.layers[node.layer].kind == "layer"
        and node.args == (Value(number),)
        and not node.kwargs
        and node.training is not True
        for number, node in enumerate(graph.nodes[1:])
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that differ; those of a layer inside another as a mapping of their own."""
    return {
        key: _changes(before[key].config, new.config) if isinstance(new, Layer) else new
        for key, new in after.items()
        if before.get(key) != new
    }


def _filled(tree: Any, tensors: Mapping[Value, Any]) -> Any:
    return map_tree(tree, lambda leaf: tensors[leaf] if isinstance(leaf, Value) else leaf)


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return sorted(tuple(map(int, variable.shape)) for variable in layer.weights)


def _unlike(layer: Layer) -> str:
    return (
        f"layer {layer.path!r} of type {layer.type} has other weights than a layer made from its "
        "configuration: a part of it was quantized or given LoRA weights; fold before that"
    )


def _uncopied(layer: Layer, error: Exception) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return (
        f"layer {layer.path!r} of type {layer.type} cannot be copied from its configuration "
        f"({type(error).__name__}: {first}); give its class a get_config() that returns "
        "every argument of its __init__"
    )
