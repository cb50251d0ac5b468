"""Recorded models as plain data, and one mistake at a time planted in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_layercount.kept.record import ModelRecord, Numbers, Record
from pytest_layercount.kept.structure import canonical
from pytest_layercount.model.graph import Layer, ModelGraph
from tests.compare.sketch import POOLED, Sketch


def plain_net(keras: int = 3) -> ModelGraph:
    """A row of layers, with names of a user's own."""
    net = Sketch(keras)
    x = net.input()
    x = net.add("Conv2D", x, name="stem")
    x = net.add("BatchNormalization", x, name="norm")
    x = net.add("Activation", x, name="act", activation="relu")
    x = net.add("MaxPooling2D", x, name="pool", pool_size=(2, 2))
    x = net.add("GlobalAveragePooling2D", x, name="squeeze", shape=POOLED)
    return net.model(net.add("Dense", x, name="head", shape=POOLED), name="plain")


def residual_net(keras: int = 3) -> ModelGraph:
    """Blocks around which the signal also passes, of layers that Keras named."""
    net = Sketch(keras)
    x = net.input()
    for _ in range(2):
        y = net.add("Conv2D", x)
        y = net.add("BatchNormalization", y)
        y = net.add("Activation", y)
        y = net.add("MaxPooling2D", y, pool_size=(2, 2))
        x = net.add("Add", x, y)
    x = net.add("GlobalAveragePooling2D", x, shape=POOLED)
    return net.model(net.add("Dense", x, shape=POOLED), name="model_3")


NETS: dict[str, Callable[[], ModelGraph]] = {"plain": plain_net, "residual": residual_net}
SHAPES = {
    "Conv2D": [(3, 3, 4, 4), (4,)],
    "BatchNormalization": [(4,)] * 4,
    "Dense": [(4, 4), (4,)],
}


def recorded(graph: ModelGraph, values: Any = (0.5, -0.25, 1.5), **facts: Any) -> ModelRecord:
    """``graph`` as if it had been run."""
    made, _ = canonical(graph)
    weights = [
        (number, shape)
        for number, layer in enumerate(made.layers)
        for shape in SHAPES.get(layer.type, [])
    ]
    return replace(
        ModelRecord(
            graph=made,
            weights=tuple(weights),
            numbers=(numbers(values),),
            computed="float64",
            where="test_models.py",
        ),
        **facts,
    )


def numbers(values: Any, noise: float = 1e-8) -> Numbers:
    values = tuple(map(float, values))
    mean = sum(values) / len(values)
    return Numbers((1, len(values)), "float64", values, min(values), max(values), mean, noise)


def record(version: str = "2.21.0", **models: ModelRecord) -> Record:
    return Record(models=models, tensorflow=version)


def edited(graph: ModelGraph, type_: str, **config: Any) -> ModelGraph:
    """``graph`` with the first layer of a type configured otherwise."""
    number = next(n for n, layer in enumerate(graph.layers) if layer.type == type_)
    layers = list(graph.layers)
    layers[number] = replace(layers[number], config={**layers[number].config, **config})
    return replace(graph, layers=tuple(layers))


def reversed_pair(graph: ModelGraph) -> ModelGraph:
    """``graph`` with its first activation after the pooling that followed it."""
    layers: list[Layer] = list(graph.layers)
    one = next(n for n, layer in enumerate(layers) if layer.type == "Activation")
    layers[one], layers[one + 1] = layers[one + 1], layers[one]
    return replace(graph, layers=tuple(layers))


def reordered_weights(made: ModelRecord) -> ModelRecord:
    """The first kernel and bias exchanged."""
    first, second, *rest = made.weights
    return replace(made, weights=(second, first, *rest))
