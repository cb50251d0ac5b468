"""Baselines of live models: whatever is built before, and whatever a model is made of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import explain, read_graph
    from pytest_layercount.kept.baseline import baseline, read, written


def branches() -> Any:
    """Two inputs and outputs, a nested model, a shared layer, arithmetic and a mask."""
    keras = load_keras()
    layers = keras.layers
    image, words = keras.Input((8, 8, 3), name="image"), keras.Input((5,), dtype="int32")
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.ReLU()])
    shared = layers.Dense(6)
    x = layers.GlobalAveragePooling2D()(inner(image * 0.5 + 1.0))
    y = layers.LSTM(4)(layers.Embedding(9, 4, mask_zero=True)(words))
    joined = layers.Concatenate()([shared(x), shared(y)])
    out = layers.TimeDistributed(layers.Dense(2))(layers.Reshape((3, 4))(joined))
    return keras.Model([image, words], [out, layers.Dense(1, name="score")(joined)])


def application() -> Any:
    return load_keras().applications.MobileNetV2(weights=None, input_shape=(32, 32, 3))


@pytest.mark.parametrize("build", [branches, application])
def test_nothing_is_lost_and_nothing_depends_on_what_was_built_before(build):
    graphs = [read_graph(build()) for _ in range(2)]
    one, two = (written(baseline("t.py::t", "t", "layers", graph)) for graph in graphs)
    assert one == two
    again = read(one)
    assert written(again) == one
    assert explain(graphs[0], again.graph).same
    assert "other" not in one.split("\n\n", 2)[2]
