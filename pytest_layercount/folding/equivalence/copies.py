"""Copies of a model to measure on: in float64, without its last saturation, perturbed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from pytest_layercount.folding.build import Copies
from pytest_layercount.folding.opened import book_of
from pytest_layercount.folding.rules import OURS, RuleBook
from pytest_layercount.folding.rules.einsum_dense import EinsumDense
from pytest_layercount.folding.rules.inert import Inert
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, map_tree, values_in
from pytest_layercount.model.readers.live import OpenModel

# Where these saturate, values that are far apart become the same.
SATURATING = ("softmax", "sigmoid", "log_softmax", "tanh", "hard_sigmoid")


class End(NamedTuple):
    """One output: the ``value``, and the one ``before`` a last activation that saturates.

    ``activation`` says which that is, so that two models can be compared before it if it
    is the same in both.
    """

    value: Value
    before: Value | None = None
    activation: tuple[Any, ...] = ()


class Measured(Copies):
    """Copies to measure on: values are known before last activations and after them.

    ``finishes`` are activations inside of layers that were taken out of the copies: a
    layer with one has a second output, which is what it computes without.
    """

    # What Keras derives from a type or from the shape of what a layer was called on is another.
    compared = False

    def __init__(self, opened: OpenModel, dtype: str | None) -> None:
        graph, self.ends = measurable(opened)
        super().__init__(opened, graph, tuple(range(len(graph.layers))), {}, dtype)
        self.finishes: dict[int, Callable[[Any], Any]] = {
            number: opened.layers[number].activation
            for number, (old, new) in enumerate(zip(opened.graph.layers, graph.layers, strict=True))
            if old is not new
        }


def copies_of(opened: OpenModel, *, dtype: str | None) -> Measured:
    """Copies of the layers of ``opened`` to measure on, computing in ``dtype``."""
    return Measured(opened, dtype)


def measurable(opened: OpenModel) -> tuple[ModelGraph, list[End]]:
    """The graph of a model without what would hide differences, and its ends.

    Its outputs are what last activations that saturate are applied to, and layers that draw
    random numbers because they are called with ``training=True`` are switched off.
    """
    graph = opened.graph
    layers = list(graph.layers)
    ends = [_end(graph, layers, value) for value in values_in(graph.outputs)]
    before = {end.value: end.before for end in ends if end.before is not None}
    outputs = map_tree(graph.outputs, lambda leaf: before.get(leaf, leaf))
    nodes = [_quiet(graph, book_of(opened), node) for node in graph.nodes]
    for value in values_in(outputs):
        if value.index == len(nodes[value.node].shapes):  # before the activation of its own
            nodes[value.node] = _twice(nodes[value.node])
    changed = replace(
        graph, layers=tuple(layers), nodes=tuple(nodes), outputs=outputs, sequential=False
    )
    return changed, ends


def _end(graph: ModelGraph, layers: list[Layer], value: Value) -> End:
    node = graph.nodes[value.node]
    layer = graph.layers[node.layer]
    function = layer.config.get("activation")
    if not layer.builtin or layer.kind == "input":
        return End(value)
    if layer.type == "Softmax" or layer.operation in SATURATING:
        function = layer.operation or "softmax"
    elif function not in SATURATING:
        return End(value)
    # Dense(softmax)  becomes  Dense(linear), whose outputs are two:
    #
    #     Value(n, 1)   K x + b                     compared before the activation
    #     Value(n, 0)   softmax(K x + b)            made of it by ``finishes``
    elif isinstance(OURS.rule_for(layer), (Weighted, EinsumDense)):
        layers[node.layer] = replace(layer, config={**layer.config, "activation": "linear"})
        return End(value, Value(value.node, 1), (function, -1))
    elif layer.type != "Activation":
        return End(value)
    # A softmax may be given a mask beside its input; what stands before it is not one value then.
    if len(node.inputs) != 1:
        return End(value)
    # Softmaxes along different axes are different activations.
    axis = node.kwargs.get("axis", layer.config.get("axis", -1))
    return End(value, node.inputs[0], (function, axis))


def _twice(node: Node) -> Node:
    """A call with a second output like its only one."""
    return replace(node, shapes=node.shapes * 2, dtypes=node.dtypes * 2, masked=node.masked * 2)


def _quiet(graph: ModelGraph, book: RuleBook, node: Node) -> Node:
    return replace(node, training=None) if _is_random(graph, book, node) else node


def _is_random(graph: ModelGraph, book: RuleBook, node: Node) -> bool:
    layer = graph.layers[node.layer]
    return bool(node.training) and isinstance(book.rule_for(layer, node.layer), Inert)


def random_calls(opened: OpenModel) -> list[tuple[tuple[str, str], str]]:
    """The calls that draw random numbers at inference: what the layer does, and its path."""
    graph, book = opened.graph, book_of(opened)
    random = [graph.layers[node.layer] for node in graph.nodes if _is_random(graph, book, node)]
    return [((layer.type, repr(sorted(layer.config.items()))), layer.path) for layer in random]
