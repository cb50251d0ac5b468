"""What ``check_equivalence`` sees of two models, and what it does not suspect."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from tests.folding.harness import Kit, randomise

Build = Callable[[Kit], Any]


@pytest.fixture(autouse=True)
def single_precision(kit: Kit) -> None:
    kit.keras.backend.set_floatx("float32")


def compared(model: Any, other: Any, **kwargs: Any) -> Any:
    from pytest_layercount import check_equivalence

    return check_equivalence(model, other, **kwargs)


def twins(kit: Kit, one: Build, two: Build) -> tuple[Any, Any]:
    """Two models with the same weights."""
    model, other = one(kit), two(kit)
    randomise(model, 0, (0.5, 2.0))
    other.set_weights(model.get_weights())
    return model, other


def ending(kit: Kit, *last: Any) -> Any:
    return kit.chain((5, 8), kit.Dense(6, activation="relu"), kit.Dense(4), *last)


LASTS: dict[str, tuple[Build, Build, bool]] = {
    "softmax dropped": (lambda k: ending(k, k.Softmax()), ending, False),
    "softmax added": (ending, lambda k: ending(k, k.Softmax()), False),
    "sigmoid for softmax": (
        lambda k: ending(k, k.Activation("softmax")),
        lambda k: ending(k, k.Activation("sigmoid")),
        False,
    ),
    "softmax along another axis": (
        lambda k: ending(k, k.Softmax()),
        lambda k: ending(k, k.Softmax(axis=1)),
        False,
    ),
    "softmax as an activation": (
        lambda k: ending(k, k.Softmax()),
        lambda k: ending(k, k.Activation("softmax")),
        True,
    ),
}


@pytest.mark.parametrize(("one", "two", "same"), LASTS.values(), ids=LASTS)
def test_the_last_activation_counts(kit: Kit, one: Build, two: Build, same: bool) -> None:
    assert compared(*twins(kit, one, two)).equivalent is same


@pytest.mark.parametrize("last", ["sigmoid", "softmax", "tanh", "relu"])
@pytest.mark.parametrize("used", [False, True])
def test_an_activation_fused_at_the_end_is_right(kit: Kit, last: str, used: bool) -> None:
    from pytest_layercount import fold

    entry = kit.input(8, 8, 3)
    end = kit.Activation(last)(kit.Conv2D(4, 1)(kit.Conv2D(4, 3)(entry)))
    model = kit.model(entry, [end, kit.Conv2D(2, 1)(end)] if used else end)
    result = fold(model, passes=("affine", "identity", "activation"))
    assert result.removed
    for other in (result, result.model):
        found = compared(model, other)
        assert found.equivalent, found
    layer = result.model.layers[-1 - used]
    layer.activation = kit.keras.activations.softplus
    assert not compared(model, result.model).equivalent


def dropping(k: Kit, training: bool | None) -> Any:
    entry = k.input(8)
    flag = {"training": True} if training else {}
    return k.model(entry, k.Dense(3)(k.Dropout(0.5, name="drop")(k.Dense(8)(entry), **flag)))


@pytest.mark.parametrize(("one", "two"), [(True, False), (False, True), (True, True)])
def test_dropout_that_is_on_in_one_model_only(kit: Kit, one: bool, two: bool) -> None:
    found = compared(*twins(kit, lambda k: dropping(k, one), lambda k: dropping(k, two)))
    assert found.equivalent is (one == two)
    assert found.first == ("" if one == two else "drop")


def test_a_small_channel_beside_a_large_one(kit: Kit) -> None:
    build: Build = lambda k: k.chain((8,), k.Dense(3, name="f"))  # noqa: E731
    model, other = twins(kit, build, build)
    kernel, bias = (weight.copy() for weight in model.get_weights())
    kernel *= np.array([1e6, 1e-3, 1.0])
    bias *= np.array([1e6, 1e-3, 1.0])
    model.set_weights([kernel, bias])
    other.set_weights([kernel, bias])
    assert compared(model, other).equivalent
    kernel[0, 1] *= 1.01
    other.set_weights([kernel, bias])
    found = compared(model, other)
    assert not found.equivalent
    assert found.first == "f"
    assert found.worst.magnitude < 1


TABLES: dict[str, Build] = {
    "directly": lambda k: k.chain((7,), k.Embedding(5000, 4, name="e"), dtype="int32"),
    "behind a reshape": lambda k: k.chain(
        (2, 3), k.Reshape((6,)), k.Embedding(5000, 4, name="e"), dtype="int32"
    ),
    "one for each sample": lambda k: k.chain((1,), k.Embedding(50000, 4, name="e"), dtype="int32"),
    "out of real numbers": lambda k: k.chain((7,), k.Embedding(500, 4, name="e")),
}


@pytest.mark.parametrize("build", TABLES.values(), ids=TABLES)
def test_one_row_of_an_embedding(kit: Kit, build: Build) -> None:
    model, other = twins(kit, build, build)
    assert compared(model, other).equivalent
    [table] = (weight.copy() for weight in model.get_weights())
    table[-3, 2] += 0.5
    other.set_weights([table])
    found = compared(model, other)
    assert not found.equivalent
    assert found.first == "e"


def masked(k: Kit, *first: Any) -> Any:
    return k.chain((10, 4), *first, k.LSTM(3))


def test_masked_steps_are_among_the_inputs(kit: Kit) -> None:
    def masking(value: float) -> Build:
        return lambda k: masked(k, k.Masking(value))

    assert compared(*twins(kit, masking(0.0), masking(0.0))).equivalent
    assert not compared(*twins(kit, masking(0.0), masking(1.0))).equivalent
    assert not compared(*twins(kit, masking(0.0), masked)).equivalent


def test_one_output_returned_in_place_of_another(kit: Kit) -> None:
    entry, other_entry = kit.input(4), kit.input(4)
    one, two, only = (kit.Dense(3) for _ in range(3))
    model = kit.model(entry, [one(entry), two(entry)])
    tensor = only(other_entry)
    other = kit.model(other_entry, [tensor, tensor])
    only.set_weights(two.get_weights())
    assert [output.equivalent for output in compared(model, other).outputs] == [False, True]


class _Own:
    """A layer of a user's own whose copy is not what it is."""

    @staticmethod
    def forgetful(kit: Kit) -> Any:
        class Forgetful(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
            def __init__(self, factor: float = 1.0, **kwargs: Any) -> None:
                super().__init__(**kwargs)
                self.factor = factor

            def call(self, inputs: Any) -> Any:
                return inputs * inputs * self.factor + inputs

            def get_config(self) -> Any:
                return {"name": self.name}

            def compute_output_shape(self, shape: Any) -> Any:
                return shape

        return Forgetful


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("later", [False, True])
def test_a_constant_that_the_configuration_forgets(kit: Kit, trained: bool, later: bool) -> None:
    from pytest_layercount import ModelError
    from pytest_layercount.folding.equivalence import check_fold

    layer = _Own.forgetful(kit)(**({} if later else {"factor": 3.0}), name="own")
    model = kit.chain((6,), kit.Dense(4), kit.bn(), layer, kit.Dense(2))
    layer.factor = 3.0
    if trained:
        randomise(model, 0, (0.5, 2.0))
    with suppress(ModelError):  # if the fold itself finds out
        found = check_fold(model).equivalence
        assert not found.equivalent
        assert found.first == "own"
        assert "get_config() leaves something out" in found.cause


def test_right_models_of_own_layers_are_not_suspected(kit: Kit) -> None:
    from pytest_layercount.folding.equivalence import check_fold

    layer = _Own.forgetful(kit)(name="own")
    model = kit.chain((6,), kit.Dense(4), kit.bn(), layer, kit.Dense(2))
    assert check_fold(model).equivalence.equivalent


def test_inputs_that_do_not_fit_the_model(kit: Kit) -> None:
    from pytest_layercount import ModelError, fold

    entry = kit.input(5, 8, name="x")
    model = kit.model(entry, kit.bn()(kit.Dense(3)(entry)))
    randomise(model, 0, (0.5, 2.0))
    result = fold(model)
    right = np.random.default_rng(0).normal(size=(3, 5, 8))
    for inputs in (right, right.astype("float32"), {"x": right}, [right], right.tolist()):
        assert compared(model, result, inputs=inputs).equivalent
    for inputs, why in (
        (right[:, :4], r"'x' takes numbers of the shape \(None, 5, 8\), not float64 of the"),
        (right[:0], "have 0 samples"),
        (right.astype(str), "'x' takes numbers"),
        ({"y": right}, "has 'y'; the inputs of the model are 'x'"),
    ):
        with pytest.raises(ModelError, match=why):
            compared(model, result, inputs=inputs)


def test_integers_are_given_as_integers(kit: Kit) -> None:
    from pytest_layercount import ModelError, fold

    model = kit.chain((5,), kit.Embedding(9, 3), kit.bn(), dtype="int32")
    randomise(model, 0, (0.5, 2.0))
    result = fold(model)
    assert compared(model, result, inputs=np.full((2, 5), 3.0)).equivalent
    with pytest.raises(ModelError, match="takes int32 of the shape"):
        compared(model, result, inputs=np.full((2, 5), 0.5))


def test_running_a_model_leaves_it_as_it_was(kit: Kit) -> None:
    entry = kit.input(6, 5)
    model = kit.model(entry, kit.Dense(3)(kit.bn()(entry, training=True)))
    randomise(model, 0, (0.5, 2.0))
    before = [weight.copy() for weight in model.get_weights()]
    assert compared(model, model).equivalent
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_recurrent_layer_that_is_called_by_keyword(kit: Kit, wrapped: bool) -> None:
    from pytest_layercount.folding.equivalence import check_fold

    entry, state = kit.input(5, 6), kit.input(4)
    layer = kit.Bidirectional(kit.GRU(4)) if wrapped else kit.GRU(4)
    states = {} if wrapped else {"initial_state": [kit.bn("state")(state)]}
    data = next(iter(inspect.signature(layer.call).parameters))
    outputs = layer(**{data: kit.bn()(entry)}, **states)
    model = kit.model([entry] if wrapped else [entry, state], outputs)
    randomise(model, 0, (0.5, 2.0))
    found = check_fold(model)
    assert found.result.folds
    assert found.equivalence.equivalent


def test_a_value_that_is_cast_keeps_its_mask() -> None:
    import tensorflow as tf

    from pytest_layercount.folding.equivalence.original import _cast
    from pytest_layercount.model.keras.common import mask_of, with_mask

    mask, ids = tf.constant([[True, False]]), tf.constant([1])
    cast = _cast(with_mask(tf.constant([[1.0, 1 / 3]]), mask), "float16")
    assert cast.dtype == tf.float16
    assert mask_of(cast) is mask
    assert _cast(ids, "float16") is ids
    assert _cast(1.0, "float16") == 1.0


def test_one_row_of_an_embedding_beside_another_input(kit: Kit) -> None:
    """The table is asked for more samples than the other input has."""
    from pytest_layercount import fold

    ids, other = kit.input(3, dtype="int32"), kit.input(3, 5)
    tokens = kit.Embedding(900, 4, name="e")(ids)
    model = kit.model([ids, other], kit.bn()(kit.Add()([tokens, kit.Dense(4)(other)])))
    randomise(model, 0, (0.5, 2.0))
    result = fold(model)
    assert [done.layer for done in result.folds] == ["bn"]
    given = [np.arange(6).reshape(2, 3), np.ones((2, 3, 5))]
    assert compared(model, result, inputs=given).equivalent
    embedding = result.model.get_layer("e")
    [table] = (weight.copy() for weight in embedding.get_weights())
    table[-3, 2] += 0.5
    embedding.set_weights([table])
    assert not compared(model, result.model, inputs=given).equivalent


SOFTMAXES: dict[str, Build] = {
    "of a layer": lambda k: k.chain((4,), k.Dense(3, activation="softmax")),
    "of an Activation": lambda k: k.chain((4,), k.Dense(3), k.Activation("softmax")),
    "a Softmax": lambda k: k.chain((4,), k.Dense(3), k.Softmax()),
}


@pytest.mark.parametrize("one", SOFTMAXES)
@pytest.mark.parametrize("two", SOFTMAXES)
def test_what_a_saturated_softmax_hides(kit: Kit, one: str, two: str) -> None:
    model, other = twins(kit, SOFTMAXES[one], SOFTMAXES[two])
    kernel, _ = model.get_weights()
    model.set_weights([kernel, np.array([0.0, 1000.0, 0.0])])
    other.set_weights([kernel, np.array([0.0, 1000.0, 0.0])])
    assert compared(model, other).equivalent
    other.set_weights([kernel, np.array([0.0, 1000.0, 1.0])])
    assert not compared(model, other).equivalent


def test_rounding_of_the_inputs_is_no_fault_of_a_copy(kit: Kit) -> None:
    """Behind a function this steep, no move of a weight shows how far two runs are apart."""
    from pytest_layercount import check_fold

    def steep(x: Any) -> Any:
        import tensorflow as tf

        return tf.sin(1e5 * x)

    model = kit.chain((4,), kit.Lambda(steep), kit.Dense(3), kit.bn())
    assert check_fold(model).equivalence.equivalent


@pytest.mark.parametrize("seed", range(6))
def test_rounding_where_a_call_asks_to_train_and_the_model_is_not_to(kit, seed):
    """Keras 3 hands the model's flag to all its layers, so copies would compute something else.

    Tokens cannot be moved by as much as rounding does either: weights are, in a copy that is run
    as the model is.
    """
    from pytest_layercount import fold

    keras, layers, random = kit.keras, kit.keras.layers, np.random.default_rng(seed)
    tokens = keras.Input((5,), dtype="int32")
    x = layers.Embedding(5, 4)(tokens)
    for _ in range(6):
        x = layers.BatchNormalization()(x)
    x = layers.BatchNormalization()(layers.Conv1D(4, 1)(x), training=True)
    model = keras.Model(tokens, x)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma = random.uniform(0.5, 1.5, 4) * random.choice([-1, 1], 4)
            statistics = random.normal(size=4), random.uniform(0.05, 0.2, 4)
            layer.set_weights([gamma, random.normal(size=4), *statistics])
    folded = fold(model).model
    equivalence = compared(model, folded)
    assert equivalence.equivalent, equivalence
    convolution = next(layer for layer in folded.layers if isinstance(layer, layers.Conv1D))
    kernel, bias = convolution.get_weights()
    convolution.set_weights([kernel * (1 + 1e-4), bias])
    assert not compared(model, folded).equivalent
