"""Whether the weights of two models agree with the folds that their structures show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_layercount import explain, fold
from pytest_layercount.checks.structure import difference
from pytest_layercount.compare.confirm import _agree
from tests.conftest import needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras


def build() -> Any:
    """Normalizations after convolutions, before one, through a Concatenate, in a nested model."""
    keras = load_keras()
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(scale=False)(layers.Conv2D(4, 3, use_bias=False)(image))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    z = layers.SeparableConv2D(4, 3, padding="same")(x)
    x = layers.BatchNormalization(center=False)(layers.Concatenate()([y, z]))
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 8)),
            layers.Conv2DTranspose(4, 2, strides=2, activation="relu"),
            layers.BatchNormalization(),
        ]
    )
    x = layers.Dense(3, use_bias=False)(layers.Flatten()(inner(x)))
    model = keras.Model(image, layers.BatchNormalization()(x))
    random = np.random.default_rng(0)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.name else -1.5
        weight.assign(random.uniform(low, 1.5, weight.shape))
    return model


@pytest.fixture(scope="module")
def models() -> tuple[Any, Any]:
    model = build()
    return model, fold(model).model


def found(one: Any, two: Any) -> list[bool | None]:
    there, *others = explain(one, two).causes
    back, *more = explain(two, one).causes
    assert (there.code, there.delta, back.delta) == ("batch-norms-folded", -4, 4)
    wrong = [] if there.confirmed in (True, None) else ["other-weights"]
    assert [cause.code for cause in others] == [cause.code for cause in more] == wrong
    return [there.confirmed, back.confirmed]


@pytest.mark.parametrize("suffix", [None, ".keras", ".h5"])
def test_weights_agree_or_do_not(models, tmp_path, suffix):
    one, two = models
    kernel = two.layers[1].get_weights()
    if suffix:
        for model, name in zip(models, ("one", "two"), strict=True):
            model.save(tmp_path / f"{name}{suffix}")
        one, two = (tmp_path / f"{name}{suffix}" for name in ("one", "two"))
    assert found(one, two) == [True, True]
    changed = kernel[0].copy()
    changed.flat[0] += 0.01 * np.abs(changed).max()
    models[1].layers[1].set_weights([changed, *kernel[1:]])
    try:
        if suffix:
            models[1].save(two)
        assert found(one, two) == [False, False]
        explanation = explain(one, two)
        accepted = difference(explanation, ["batch-norms-folded"])
        assert [cause.code for cause in accepted.causes] == ["other-weights"]
        assert not accepted.good
        (_, wrong) = explanation.causes
        first = models[1].layers[1].name
        assert (wrong.delta, wrong.before, wrong.after) == (0, (first,), (first,))
        assert wrong.message == "the weights are not the folded ones: 1 Conv2D"
    finally:
        models[1].layers[1].set_weights(kernel)


def test_where_nothing_is_read_nothing_is_said(models, tmp_path):
    one, two = models
    (tmp_path / "two.json").write_text(two.to_json())
    assert found(one, tmp_path / "two.json") == [None, None]


KERNEL = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
BIAS = np.arange(4, dtype="float32")
HALF = KERNEL.astype("float16").astype("float32")
BRAIN = (KERNEL.view("uint32") & 0xFFFF0000).view("float32")
"""What float16 and bfloat16 keep of it."""
ROUND = np.float32([[0.0, 0.5, 1.0, -3.0]])


@pytest.mark.parametrize(
    ("one", "two", "agree"),
    [
        ({"kernel": KERNEL}, {"kernel": KERNEL}, True),
        ({"kernel": KERNEL}, {"kernel": KERNEL * (1 + 3e-5)}, True),
        ({"kernel": KERNEL}, {"kernel": KERNEL * (1 + 2e-3)}, False),
        ({"kernel": KERNEL}, {"kernel": np.where(KERNEL > 1, np.nan, KERNEL)}, False),
        ({"kernel": HALF}, {"kernel": HALF * (1 + 2**-10)}, True),
        ({"kernel": HALF}, {"kernel": HALF * (1 + 2**-8)}, False),
        ({"kernel": BRAIN}, {"kernel": BRAIN * (1 + 2**-7)}, True),
        ({"kernel": BRAIN}, {"kernel": BRAIN * (1 + 2**-5)}, False),
        ({"kernel": 2**20 * BRAIN}, {"kernel": 2**20 * BRAIN * (1 + 2**-7)}, True),
        ({"kernel": ROUND}, {"kernel": ROUND * (1 + 2**-10)}, True),
        ({"kernel": ROUND}, {"kernel": ROUND * (1 + 2**-8)}, False),
        ({"kernel": KERNEL, "bias": BIAS}, {"kernel": KERNEL, "bias": BIAS}, True),
        ({"kernel": KERNEL, "bias": BIAS}, {"kernel": KERNEL}, False),
        ({"kernel": KERNEL}, {"kernel": KERNEL, "bias": 0 * BIAS}, True),
        ({"kernel": KERNEL}, {"depthwise_kernel": KERNEL}, None),
        ({"kernel": KERNEL}, {"kernel": KERNEL, "gamma": BIAS}, None),
        ({"kernel": KERNEL}, {"kernel": KERNEL.T}, None),
        ({"kernel": KERNEL}, None, None),
        ({}, {"kernel": KERNEL}, None),
    ],
)
def test_weights_that_agree(one, two, agree):
    for pair in ((one, two), (two, one)):
        assert _agree(*pair) is agree


def with_random_weights(model: Any) -> Any:
    random = np.random.default_rng(1)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.name else -1.5
        weight.assign(random.uniform(low, 1.5, weight.shape))
    return model


def in_a_row() -> Any:
    """One convolution called twice in a row, a normalization after each call."""
    keras = load_keras()
    layers = keras.layers
    image = keras.Input((8, 8, 4))
    shared = layers.Conv2D(4, 3, padding="same")
    x = layers.ReLU()(layers.BatchNormalization()(shared(image)))
    x = layers.Flatten()(layers.BatchNormalization()(shared(x)))
    return with_random_weights(keras.Model(image, layers.Dense(2)(x)))


def side_by_side() -> Any:
    """One convolution of two images, a normalization after each call that is an output."""
    keras = load_keras()
    layers = keras.layers
    images = [keras.Input((8, 8, 4)) for _ in range(2)]
    shared = layers.Conv2D(4, 3)
    ends = [layers.BatchNormalization()(shared(image)) for image in images]
    return with_random_weights(keras.Model(images, ends))


@pytest.mark.parametrize("make", [in_a_row, side_by_side])
def test_the_calls_of_a_layer_that_is_shared_no_more_are_confirmed_one_by_one(make):
    model = make()
    folded = fold(model, unshare=True).model

    def judged(*ignore: str) -> tuple[bool | None, bool]:
        explanation = explain(model, folded)
        (folds,) = [each for each in explanation.causes if each.code == "batch-norms-folded"]
        return folds.confirmed, difference(explanation, ignore).good

    accepted = ("batch-norms-folded", "sharing")
    assert judged(*accepted) == (True, True)
    for copy in [layer for layer in folded.layers if type(layer).__name__ == "Conv2D"]:
        held = copy.get_weights()
        copy.set_weights([weight + 0.1 for weight in held])
        assert judged(*accepted) == (False, False)
        copy.set_weights(held)
    assert judged(*accepted) == (True, True)


def test_a_fold_that_leaves_a_layer_shared_is_confirmed_too():
    model = in_a_row()
    (folds,) = explain(model, fold(model).model).causes
    assert folds.confirmed


def test_of_layers_of_other_sizes_nothing_can_be_told() -> None:
    keras = load_keras()

    def network(filters: int) -> Any:
        model = keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                keras.layers.Conv2D(filters, 3),
                keras.layers.BatchNormalization(),
                keras.layers.GlobalAveragePooling2D(),
            ]
        )
        random = np.random.default_rng(filters)
        model.set_weights([random.uniform(0.5, 1.5, one.shape) for one in model.get_weights()])
        return model

    explanation = explain(network(8), fold(network(4)).model)
    assert [(cause.code, cause.confirmed) for cause in explanation.causes] == [
        ("batch-norms-folded", None)
    ]
    assert [change.attributes for change in explanation.changed] == [{"filters": (8, 4)}]
