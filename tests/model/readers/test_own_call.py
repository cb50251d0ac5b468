"""Models and layers whose ``call`` is not that of the class that Keras gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import count_layers, fold, plan_fold, read_graph

    keras = load_keras()
    layers = keras.layers

    class HandingOn(keras.Model):  # type: ignore[misc,name-defined]
        """Its call is that of the graph, spelled out."""

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return super().call(inputs, training=training, mask=mask)

    class Scaled(keras.Model):  # type: ignore[misc,name-defined]
        """What it computes is more than its graph."""

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return super().call(inputs * 0.5, training=training, mask=mask) * 2.0

    class ScaledChain(keras.Sequential):  # type: ignore[misc,name-defined]
        """The same of a Sequential model."""

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return super().call(inputs * 0.5, training=training, mask=mask) * 2.0


def graph(kind: Any, **kwargs: Any) -> Any:
    entry = keras.Input((6,), name="entry", **kwargs)
    return kind(inputs=entry, outputs=layers.BatchNormalization(name="bn")(dense(entry)))


def dense(tensor: Any) -> Any:
    return layers.Dense(4, name="dense", activation="linear")(tensor)


def two_ended(kind: Any) -> Any:
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    middle = dense(layers.Add(name="sum")([other, one]))
    outputs = [layers.BatchNormalization(name="bn")(middle), middle]
    return kind(inputs={"one": one, "other": other}, outputs=outputs)


def chain() -> Any:
    return ScaledChain([keras.Input((6,)), layers.Dense(4), layers.BatchNormalization()])


def call_replaced() -> Any:
    model = graph(keras.Model)
    own = model.call
    model.call = lambda inputs, training=None, mask=None: own(inputs * 0.5) * 2.0
    return model


def nested() -> Any:
    entry = keras.Input((6,))
    return keras.Model(entry, layers.Dense(2)(graph(Scaled)(entry)))


def trained(model: Any) -> Any:
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("build", [graph, two_ended, lambda kind: graph(kind, batch_size=3)])
def test_a_call_that_hands_on_is_the_graph(build: Any) -> None:
    plain, own = read_graph(build(keras.Model)), read_graph(build(HandingOn))
    assert (own.layers, own.nodes) == (plain.layers, plain.nodes)
    assert (own.inputs, own.outputs) == (plain.inputs, plain.outputs)


@pytest.mark.parametrize(
    "build", [lambda: graph(Scaled), chain, call_replaced, nested], ids=lambda build: build.__name__
)
def test_what_its_call_adds_is_read_and_folded(build: Any) -> None:
    model = trained(build())
    graph_ = read_graph(model)
    scales = [layer for layer in graph_.layers if layer.operation == "multiply"]
    assert len(scales) == 2
    assert count_layers(model, count="nodes").by_type["BatchNormalization"] == 1
    assert {each.layer.rpartition("/")[2] for each in plan_fold(model).folds} >= {"multiply"}
    result = fold(model)
    assert len(result.folds) == 3
    inputs = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    wanted, got = np.asarray(model(inputs)), np.asarray(result.model(inputs))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_a_layer_whose_call_was_replaced_is_the_users_own() -> None:
    model = graph(keras.Model)
    norm = model.get_layer("bn")
    own = norm.call
    norm.call = own
    assert read_graph(model).layers[-1].builtin
    assert plan_fold(model).folds
    norm.call = lambda inputs, *args, **kwargs: own(inputs, *args, **kwargs) ** 2
    assert not read_graph(model).layers[-1].builtin
    assert not plan_fold(model).folds


def test_operations_of_keras_2_are_not_layers_whose_call_was_replaced() -> None:
    entry = keras.Input((6,))
    assert read_graph(keras.Model(entry, entry * 2.0)).layers[-1].builtin
