"""A model is read and planned once, as long as it stays as it is."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import opening
    from pytest_layercount.folding import cache
    from pytest_layercount.model.count import count_graph


def small(*more: Any) -> Any:
    keras = load_keras()
    conv = keras.layers.Conv2D(4, 3, name="conv")
    norm = keras.layers.BatchNormalization(name="bn")
    return keras.Sequential([keras.Input((8, 8, 3)), conv, norm, *more])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often models were opened and planned."""
    found: Counter[str] = Counter()

    def counting(name: str) -> Any:
        does = getattr(cache, name)

        def count(*args: Any, **kwargs: Any) -> Any:
            found[name] += 1
            return does(*args, **kwargs)

        return count

    for name in ("open_model", "resolved_plan"):
        monkeypatch.setattr(cache, name, counting(name))
    return found


def test_all_share_one_graph_and_one_plan(counted: Counter[str]) -> None:
    model = small()
    first = opening.plan(model)
    assert opening.plan(model) is first
    assert opening.structure(model) is opening.structure(model)
    assert count_graph(opening.plan(model).graph, "layers").total == 1
    assert counted == {"open_model": 1, "resolved_plan": 1}


def test_a_layer_added_in_place_is_seen(counted: Counter[str]) -> None:
    model = small()
    assert len(opening.plan(model).folds) == 1
    model.add(load_keras().layers.ReLU())
    model.add(load_keras().layers.BatchNormalization())
    assert len(opening.structure(model).layers) == 5
    assert len(opening.plan(model).folds) == 1
    assert len(opening.plan(model).refusals) == 1
    model.pop()
    assert not opening.plan(model).refusals
    assert counted == {"open_model": 3, "resolved_plan": 3}


def test_a_layer_added_to_a_model_inside_is_seen() -> None:
    keras = load_keras()
    inner = small()
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.ReLU()(inner(image)))
    before = opening.structure(model)
    assert opening.structure(model) is before
    inner.layers[0].activation = keras.activations.relu
    assert opening.structure(model) is not before
    assert opening.plan(model).refusals[0].reason == "activation"


def test_a_layer_configured_otherwise_is_seen(counted: Counter[str]) -> None:
    model = small()
    conv, norm = model.get_layer("conv"), model.get_layer("bn")
    assert opening.plan(model).folds
    for epsilon in (1e-5, 1e-4, 1e-2):
        norm.epsilon = epsilon
        layers = {layer.name: layer for layer in opening.structure(model).layers}
        assert layers["bn"].config["epsilon"] == epsilon
    conv.trainable = False
    assert count_graph(opening.structure(model)).trainable_parameters == 8
    assert counted["open_model"] == 5


def test_a_layer_of_the_users_own_that_changed_is_seen(counted: Counter[str]) -> None:
    layers = load_keras().layers

    class Scaled(layers.Layer):  # type: ignore[misc,name-defined]
        factor = 1.0

        def call(self, x: Any) -> Any:
            return x * self.factor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factor": self.factor}

    scaled = Scaled()
    model = small(scaled)
    for factor in (2.0, 3.0):
        scaled.factor = factor
        settings = opening.structure(model).layers[-1].settings
        assert settings is not None
        assert settings["factor"] == factor
        assert opening.structure(model) is opening.structure(model)
    assert counted["open_model"] == 2


def test_new_weights_make_a_new_plan(counted: Counter[str]) -> None:
    keras = load_keras()
    layers = keras.layers
    model = small(layers.MaxPooling2D(), layers.BatchNormalization(center=False, name="last"))
    last = model.get_layer("last")
    last.set_weights([np.full(4, 2.0), np.ones(4), np.ones(4)])
    before = opening.plan(model)
    assert opening.plan(model) is before
    last.set_weights([np.full(4, -2.0), np.ones(4), np.ones(4)])
    after = opening.plan(model)
    assert len(after.folds) == len(before.folds) - 1
    kernel, bias = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([kernel + np.inf, bias])
    assert {refusal.reason for refusal in opening.plan(model).refusals} >= {"non-finite"}
    assert counted == {"open_model": 1, "resolved_plan": 3}


def test_models_are_freed() -> None:
    model = small()
    opening.plan(model)
    gone = weakref.ref(model), weakref.ref(model.get_layer("conv")), id(model)
    del model
    gc.collect()
    assert [gone[0](), gone[1]()] == [None, None]
    assert gone[2] not in cache._memories


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_weights_of_every_type_are_told_apart(dtype: str) -> None:
    keras = load_keras()
    conv = keras.layers.Conv2D(4, 3, dtype=dtype)
    norm = keras.layers.BatchNormalization(dtype=dtype)
    model = keras.Sequential([keras.Input((8, 8, 3)), conv, norm])
    first = opening.plan(model)
    assert first.folds
    assert opening.plan(model) is first
    conv.set_weights([2 * weight for weight in conv.get_weights()])
    assert opening.plan(model) is not first


def test_a_channel_that_vanishes_in_half_precision_is_seen() -> None:
    keras = load_keras()
    dense = keras.layers.Dense(2, use_bias=False, dtype="mixed_float16")
    norm = keras.layers.BatchNormalization(dtype="mixed_float16")
    model = keras.Sequential([keras.Input((4,)), dense, norm])
    norm.set_weights([np.full(2, 0.5), np.zeros(2), np.zeros(2), np.ones(2)])
    # Of both kernels float32 knows but one length.
    dense.set_weights([np.array([[100.0, 1e-3]] * 4)])
    assert opening.plan(model).folds
    dense.set_weights([np.array([[100.0, 1.1e-4]] * 4)])
    assert [no.reason for no in opening.plan(model).refusals] == ["overflow"]


@pytest.mark.parametrize(("other", "reason"), [(np.inf, "non-finite"), (2e38, "overflow")])
def test_a_kernel_too_long_for_its_type_is_seen(other: float, reason: str) -> None:
    model = small()
    conv, norm = model.get_layer("conv"), model.get_layer("bn")
    norm.set_weights([np.full(4, 2.0), np.zeros(4), np.zeros(4), np.ones(4)])
    kernel, bias = conv.get_weights()
    conv.set_weights([np.full_like(kernel, 1e20), bias])
    assert opening.plan(model).folds
    conv.set_weights([np.full_like(kernel, other), bias])
    assert [no.reason for no in opening.plan(model).refusals] == [reason]


def test_kernels_that_nothing_folds_into_do_not_matter(counted: Counter[str]) -> None:
    model = small(load_keras().layers.Dense(3, name="last"))
    first, last = opening.plan(model), model.get_layer("last")
    last.set_weights([last.get_weights()[0] + 1, last.get_weights()[1]])
    assert opening.plan(model) is first
    assert counted == {"open_model": 1, "resolved_plan": 1}


def test_every_weight_matters_where_a_user_may_have_a_rule() -> None:
    layers = load_keras().layers

    class Own(layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x

    model = small(layers.Dense(3, name="last"), Own())
    first, last = opening.plan(model), model.get_layer("last")
    assert opening.plan(model) is first
    last.set_weights([last.get_weights()[0] + 1, last.get_weights()[1]])
    assert opening.plan(model) is not first


def test_a_weight_that_was_added_is_seen() -> None:
    model = small()
    first, norm = opening.plan(model), model.get_layer("bn")
    if hasattr(norm, "_tracker"):  # Keras 3 would not let a built layer have more
        norm._tracker.unlock()
    norm.add_weight(name="more", shape=(2,), initializer="zeros", trainable=False)
    assert opening.plan(model) is not first


def test_what_nobody_reads_of_a_layer_of_keras_may_change() -> None:
    """As it does when a model is called or trained: another plan is not needed for it."""
    model = small()
    known = cache.Fingerprint(model)
    conv = vars(model.get_layer("conv"))
    for name in ("_losses", "_metrics"):
        conv[name] = [*conv[name]]
        assert known.fits(model), name
