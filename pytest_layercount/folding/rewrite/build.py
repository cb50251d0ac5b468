"""Build the Keras model that a ModelGraph describes, out of copies of live layers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.rewrite.layers import Copies, uncopied
from pytest_layercount.model.graph import ModelGraph, Value, map_tree

if TYPE_CHECKING:
    from pytest_layercount.model.readers.live import OpenModel


def build_model(
    opened: OpenModel,
    graph: ModelGraph,
    sources: tuple[int, ...],
    weights: dict[int, dict[str, Array]],
) -> Any:
    """A new model of the structure ``graph``; see :class:`Copies` for the rest.

    ``weights`` is emptied on the way: its arrays become the memory of variables.

    Raises:
        ModelError: a layer cannot be copied from its configuration.
    """
    copies = Copies(opened, graph, sources, weights)
    with _deep_enough_for(len(graph.nodes)), _nothing_collected():
        model = _chained(copies) if _is_chain(graph) else _connected(copies)
    for number in range(len(graph.layers)):
        copies.settle(number)
    return model


def _connected(copies: Copies) -> Any:
    graph, adapter = copies.graph, copies.adapter
    tensors: dict[Value, Any] = {}
    for number, node in enumerate(graph.nodes):
        if graph.layers[node.layer].kind == "input":
            tensors[Value(number)] = _input(copies, node.layer)
            continue
        layer = copies[node.layer]
        args, kwargs = _filled(node.args, tensors), _filled(node.kwargs, tensors)
        try:
            made = adapter.connect(layer, node, args, kwargs)
        except Exception as error:
            raise ModelError(uncopied(graph.layers[node.layer], error)) from error
        for index, tensor in enumerate(made):
            tensors[Value(number, index)] = tensor
        copies.settle(node.layer)
    inputs, outputs = _filled(graph.inputs, tensors), _filled(graph.outputs, tensors)
    return adapter.model(inputs, outputs, copies.opened.model)


def _chained(copies: Copies) -> Any:
    first, *others = (node.layer for node in copies.graph.nodes)
    layers = [copies[number] for number in others]
    try:
        return copies.adapter.sequential(_input(copies, first), layers, copies.opened.model)
    except Exception:  # noqa: BLE001  whatever a layer raises
        return _connected(copies)  # one by one, to name that layer


def _input(copies: Copies, number: int) -> Any:
    return copies.adapter.input(copies.original(number), copies.names[number])


@contextmanager
def _deep_enough_for(nodes: int) -> Iterator[None]:
    """Keras walks a new model recursively, a few frames a layer; we do not."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1000 + 10 * nodes))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """While objects are made by the thousand, and all of them stay, there is no garbage."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _is_chain(graph: ModelGraph) -> bool:
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


def _filled(tree: Any, tensors: Mapping[Value, Any]) -> Any:
    return map_tree(tree, lambda leaf: tensors[leaf] if isinstance(leaf, Value) else _own(leaf))


def _own(leaf: Any) -> Any:
    """A variable that an operation reads, as it is now: nothing of the old model is shared."""
    if not hasattr(leaf, "assign"):
        return leaf
    import tensorflow as tf

    return tf.identity(leaf)
