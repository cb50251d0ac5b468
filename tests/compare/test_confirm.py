"""Whether the weights of two models agree with the folds that their structures show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_layercount import explain, fold
from pytest_layercount.structure import difference
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
