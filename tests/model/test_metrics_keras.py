"""Metrics of live models, against what Keras and TensorFlow's profiler count."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import read_graph
    from pytest_layercount.model.count import measure_graph


def profiled(model: Any, *shape: int) -> int:
    """Half the floating-point operations that the profiler counts for one sample."""
    import tensorflow as tf

    spec = tf.TensorSpec((1, *shape), tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops // 2


def weight_bytes(model: Any) -> int:
    return sum(weight.nbytes for weight in model.get_weights())


@pytest.fixture
def kernels() -> Any:
    """Nothing but products of kernels: no bias, no activation.

    Transposed convolutions are not among them: the profiler only estimates those.
    """
    keras = load_keras()
    layers = keras.layers
    stack = [
        layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
        layers.Conv2D(8, 3, dilation_rate=2, use_bias=False),
        layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
        layers.SeparableConv2D(5, 3, use_bias=False),
        layers.Dense(7, use_bias=False),
        layers.Flatten(),
        layers.Dense(3, use_bias=False),
    ]
    return keras.Sequential([keras.Input((32, 32, 3)), *stack])


def test_kernels_take_exactly_what_the_profiler_counts(kernels):
    found = measure_graph(read_graph(kernels))
    assert found.uncounted == {}
    assert found.macs == profiled(kernels, 32, 32, 3)


def test_an_application_takes_a_little_less_than_the_profiler_counts():
    """It counts biases, normalizations and means as well."""
    model = load_keras().applications.MobileNetV2(weights=None, input_shape=(64, 64, 3))
    found = measure_graph(read_graph(model))
    assert found.uncounted == {}
    assert found.parameters == model.count_params()
    assert found.weight_bytes == weight_bytes(model)
    ratio = profiled(model, 64, 64, 3) / found.macs
    assert 1 < ratio < 1.05, ratio


def test_weights_of_other_types_than_float32():
    keras = load_keras()
    layers = keras.layers
    half = layers.Dense(3, dtype="float16")
    mixed = layers.Dense(5, dtype=_mixed(keras))
    model = keras.Sequential([keras.Input((4,)), half, mixed, layers.Dense(2)])
    found = measure_graph(read_graph(model))
    assert found.weight_bytes == weight_bytes(model) == 2 * 15 + 4 * 20 + 4 * 12


def _mixed(keras: Any) -> Any:
    policy = getattr(keras, "DTypePolicy", None) or keras.mixed_precision.Policy
    return policy("mixed_float16")


def test_recurrent_layers_and_attention():
    keras = load_keras()
    layers = keras.layers
    entry = keras.Input((10, 8))
    x = layers.LSTM(6, return_sequences=True)(entry)
    x = layers.Bidirectional(layers.GRU(5, return_sequences=True))(x)
    x = layers.TimeDistributed(layers.Dense(12))(x)
    x = layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x)
    found = measure_graph(read_graph(keras.Model(entry, x)))
    attention = 10 * 12 * 8 * 3 + 2 * 10 * 10 * 8 + 10 * 8 * 12
    assert found.uncounted == {}
    assert {name: share.macs for name, share in found.by_type.items() if share.macs} == {
        "LSTM": 10 * 4 * 6 * (8 + 6),
        "Bidirectional": 2 * 10 * 3 * 5 * (6 + 5),
        "TimeDistributed": 10 * 10 * 12,
        "MultiHeadAttention": attention,
    }
