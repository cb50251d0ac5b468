"""Subclassed models: seen by calling them on symbolic inputs, or refused with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import check_fold, count_layers, fold, plan_fold, read_graph
    from pytest_layercount.errors import ModelError

    keras = load_keras()
    layers = keras.layers

    class Unit(layers.Layer):  # type: ignore[misc,name-defined]
        """Convolution, normalization, activation: a layer made of layers."""

        def __init__(self, filters: int, size: int = 3, stride: int = 1, active: bool = True):
            super().__init__()
            self.conv = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)
            self.norm = layers.BatchNormalization()
            self.act = layers.ReLU() if active else None

        def build(self, shape: Any) -> None:
            self.conv.build(shape)
            self.norm.build(self.conv.compute_output_shape(shape))
            super().build(shape)

        def call(self, inputs: Any, training: Any = None) -> Any:
            x = self.norm(self.conv(inputs), training=training)
            return x if self.act is None else self.act(x)

    class Block(keras.Model):  # type: ignore[misc,name-defined]
        """A residual block of two units."""

        def __init__(self, filters: int, stride: int):
            super().__init__()
            self.one = Unit(filters, 3, stride)
            self.two = Unit(filters, 3, 1, active=False)
            self.short = Unit(filters, 1, stride, active=False) if stride > 1 else None
            self.act = layers.ReLU()

        def call(self, inputs: Any, training: Any = None) -> Any:
            short = inputs if self.short is None else self.short(inputs, training=training)
            x = self.two(self.one(inputs, training=training), training=training)
            return self.act(x + short)

    class ResNet18(keras.Model):  # type: ignore[misc,name-defined]
        """He et al. (2015), table 1, for small images."""

        def __init__(self, width: int = 4):
            super().__init__()
            self.stem = Unit(width, 3)
            self.blocks = [
                Block(width * 2**stage, stride=2 if stage and not block else 1)
                for stage in range(4)
                for block in range(2)
            ]
            self.pool = layers.GlobalAveragePooling2D()
            self.head = layers.Dense(3)

        def call(self, inputs: Any, training: Any = None) -> Any:
            x = self.stem(inputs, training=training)
            for block in self.blocks:
                x = block(x, training=training)
            return self.head(self.pool(x))


@pytest.fixture
def resnet() -> Any:
    model = ResNet18()
    model(np.zeros((2, 16, 16, 3), "float32"))
    return model


def test_layers_are_seen_at_every_depth(resnet: Any) -> None:
    counted = count_layers(resnet)
    assert counted.by_type["BatchNormalization"] == 20
    assert counted.by_type["Conv2D"] == 20
    assert any(layer.path.count("/") == 2 for layer in read_graph(resnet).layers)


def test_all_its_normalizations_fold(resnet: Any) -> None:
    check = check_fold(resnet)
    assert check.result.after.by_type.get("BatchNormalization", 0) == 0
    assert check.equivalence.equivalent, check.equivalence.worst


def test_the_folded_model_computes_what_the_subclassed_one_does(resnet: Any) -> None:
    image = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    expected = np.asarray(resnet(image, training=False))
    np.testing.assert_allclose(fold(resnet).model(image), expected, rtol=1e-4, atol=1e-6)


def test_reading_leaves_no_trace(resnet: Any) -> None:
    parts = list(resnet._flatten_layers())
    before = [(len(part._inbound_nodes), len(part._outbound_nodes)) for part in parts]
    assert read_graph(resnet) == read_graph(resnet)
    assert [(len(part._inbound_nodes), len(part._outbound_nodes)) for part in parts] == before


def test_a_subclassed_model_inside_a_functional_one(resnet: Any) -> None:
    entry = keras.Input((16, 16, 3))
    block = Block(4, 2)
    model = keras.Model(entry, block(entry))
    assert len(model.layers) == 2
    counted = count_layers(model)
    # The model is opened; the layers in it that are made of layers stay what they are, and one
    # of them holds a ReLU besides that of the block.
    assert counted.by_type["Unit"] == 3
    assert counted.by_type["ReLU"] == 2


def test_one_that_was_never_called_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"graph cannot be seen: it has not been called yet"):
        read_graph(ResNet18())


def test_a_branch_on_a_value_is_named() -> None:
    class Branching(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            x = self.dense(inputs)
            return x if x[0, 0] > 0 else -x

    model = Branching()
    model(np.ones((2, 4), "float32"))
    with pytest.raises(ModelError, match=r"Branching .* on symbolic inputs"):
        plan_fold(model)


def test_raw_tensorflow_is_followed_or_named() -> None:
    import tensorflow as tf

    class Raw(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return tf.nn.relu(self.dense(inputs))

    model = Raw()
    model(np.ones((2, 4), "float32"))
    if generation(keras) == 2:
        assert [layer.operation for layer in read_graph(model).layers][-1] == "relu"
    else:
        with pytest.raises(ModelError, match=r"call\(\) .* on symbolic inputs"):
            plan_fold(model)


def test_inputs_in_a_dictionary() -> None:
    class Both(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = layers.Dense(3), layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return {"sum": self.one(inputs["a"]) + self.two(inputs["b"])}

    model = Both()
    model({"a": np.ones((2, 4), "float32"), "b": np.ones((2, 5), "float32")})
    graph = read_graph(model)
    assert [graph.shape(graph.inputs[key]) for key in ("a", "b")] == [(None, 4), (None, 5)]
    assert list(graph.outputs) == ["sum"]
