"""Copies of a model to measure on: in float64, without its last saturation, perturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_layercount.folding.inputs import InputSpec
from pytest_layercount.folding.rewrite.build import build_model
from pytest_layercount.folding.rewrite.copying import FLOATS
from pytest_layercount.folding.rewrite.layers import Copies
from pytest_layercount.folding.rewrite.tables import derive, learns_table
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.rules.batch_norm import BatchNormalization, untrained
from pytest_layercount.folding.rules.inert import Inert
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, map_tree, values_in
from pytest_layercount.model.readers.dialect import variables_of
from pytest_layercount.model.readers.live import OpenModel
from pytest_layercount.model.readers.weights import read_weights, variable

SATURATING = ("softmax", "sigmoid", "log_softmax", "tanh", "hard_sigmoid")


def copies_of(opened: OpenModel, *, dtype: str | None) -> Copies:
    """Copies of the layers of ``opened`` to measure on, computing in ``dtype``."""
    graph = measurable(opened.graph)
    return Copies(opened, graph, tuple(range(len(graph.layers))), {}, dtype)


def measurable(graph: ModelGraph) -> ModelGraph:
    """``graph`` without what hides differences between two models.

    Last activations that saturate are left out, and layers that draw random
    numbers because they are called with ``training=True`` are switched off.
    """
    layers = list(graph.layers)
    outputs = map_tree(graph.outputs, lambda leaf: _unsaturated(graph, layers, leaf))
    nodes = tuple(_quiet(graph, node) for node in graph.nodes)
    return replace(graph, layers=tuple(layers), nodes=nodes, outputs=outputs, sequential=False)


def _unsaturated(graph: ModelGraph, layers: list[Layer], value: Any) -> Any:
    if not isinstance(value, Value) or not graph.layer_of(value.node).builtin:
        return value
    number = graph.nodes[value.node].layer
    layer = layers[number]
    alone = len(graph.nodes[value.node].inputs) == 1
    if alone and (layer.type == "Softmax" or layer.operation in SATURATING):
        return graph.nodes[value.node].inputs[0]
    if layer.config.get("activation") not in SATURATING:
        return value
    if layer.type == "Activation":
        return graph.nodes[value.node].inputs[0]
    used = [other for node in graph.nodes for other in node.inputs if other == value]
    if layer.type == "Dense" and not used and len(graph.calls[number]) == 1:
        layers[number] = replace(layer, config={**layer.config, "activation": "linear"})
    return value


def _quiet(graph: ModelGraph, node: Node) -> Node:
    random = isinstance(rule_for(graph.layers[node.layer]), Inert)
    return replace(node, training=None) if random and node.training else node


def untrained_layers(opened: OpenModel) -> list[int]:
    """The numbers of the batch normalizations that still have their initial statistics."""
    found = []
    for number, layer in enumerate(opened.graph.layers):
        rule = rule_for(layer)
        if isinstance(rule, BatchNormalization):
            weights = read_weights(opened.layers[number], rule.weights)
            if "moving_mean" in weights and untrained(weights):
                found.append(number)
    return found


def randomised_copy(opened: OpenModel, seed: int) -> Any:
    """A copy whose untrained batch normalizations have random statistics.

    gamma is uniform in 0.5 .. 1.5, a third of it negative; variance uniform in
    0.5 .. 2; beta and mean are normal with deviation 0.3. Zero biases of other
    layers become normal with deviation 0.1: a fold that drops a bias must show.
    """
    numbers = set(untrained_layers(opened))
    random = np.random.default_rng(seed)
    weights: dict[int, dict[str, Any]] = {}
    for number, live in enumerate(opened.layers):
        if number in numbers:
            weights[number] = _random_statistics(live, random)
        elif _zero_bias(live):
            weights[number] = {"bias": random.normal(0, 0.1, tuple(live.bias.shape))}
    return build_model(opened, opened.graph, tuple(range(len(opened.layers))), weights)


def _zero_bias(live: Any) -> bool:
    bias = getattr(live, "bias", None)
    return hasattr(bias, "assign") and not np.any(bias.numpy())  # type: ignore[union-attr]


def _random_statistics(live: Any, random: np.random.Generator) -> dict[str, Any]:
    shape = tuple(variable(live, "moving_mean").shape)  # type: ignore[union-attr]
    sign = np.where(random.random(shape) < 1 / 3, -1, 1)
    drawn = {
        "gamma": random.uniform(0.5, 1.5, shape) * sign,
        "beta": random.normal(0, 0.3, shape),
        "moving_mean": random.normal(0, 0.3, shape),
        "moving_variance": random.uniform(0.5, 2, shape),
    }
    return {name: value for name, value in drawn.items() if variable(live, name) is not None}


class Movable:
    """A layer whose weights can be moved at random, and put back."""

    def __init__(self, layer: Any) -> None:
        import tensorflow as tf

        self.layer = layer
        # These share the memory of the variables until either is changed.
        self.weights = [] if learns_table(layer) else variables_of(layer)
        self.values = [tf.convert_to_tensor(weight) for weight in self.weights]
        rescales = type(layer).__name__ == "Rescaling"
        self.numbers = (layer.scale, layer.offset) if rescales else None

    def move(self, unit: float, seed: tuple[int, ...]) -> None:
        """Move each weight by up to ``unit`` of its size."""
        random = np.random.default_rng(seed)
        numbers = self.numbers and tuple(_moved(each, unit, random) for each in self.numbers)
        self._put((_moved(value, unit, random) for value in self.values), numbers)

    def put_back(self) -> None:
        """Give the layer the weights that it had."""
        self._put(self.values, self.numbers)

    def _put(self, values: Iterable[Any], numbers: tuple[Any, ...] | None) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)
        if numbers:
            self.layer.scale, self.layer.offset = numbers
        derive(self.layer)


@contextmanager
def movable(copies: Copies, unit: float) -> Iterator[Callable[[int], None]]:
    """Gives a function that moves each weight by up to ``unit`` of its size, by a seed.

    Each layer draws for itself. Afterwards all weights are what they were.
    """
    layers = {
        number: Movable(layer)
        for number, layer in enumerate(copies.live)
        if hasattr(layer, "weights")
    }

    def move(seed: int) -> None:
        for number, layer in layers.items():
            layer.move(unit, (seed, number))

    try:
        yield move
    finally:
        for layer in layers.values():
            layer.put_back()


def _moved(value: Any, unit: float, random: np.random.Generator) -> Any:
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return value
    part = np.asarray(random.random(value.shape, np.float32))
    part -= np.float32(0.5)
    part *= np.float32(2 * unit)
    moved = part.astype(np.float64)
    moved *= value
    moved += value
    return moved.astype(value.dtype, copy=False)


def rounding_unit(model: Any) -> float:
    """Half the spacing, relative to 1, of the coarsest type that weights are stored in."""
    units = {"float64": 2.0**-50, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
    stored = {str(getattr(weight.dtype, "name", weight.dtype)) for weight in variables_of(model)}
    return max((units[name] for name in stored if name in units), default=2.0**-24)


def input_specs(opened: OpenModel) -> list[InputSpec]:
    """What the model's inputs take, in the order of ``model.inputs``."""
    return [_spec(opened, value) for value in values_in(opened.graph.inputs)]


def _spec(opened: OpenModel, value: Value) -> InputSpec:
    graph = opened.graph
    readers = [graph.nodes[i].layer for i, node in enumerate(graph.nodes) if value in node.inputs]
    sizes = [getattr(opened.layers[number], "input_dim", None) for number in readers]
    limits = [size for size in sizes if isinstance(size, int)]
    dtype = graph.dtype(value)
    return InputSpec(
        name=graph.layer_of(value.node).name,
        shape=graph.shape(value) or (None,),
        dtype=dtype if dtype not in FLOATS else "float64",
        limit=min(limits, default=2),
        pixels=any(graph.layers[number].type == "Rescaling" for number in readers),
    )
