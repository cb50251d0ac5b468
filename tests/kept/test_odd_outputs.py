"""Outputs of models that are no ordinary numbers, and models that cannot be run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_layercount.kept.recording import record_model
from tests.conftest import needs_keras
from tests.graphs import chain
from tests.kerases import load_keras


def test_a_graph_has_no_weights() -> None:
    found = record_model(chain("InputLayer", "Dense"))
    assert found.unrun == "a ModelGraph has no weights"
    assert [layer.type for layer in found.graph.layers] == ["InputLayer", "Dense"]


@needs_keras
def test_words_are_kept_as_words() -> None:
    keras = load_keras()
    entry = keras.Input((3,), dtype="int64")
    lookup = keras.layers.StringLookup(vocabulary=["alpha", "beta"], invert=True)
    found = record_model(keras.Model(entry, lookup(entry)))
    assert found.unrun is None or not found.unrun
    (numbers,) = found.numbers
    assert numbers.dtype == "string"
    assert set(numbers.values) <= {"alpha", "beta", "[UNK]"}
    assert "alpha" in numbers.values


@needs_keras
def test_no_numbers_at_all() -> None:
    keras = load_keras()

    class Nothing(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, inputs: Any) -> Any:
            return inputs[:0]

        def compute_output_shape(self, shape: Any) -> Any:
            return (None, *shape[1:])

    entry = keras.Input((4,))
    found = record_model(keras.Model(entry, Nothing()(keras.layers.Dense(3)(entry))))
    (numbers,) = found.numbers
    assert (numbers.shape[0], numbers.values) == (0, ())


@needs_keras
def test_a_model_that_cannot_be_run() -> None:
    keras = load_keras()

    class Refusing(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, inputs: Any) -> Any:
            if hasattr(inputs, "numpy"):
                raise ValueError("no numbers, please")
            return inputs

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    entry = keras.Input((4,))
    found = record_model(keras.Model(entry, Refusing()(entry)))
    assert "cannot be run on inputs made from its specification (" in str(found.unrun)
    assert "no numbers, please" in str(found.unrun)
    assert not found.numbers


@needs_keras
def test_a_saturating_end_is_kept_before_and_after() -> None:
    keras = load_keras()
    entry = keras.Input((4,))
    model = keras.Model(entry, keras.layers.Dense(3, activation="softmax")(entry))
    before, after = record_model(model).numbers
    assert np.sum(np.reshape(after.values, after.shape), -1) == pytest.approx(1.0, rel=1e-5)
    assert not np.allclose(np.sum(np.reshape(before.values, before.shape), -1), 1.0)
