"""A folded model and its original share no weight, though they may share memory until then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding import fold
from tests.folding.harness import Kit, randomise

Change = Callable[[Kit, Any], None]


def some_model(kit: Kit) -> Any:
    """Layers that absorb, one of them twice; kernels handed on as they are; a norm that stays."""
    kit.keras.backend.set_floatx("float32")
    model = kit.chain(
        (8, 8, 4),
        kit.Conv2D(16, 3, padding="same", name="conv"),
        kit.bn("one"),
        kit.ReLU(),
        kit.SeparableConv2D(16, 3, name="separable"),
        kit.bn("two"),
        kit.ReLU(),
        kit.bn("three"),
        kit.Conv2D(16, 1, name="twice"),
        kit.bn("four"),
        kit.ReLU(),
        kit.DepthwiseConv2D(3, name="depthwise"),
        kit.bn("five"),
        kit.Activation("tanh"),
        kit.bn("left"),
        kit.LeakyReLU(),
        kit.Flatten(),
        kit.Dense(16, name="dense"),
    )
    randomise(model, 0, (0.5, 2.0))
    return model


def assigned(_: Kit, model: Any) -> None:
    for variable in model.weights:
        variable.assign(variable + 1)


def added(_: Kit, model: Any) -> None:
    """In place, in the memory that the variable has."""
    for variable in model.weights:
        variable.assign_add(np.ones(variable.shape, "float32"))


def trained(_: Kit, model: Any) -> None:
    model.compile(optimizer="sgd", loss="mse", jit_compile=False)
    random = np.random.default_rng(0)
    images = random.normal(size=(4, 8, 8, 4)).astype("float32")
    model.train_on_batch(images, np.ones((4, *model.output_shape[1:]), "float32"))


@pytest.mark.parametrize("change", [assigned, added, trained])
@pytest.mark.parametrize("changes", ["original", "folded"])
def test_neither_changes_with_the_other(kit: Kit, change: Change, changes: str) -> None:
    original = some_model(kit)
    folded, twin = fold(original).model, fold(original).model
    one, other = (original, folded) if changes == "original" else (folded, original)
    others, before = (other, twin), one.get_weights()
    kept = [np.copy(weight) for other in others for weight in other.get_weights()]
    change(kit, one)
    kernels = [pair for pair in zip(before, one.get_weights(), strict=True) if pair[0].ndim > 1]
    assert not any(np.array_equal(old, new) for old, new in kernels)
    now = [weight for other in others for weight in other.get_weights()]
    assert all(map(np.array_equal, kept, now))


def test_copies_of_a_shared_layer_do_not_change_together(kit: Kit) -> None:
    kit.keras.backend.set_floatx("float32")
    inputs, shared = kit.input(8, 8, 16), kit.Conv2D(16, 1, name="shared")
    outputs = [kit.bn(name)(shared(tensor)) for name, tensor in (("a", inputs), ("b", -inputs))]
    model = kit.model(inputs, outputs)
    randomise(model, 0, (0.5, 2.0))
    folded = fold(model, unshare=True).model
    one, other = (layer for layer in folded.layers if layer.weights and "shared" in layer.name)
    kept = other.get_weights()
    one.kernel.assign_add(np.ones(one.kernel.shape, "float32"))
    assert all(map(np.array_equal, kept, other.get_weights()))
