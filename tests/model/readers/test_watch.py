"""Subclassed models that cannot be followed symbolically: counted from one call, never folded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import ModelError, count_layers, explain, fold, plan_fold, read_graph

    keras = load_keras()
    layers = keras.layers

    class Unit(layers.Layer):  # type: ignore[misc,name-defined]
        """A layer of layers."""

        def __init__(self, filters: int):
            super().__init__()
            self.conv = layers.Conv2D(filters, 3, padding="same", use_bias=False)
            self.norm = layers.BatchNormalization()

        def call(self, inputs: Any) -> Any:
            return self.norm(self.conv(inputs))

    class Branching(keras.Model):  # type: ignore[misc,name-defined]
        """A branch on a value, a layer called twice, a random state."""

        def __init__(self) -> None:
            super().__init__()
            self.units = [Unit(4), Unit(4)]
            self.act = layers.ReLU()
            self.drop = layers.Dropout(0.5)
            self.pool = layers.GlobalAveragePooling2D()
            self.head = layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            x = self.act(self.units[0](inputs))
            x = self.act(self.units[1](x))
            x = self.head(self.drop(self.pool(x)))
            return x if x[0, 0] > 0 else -x


IMAGE = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)


@pytest.fixture(scope="module")
def model() -> Any:
    model = Branching()
    model(IMAGE)
    return model


@pytest.fixture(scope="module")
def graph(model: Any) -> Any:
    return read_graph(model, inputs=IMAGE)


def test_every_layer_is_seen_at_every_depth(model: Any, graph: Any) -> None:
    assert graph.seen == "one call"
    assert graph.keras.endswith(", one call watched")
    counted, called = count_layers(graph), count_layers(graph, count="nodes")
    assert counted.by_type == {
        "BatchNormalization": 2,
        "Conv2D": 2,
        "Dense": 1,
        "Dropout": 1,
        "GlobalAveragePooling2D": 1,
        "InputLayer": 1,
        "ReLU": 1,
    }
    assert called.total == 9
    assert counted.parameters == model.count_params()
    assert any(layer.path.count("/") == 1 for layer in graph.layers)
    assert count_layers(graph, count="top").total == len(model.layers)


def test_it_is_explained_against_the_same_model_in_functional_form(graph: Any) -> None:
    image = keras.Input((8, 8, 3))
    x = image
    act = layers.ReLU()
    for _ in range(2):
        x = act(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(x)))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    assert explain(keras.Model(image, layers.Dense(3)(x)), graph).same


def test_watching_changes_nothing(model: Any) -> None:
    before = [value.copy() for value in model.get_weights()]
    original = keras.layers.Layer.__call__
    assert read_graph(model, inputs=IMAGE) == read_graph(model, inputs=IMAGE)
    assert keras.layers.Layer.__call__ is original
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_it_is_never_folded(model: Any, graph: Any) -> None:
    for refuse in (plan_fold, fold):
        with pytest.raises(ModelError, match=r"Branching .* on symbolic inputs"):
            refuse(model)
    with pytest.raises(ModelError, match="no fold of it can be known to be right"):
        plan_fold(graph)


def test_the_input_it_was_built_with_does(model: Any) -> None:
    if generation(keras) == 2:
        assert count_layers(model).total == 9
    else:  # Keras 3 keeps no shape of a call that it could not follow
        with pytest.raises(ModelError, match=r"read_graph\(model, inputs=\.\.\.\)"):
            count_layers(model)


def test_what_is_computed_between_layers_is_not_seen() -> None:
    import tensorflow as tf

    class Sorting(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = layers.Dense(3), layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.two(tf.constant(np.sort(self.one(inputs).numpy())))

    model = Sorting()
    model(np.ones((2, 4), "float32"))
    graph = read_graph(model, inputs=np.ones((2, 4), "float32"))
    assert count_layers(graph).by_type == {"Dense": 2, "InputLayer": 1}
    assert len(graph.outputs) == 2  # what the second layer reads was not seen


def test_a_call_that_fails_says_so(model: Any) -> None:
    with pytest.raises(ModelError, match=r"watching one call failed too \(.*read_graph\(model"):
        read_graph(model, inputs=np.ones((2, 5), "float32"))


def test_the_flag_of_a_call_is_seen() -> None:
    class Noisy(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.noise, self.drop = layers.GaussianNoise(0.1), layers.Dropout(0.5)

        def call(self, inputs: Any) -> Any:
            x = self.drop(self.noise(inputs, training=True))
            return x if x[0, 0, 0, 0] > 0 else -x

    model = Noisy()
    model(IMAGE)
    graph = read_graph(model, inputs=IMAGE)
    flags = {graph.layers[node.layer].type: node.training for node in graph.nodes}
    assert flags == {"InputLayer": None, "GaussianNoise": True, "Dropout": None}
