"""Which models can be compared at all, and in which type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import ModelError, check_equivalence

    keras = load_keras()
    layers = keras.layers

    class Single(layers.Layer):  # type: ignore[misc,name-defined]
        """Takes numbers of single precision only."""

        def call(self, inputs: Any) -> Any:
            if "float64" in str(inputs.dtype):
                raise TypeError("single precision only")
            return inputs * 2.0

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    class Capped(layers.Layer):  # type: ignore[misc,name-defined]
        """No number above a thousand."""

        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            return tf.minimum(inputs, 1000)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape


def chain(shape: tuple[int | None, ...], *given: Any, dtype: str = "float32") -> Any:
    entry = tensor = keras.Input(shape, dtype=dtype)
    for layer in given:
        tensor = layer(tensor)
    return keras.Model(entry, tensor)


def test_ends_of_other_shapes() -> None:
    dense = layers.Dense
    one = chain((4,), dense(3))
    for other, what in (
        (chain((5,), dense(3)), "inputs"),
        (chain((4,), dense(2)), "outputs"),
        (chain((2, 4), dense(3)), "inputs"),
        (chain((4,), dense(3), layers.Reshape((3, 1))), "outputs"),
    ):
        with pytest.raises(ModelError, match=f"cannot be compared: the {what} of"):
            check_equivalence(one, other)
    entry = keras.Input((4,))
    two = keras.Model(entry, [dense(3)(entry), dense(3)(entry)])
    with pytest.raises(ModelError, match="cannot be compared: the outputs of"):
        check_equivalence(one, two)


def test_sizes_that_are_free_are_any_size() -> None:
    layer = layers.Dense(3)
    free, fixed = chain((None, 4), layer), chain((8, 4), layer)
    inputs = np.random.default_rng(0).normal(size=(2, 8, 4))
    assert check_equivalence(free, fixed, inputs=inputs).equivalent
    assert check_equivalence(fixed, free, inputs=inputs).equivalent


def test_outputs_that_are_not_finite() -> None:
    model = chain((4,), layers.Dense(3))
    model.set_weights([np.full((4, 3), np.inf), np.zeros(3)])
    with pytest.raises(ModelError, match="are not finite, so nothing can be compared"):
        check_equivalence(model, model)


def test_a_layer_that_insists_on_its_type() -> None:
    shared = layers.Dense(3)
    model, other = chain((4,), shared, Single()), chain((4,), shared, Single())
    found = check_equivalence(model, other)
    assert found.equivalent
    assert found.dtype == "its own type"
    assert check_equivalence(chain((4,), shared), chain((4,), shared)).dtype == "float64"


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_integers_that_are_computed_with(dtype: str) -> None:
    def computing(*more: Any) -> Any:
        entry = keras.Input((4,), dtype=dtype)
        cast = layers.Rescaling(0.5)(entry)
        for layer in more:
            cast = layer(cast)
        return keras.Model(entry, cast)

    assert check_equivalence(computing(), computing()).equivalent
    unlike = check_equivalence(computing(), computing(layers.ReLU(max_value=60.0)))
    assert not unlike.equivalent  # which small integers do not show


def test_integers_that_are_computed_with_as_integers_are_drawn_from_all_of_their_type() -> None:
    def doubling(*more: Any) -> Any:
        entry = keras.Input((4,), dtype="int32")
        tensor = entry * 2
        for layer in more:
            tensor = layer(tensor)
        return keras.Model(entry, tensor)

    assert check_equivalence(doubling(), doubling()).equivalent
    assert not check_equivalence(doubling(), doubling(Capped(dtype="int32"))).equivalent
