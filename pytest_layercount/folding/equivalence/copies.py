"""Copies of a model to measure on: in float64, without its last saturation, perturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pytest_layercount.folding.build import Copies, build_model
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.rules.batch_norm import untrained
from pytest_layercount.folding.rules.einsum_dense import EinsumDense
from pytest_layercount.folding.rules.inert import Inert
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, map_tree, values_in
from pytest_layercount.model.keras.common import parts, variables_of
from pytest_layercount.model.keras.tables import derive, learns_table
from pytest_layercount.model.keras.variables import read_weights, variable
from pytest_layercount.model.readers.live import OpenModel

UNITS = {"float64": 2.0**-50, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Half the spacing, relative to 1, of the numbers of a type; of float64 eight roundings."""

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
        graph, self.ends = measurable(opened.graph)
        super().__init__(opened, graph, tuple(range(len(graph.layers))), {}, dtype)
        self.finishes: dict[int, Callable[[Any], Any]] = {
            number: opened.layers[number].activation
            for number, (old, new) in enumerate(zip(opened.graph.layers, graph.layers, strict=True))
            if old is not new
        }


def copies_of(opened: OpenModel, *, dtype: str | None) -> Measured:
    """Copies of the layers of ``opened`` to measure on, computing in ``dtype``."""
    return Measured(opened, dtype)


def measurable(graph: ModelGraph) -> tuple[ModelGraph, list[End]]:
    """``graph`` without what hides differences between two models, and its ends.

    Its outputs are what last activations that saturate are applied to, and layers that draw
    random numbers because they are called with ``training=True`` are switched off.
    """
    layers = list(graph.layers)
    ends = [_end(graph, layers, value) for value in values_in(graph.outputs)]
    before = {end.value: end.before for end in ends if end.before is not None}
    outputs = map_tree(graph.outputs, lambda leaf: before.get(leaf, leaf))
    nodes = [_quiet(graph, node) for node in graph.nodes]
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
    elif isinstance(rule_for(layer), (Weighted, EinsumDense)):
        layers[node.layer] = replace(layer, config={**layer.config, "activation": "linear"})
        return End(value, Value(value.node, 1), (function, -1))
    elif layer.type != "Activation":
        return End(value)
    if len(node.inputs) != 1:
        return End(value)
    axis = node.kwargs.get("axis", layer.config.get("axis", -1))
    return End(value, node.inputs[0], (function, axis))


def _twice(node: Node) -> Node:
    """A call with a second output like its only one."""
    return replace(node, shapes=node.shapes * 2, dtypes=node.dtypes * 2, masked=node.masked * 2)


def _quiet(graph: ModelGraph, node: Node) -> Node:
    return replace(node, training=None) if _is_random(graph, node) else node


def _is_random(graph: ModelGraph, node: Node) -> bool:
    return bool(node.training) and isinstance(rule_for(graph.layers[node.layer]), Inert)


def random_calls(graph: ModelGraph) -> list[tuple[tuple[str, str], str]]:
    """The calls that draw random numbers at inference: what the layer does, and its path."""
    random = [graph.layers[node.layer] for node in graph.nodes if _is_random(graph, node)]
    return [((layer.type, repr(sorted(layer.config.items()))), layer.path) for layer in random]


def is_untrained(opened: OpenModel) -> bool:
    """Whether a batch normalization, wherever in the layers, still has its initial statistics."""
    return any(map(_has_initial_statistics, _all_parts(opened)))


def _all_parts(opened: OpenModel) -> Iterator[Any]:
    for live in opened.layers:
        yield from parts(live)


def _has_initial_statistics(part: Any) -> bool:
    """Whether it normalizes by moving statistics that nothing has moved: of any class, in a cell.

    One inside a layer that stays whole is copied, and a copy without its statistics shows as little
    as a fold without them.
    """
    weights = read_weights(part, ("moving_mean", "moving_variance"))
    return len(weights) == 2 and untrained(weights)


def randomised_copy(opened: OpenModel, seed: int) -> Any:
    """A copy whose untrained batch normalizations have random statistics."""
    copy = plain_copy(opened)
    randomise(opened, copy, seed)
    return copy


def plain_copy(opened: OpenModel) -> Any:
    """A copy in the model's own data types, with its weights."""
    return build_model(opened, opened.graph, tuple(range(len(opened.layers))), {})


def randomise(opened: OpenModel, copy: Any, seed: int) -> None:
    """Give the copy of a model random statistics where the model was never trained.

    gamma is uniform in 0.5 .. 1.5, a third of it negative; variance uniform in
    0.5 .. 2; beta and mean are normal with deviation 0.3. Zero biases of other
    layers become normal with deviation 0.1: a fold that drops a bias must show.
    """
    random = np.random.default_rng(seed)
    copied = {layer.name: layer for layer in copy.layers}
    names = Copies(opened, opened.graph, tuple(range(len(opened.layers))), {}).names
    for name, live in zip(names, opened.layers, strict=True):
        if name not in copied:  # Keras does not list the InputLayer of a Sequential model
            continue
        for source, target in zip(parts(live), parts(copied[name]), strict=False):
            if target is not source:
                _randomise_part(source, target, random)


def _randomise_part(source: Any, target: Any, random: np.random.Generator) -> None:
    drawn: dict[str, Any] = {}
    if _has_initial_statistics(source):
        drawn = _random_statistics(source, random)
    elif _has_zero_bias(source):
        drawn = {"bias": random.normal(0, 0.1, tuple(source.bias.shape))}
    for name, value in drawn.items():
        variable(target, name).assign(value)  # type: ignore[union-attr]


def _has_zero_bias(live: Any) -> bool:
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
        if hasattr(layer, "weights") and layer is not copies.original(number)
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
    with np.errstate(invalid="ignore"):  # of what is infinite
        moved *= value
        moved += value
    return moved.astype(value.dtype, copy=False)


def rounding_unit(model: Any) -> float:
    """Half the spacing, relative to 1, of the coarsest type that weights are stored in."""
    stored = {str(getattr(weight.dtype, "name", weight.dtype)) for weight in variables_of(model)}
    return max((UNITS[name] for name in stored if name in UNITS), default=2.0**-24)
