"""Users' own models beside their copies: which layer is unlike its copy, and what cannot be run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import ModelError, check_equivalence, fold
    from pytest_layercount.folding.equivalence.beside import chosen_inputs, held_to_copy
    from pytest_layercount.folding.equivalence.original import Original, first_unlike, shaken
    from pytest_layercount.model.graph import values_in
    from pytest_layercount.model.readers.live import OpenModel, open_model

    keras = load_keras()
    layers = keras.layers

    class Forgetful(layers.Layer):  # type: ignore[misc,name-defined]
        """Its configuration leaves out what it computes with."""

        def __init__(self, factor: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    class Refusing(Forgetful):
        """Takes no large numbers."""

        def call(self, inputs: Any) -> Any:
            if not hasattr(inputs, "numpy"):
                return inputs
            if float(abs(inputs.numpy()).max()) > self.factor:
                raise ValueError("numbers are too large")
            return inputs

    class Counting(layers.Layer):  # type: ignore[misc,name-defined]
        """Counts its calls in a variable."""

        def build(self, shape: Any) -> None:
            self.calls = self.add_weight(
                name="calls", shape=(), initializer="zeros", trainable=False
            )

        def call(self, inputs: Any) -> Any:
            self.calls.assign(self.calls + 1.0)
            return inputs

        def compute_output_shape(self, shape: Any) -> Any:
            return shape


RANDOM = np.random.default_rng(0)
LINE = RANDOM.normal(size=(3, 6))


def chain(*given: Any, shape: tuple[int, ...] = (6,), dtype: str = "float32") -> OpenModel:
    entry = tensor = keras.Input(shape, dtype=dtype)
    for layer in given:
        tensor = layer(tensor)
    return open_model(keras.Model(entry, tensor))


def unlike(opened: OpenModel, *inputs: Any) -> Any:
    return first_unlike(opened, list(inputs))


def later(factor: float, name: str, **settings: Any) -> Any:
    """A layer with a constant that was set after it was made, so that a copy lacks it."""
    layer = Forgetful(name=name, **settings)
    layer.factor = factor
    return layer


def test_the_first_layer_that_is_not_what_its_copy_is() -> None:
    found = unlike(chain(layers.Dense(4), later(3.0, "a"), layers.Dense(2), later(2.0, "b")), LINE)
    path, gap = found
    assert path == "a"
    assert not gap.explained
    # The copy multiplies by 1: of each channel it is off by two thirds of what the layer returns.
    np.testing.assert_allclose(gap.difference / gap.magnitude, 2.0, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float16", "mixed_float16"])
def test_rounding_is_no_difference(dtype: str) -> None:
    many = [layers.Dense(32, activation="relu", dtype=dtype) for _ in range(3)]
    assert unlike(chain(*many, layers.Softmax(dtype=dtype)), LINE) is None


def test_a_small_difference_is_one() -> None:
    assert unlike(chain(later(1.0001, "a"), layers.Dense(3)), LINE)[0] == "a"
    half = chain(later(1.0001, "a", dtype="float16"), layers.Dense(3))
    assert unlike(half, LINE) is None  # which is none in half precision
    assert unlike(chain(later(1.1, "a", dtype="float16"), layers.Dense(3)), LINE)[0] == "a"


def test_masks_and_integers_reach_each_layer() -> None:
    words = np.array([[1, 2, 0, 0, 0], [3, 4, 1, 2, 0]])
    lookup = layers.Embedding(5, 4, mask_zero=True)
    opened = chain(lookup, layers.LSTM(3), later(2.0, "a"), shape=(5,), dtype="int32")
    assert unlike(opened, words)[0] == "a"
    lookup = layers.Embedding(5, 4, mask_zero=True)
    assert unlike(chain(lookup, layers.LSTM(3), shape=(5,), dtype="int32"), words) is None


def test_nothing_is_left_changed_by_a_comparison() -> None:
    counting = Counting()
    opened = chain(counting, layers.Dense(2))
    counting.calls.assign(5.0)
    assert unlike(opened, LINE) is None
    assert float(counting.calls.numpy()) == 5.0
    assert len(Original(opened)([LINE])) == 1
    assert float(counting.calls.numpy()) == 5.0


def test_an_activation_of_the_models_own_end_is_compared() -> None:
    opened = chain(layers.Dense(4), layers.Dense(3, activation="softmax"))
    assert unlike(opened, LINE) is None


def test_weights_are_moved_and_put_back() -> None:
    opened = chain(layers.Dense(4), layers.Dense(3))
    weights = [weight.copy() for weight in opened.model.get_weights()]
    runs = list(shaken(opened, [LINE], 2.0**-12))
    assert len(runs) == 3
    for run in runs:
        ((before, after),) = run
        moved = np.abs(np.asarray(after) - np.asarray(before))
        assert 0 < moved.max() < 1e-2 * np.abs(np.asarray(before)).max()
    assert not np.array_equal(np.asarray(runs[0][0][1]), np.asarray(runs[1][0][1]))
    assert all(map(np.array_equal, weights, opened.model.get_weights()))


def test_inputs_that_a_model_cannot_be_run_on() -> None:
    model = keras.Sequential([keras.Input((4,)), Refusing(100.0)])
    original = Original(open_model(model))
    assert chosen_inputs(original, None, 0).outputs
    assert chosen_inputs(original, np.ones((2, 4)), 0).outputs[0].shape == (2, 4)
    with pytest.raises(ModelError) as refused:
        chosen_inputs(original, np.full((2, 4), 200.0), 0)
    assert "cannot be run on these inputs= (" in str(refused.value)
    assert "numbers are too large" in str(refused.value)
    assert "give some" not in str(refused.value)
    never = Original(open_model(keras.Sequential([keras.Input((4,)), Refusing(0.0)])))
    with pytest.raises(ModelError) as refused:
        chosen_inputs(never, None, 0)
    assert "cannot be run on inputs made from its specification (" in str(refused.value)
    assert str(refused.value).endswith("; give some with inputs=")


def test_inputs_for_what_is_left_of_a_model() -> None:
    """Where outputs were dropped, the inputs that only these need may be left out."""
    one, two = keras.Input((4,), name="one"), keras.Input((3,), name="two")
    first, second = layers.Dense(2)(one), layers.Dense(5)(two)
    whole = Original(open_model(keras.Model([one, two], [first, second])))
    part = open_model(keras.Model(two, second))
    given = RANDOM.normal(size=(7, 3))
    chosen = chosen_inputs(whole, given, 0, part)
    assert [array.shape for array in chosen.arrays] == [(7, 4), (7, 3)]
    np.testing.assert_allclose(chosen.arrays[1], given, rtol=1e-6)
    assert [output.shape for output in chosen.outputs] == [(7, 2), (7, 5)]
    both = chosen_inputs(whole, [np.ones((2, 4)), np.ones((2, 3))], 0, part)
    assert [array.shape for array in both.arrays] == [(2, 4), (2, 3)]
    with pytest.raises(ModelError, match="takes numbers of the shape"):
        chosen_inputs(whole, np.ones((7, 5)), 0, part)
    with pytest.raises(ModelError, match="takes 2 inputs, 1 were given"):
        chosen_inputs(whole, given, 0)
    with pytest.raises(ModelError, match="takes 2 inputs, 1 were given"):
        chosen_inputs(whole, given, 0, whole.opened)


def test_a_copy_that_is_not_the_model() -> None:
    model, copy = Original(chain(later(3.0, "own"))), Original(chain(later(1.0, "own")))
    chosen = chosen_inputs(model, None, 0)
    found = held_to_copy(model, copy, chosen)
    assert found is not None
    assert list(found.outputs) == [0]
    assert found.layer is not None
    assert found.layer[0] == "own"
    assert "get_config() leaves something out" in found.cause
    assert held_to_copy(model, Original(chain(later(3.0, "own"))), chosen) is None


@pytest.mark.skipif(generation(load_keras()) == 2 if has_keras() else True, reason="as in Keras 3")
def test_a_subclassed_model_is_called_as_it_was_built() -> None:
    class Pair(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = layers.Dense(3), layers.Dense(3)

        def build(self, first_shape: Any, second_shape: Any) -> None:
            self.one.build(first_shape)
            self.two.build(second_shape)

        def call(self, first: Any, second: Any) -> Any:
            return self.one(first) - self.two(second)

    class Listed(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = layers.Dense(3), layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return self.one(inputs[0]) - self.two(inputs[1])

    given = [RANDOM.normal(size=(2, 4)).astype("float32"), np.ones((2, 5), "float32")]
    pair, listed = Pair(), Listed()
    for model, wanted in ((pair, pair(*given)), (listed, listed(given))):
        opened = open_model(model)
        shapes = [opened.graph.shape(value) for value in values_in(opened.graph.inputs)]
        assert shapes == [(None, 4), (None, 5)]
        (found,) = Original(opened)(given)
        np.testing.assert_allclose(found, np.asarray(wanted), rtol=1e-6)


def _of_operations(dtype: str) -> Any:
    entry = keras.Input((4,), dtype=dtype)
    x = entry * 3 + 7
    for _ in range(3):
        x = x + x * x // 5
    return keras.Model(entry, x)


@pytest.mark.parametrize(
    ("dtype", "unit"),
    [("float16", 2.0**-11), ("float32", 2.0**-24), ("float64", 2.0**-50), ("int32", 0.0)],
)
def test_operations_round_to_the_types_of_their_values(dtype: str, unit: float) -> None:
    assert Original(open_model(_of_operations(dtype))).unit == unit


def test_the_coarsest_layer_decides() -> None:
    stack = [layers.Dense(3, dtype="mixed_float16"), layers.Activation("linear", dtype="float32")]
    assert Original(open_model(keras.Sequential([keras.Input((4,)), *stack]))).unit == 2.0**-11


def test_operations_in_half_precision_are_what_their_copies_are() -> None:
    def make() -> Any:
        entry = keras.Input((4,), dtype="float16")
        x = entry * 0.3 + 0.7
        for _ in range(4):
            x = x / 3 + x * x * 0.1
        return keras.Model(entry, x)

    assert check_equivalence(make(), make()).equivalent


@pytest.mark.parametrize("wrong", [0.0, 1e-3])
def test_rounding_that_no_move_of_an_input_shows(wrong: float) -> None:
    """A shift that is added to large numbers and taken from them again comes out rounded alike
    wherever these have moved a little: the average over one step is that step.
    """
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = layers.BatchNormalization(name="norm")(layers.Dense(6)(inputs))
    x = layers.Reshape((1, 6))(x)
    model = keras.Model(inputs, layers.GroupNormalization(groups=-1, scale=False)(x))
    random = np.random.default_rng(0)
    gamma = random.uniform(50, 150, 6) * random.choice([-1, 1], 6)
    model.get_layer("norm").set_weights([gamma, *random.normal(size=(2, 6)), np.ones(6)])
    model.layers[-1].set_weights([random.normal(size=6)])
    folded = fold(model).model
    assert len(folded.layers) < len(model.layers)
    folded.layers[-1].set_weights([folded.layers[-1].get_weights()[0] + wrong])
    assert check_equivalence(model, folded).equivalent == (not wrong)
