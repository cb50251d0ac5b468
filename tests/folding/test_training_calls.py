"""A ``call`` of the user's that calls a layer with ``training=True``, whatever it is called with.

A functional model of Keras 3, as a folded one is, hands its own flag to its layers instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.folding.harness import randomise
from tests.kerases import generation, load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import ModelError, check_equivalence, check_fold, fold, plan_fold

    keras = load_keras()
    layers = keras.layers

    class Trains(keras.Model):  # type: ignore[misc,name-defined]
        """A functional model whose own call normalizes by the statistics of the batch."""

        def __init__(self, flag: bool | None = True, **kwargs: Any):
            entry = keras.Input((4,))
            dense, bn = layers.Dense(3, name="dense"), layers.BatchNormalization(name="bn")
            super().__init__(entry, bn(dense(entry)), **kwargs)
            self.dense, self.bn, self.flag = dense, bn, flag

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return self.bn(self.dense(inputs), training=self.flag)

    class Branches(Trains):
        """Another branch in training."""

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            outputs = self.bn(self.dense(inputs), training=False)
            return outputs * 5.0 if training else outputs

    ROWS = np.random.default_rng(0).normal(size=(8, 4))


def inside(model: Any, **flag: Any) -> Any:
    entry = keras.Input((4,))
    return keras.Model(entry, layers.Dense(2, name="last")(model(entry, **flag)), name="outer")


def compare(model: Any, *, folds: int) -> None:
    randomise(model, 3, (1e-2, 10.0))
    result = fold(model)
    assert len(result.folds) == folds
    ours, theirs = model.predict(ROWS, verbose=0), result.model.predict(ROWS, verbose=0)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(ours).max()


@pytest.mark.parametrize(
    "build",
    [
        lambda: Trains(name="trains"),
        lambda: inside(Trains(name="trains")),
        lambda: inside(Trains(name="trains"), training=False),
        lambda: inside(inside(Trains(name="trains")), training=False),
    ],
    ids=["itself", "inside", "inside, called for inference", "two deep"],
)
def test_a_flag_that_would_be_lost_is_refused(build: Any) -> None:
    model = build()
    (refusal,) = plan_fold(model).refusals
    assert refusal.reason == "training-call"
    if generation(keras) == 2:
        compare(model, folds=0)
        return
    with pytest.raises(ModelError, match=r"layer '.*bn' with training=True, which predict"):
        fold(model)


@pytest.mark.parametrize("flag", [None, False])
@pytest.mark.parametrize("given", [{}, {"training": False}], ids=["", "called for inference"])
def test_other_flags_fold(flag: bool | None, given: dict[str, Any]) -> None:
    compare(Trains(flag), folds=1)
    compare(inside(Trains(flag), **given), folds=1)


def test_a_frozen_batch_norm_never_trains() -> None:
    model = Trains()
    model.bn.trainable = False
    compare(model, folds=1)


@pytest.mark.skipif(has_keras() and generation(keras) == 3, reason="Keras 3 hands on its own flag")
def test_the_branch_is_that_of_the_flag_in_force() -> None:
    compare(inside(Branches(name="branches"), training=True), folds=2)


@pytest.mark.skipif(has_keras() and generation(keras) == 3, reason="Keras 3 takes no such flag")
@pytest.mark.parametrize("flag", [True, False])
def test_a_flag_may_be_a_positional_argument(flag: bool) -> None:
    entry = keras.Input((4,))
    bn = layers.BatchNormalization(name="bn")
    compare(keras.Model(entry, bn(layers.Dense(3)(entry), flag)), folds=1 - flag)


if has_keras():

    class Asked(layers.Layer):  # type: ignore[misc,name-defined]
        """A layer to which no flag is another than ``training=False``."""

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            return inputs if training is False else inputs * 5.0

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    class Presuming(Asked):
        """A layer that trains if nobody says otherwise."""

        def call(self, inputs: Any, training: bool | None = True) -> Any:
            return super().call(inputs, training)


@pytest.mark.parametrize("kind", ["Asked", "Presuming"])
def test_a_layer_for_which_no_flag_is_none_of_inference(kind: str) -> None:
    entry = keras.Input((2, 4))
    own = globals()[kind](name="own")
    hidden = layers.BatchNormalization(name="bn")(layers.Dense(3)(entry))
    model = keras.Model(entry, layers.Dense(2)(own(layers.TimeDistributed(own)(hidden))))
    checked = check_fold(model)
    assert checked.equivalence.equivalent, checked.equivalence
    assert len(checked.result.folds) == 1
    result = fold(model)
    assert check_equivalence(model, result).equivalent
    result.model.layers[-1].bias.assign_add([1.0, 0.0])
    assert not check_equivalence(model, result).equivalent
