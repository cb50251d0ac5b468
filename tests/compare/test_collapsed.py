"""Linear layers that were merged are a cause of their own, where the weights agree with it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.folding.harness import Kit, randomise

PASSES = ("affine", "identity", "activation", "padding", "collapse")


@pytest.fixture
def kit() -> Kit:
    """The installed Keras, computing in float32 as users' models do."""
    return Kit()


def _row(kit: Kit) -> Any:
    return kit.chain((6,), kit.Dense(8), kit.Dense(4, activation="relu"), kit.Dense(2))


def _convolutions(kit: Kit) -> Any:
    layers = kit.Conv2D(8, 3, padding="same"), kit.bn(), kit.Conv2D(4, 1), kit.ReLU()
    return kit.chain((7, 7, 3), *layers, kit.Flatten(), kit.Dense(2))


def _branches(kit: Kit) -> Any:
    """A block of RepVGG, with an identity branch that is a batch normalization."""
    data = kit.input(8, 8, 4)
    large = kit.Conv2D(4, 3, padding="same", use_bias=False, name="large")(data)
    small = kit.Conv2D(4, 1, padding="same", use_bias=False, name="small")(data)
    branches = [kit.bn("large_bn")(large), kit.bn("small_bn")(small), kit.bn("identity_bn")(data)]
    return kit.model(data, kit.ReLU()(kit.Add()(branches)))


MODELS = {
    _row: {"Dense": -1},
    _convolutions: {"Conv2D": -1},
    _branches: {"Add": -1, "BatchNormalization": -1, "Conv2D": -1},
}


@pytest.mark.parametrize("passes", [PASSES, ("affine", "collapse")])
@pytest.mark.parametrize("make", MODELS)
def test_a_merge_is_explained(kit: Kit, make: Any, passes: tuple[str, ...]) -> None:
    from pytest_layercount import explain, fold

    model = make(kit)
    randomise(model, 0, (0.5, 2.0))
    folded = fold(model, passes=passes).model
    explanation = explain(model, folded)
    (merged,) = (cause for cause in explanation.causes if cause.code == "collapsed")
    assert merged.by_type == MODELS[make]
    assert merged.confirmed
    assert merged.message.endswith("merged with neighbouring linear layers")
    assert not explanation.unexplained
    assert not explanation.changed
    assert "other-weights" not in [cause.code for cause in explanation.causes]


@pytest.mark.parametrize("make", MODELS)
def test_from_the_other_side(kit: Kit, make: Any) -> None:
    from pytest_layercount import explain, fold

    model = make(kit)
    randomise(model, 1, (0.5, 2.0))
    explanation = explain(fold(model, passes=PASSES).model, model)
    (merged,) = (cause for cause in explanation.causes if cause.code == "collapsed")
    assert merged.by_type == {name: -number for name, number in MODELS[make].items()}
    assert merged.message.endswith("standing apart, merged with linear layers in the first model")
    assert not explanation.unexplained


@pytest.mark.parametrize("make", MODELS)
def test_a_wrong_merge_is_none(kit: Kit, make: Any) -> None:
    """Layers could have been merged, but the weights say that they were not: they are gone."""
    from pytest_layercount import explain, fold

    model = make(kit)
    randomise(model, 2, (0.5, 2.0))
    folded = fold(model, passes=PASSES).model
    layer = next(layer for layer in folded.layers if layer.weights)
    kernel, *others = layer.get_weights()
    kernel[..., 0] *= 1.01
    layer.set_weights([kernel, *others])
    explanation = explain(model, folded)
    assert "collapsed" not in [cause.code for cause in explanation.causes]
    assert explanation.unexplained


def test_a_layer_that_was_taken_out_is_not_merged(kit: Kit) -> None:
    from pytest_layercount import explain

    model = _row(kit)
    other = kit.chain((6,), kit.Dense(4, activation="relu"), kit.Dense(2))
    explanation = explain(model, other)
    assert [(cause.code, cause.by_type) for cause in explanation.causes] == [
        ("removed", {"Dense": -1})
    ]


def test_another_width_between_linear_layers_is_a_change(kit: Kit) -> None:
    from pytest_layercount import explain

    one, two = (kit.chain((6,), kit.Dense(units), kit.Dense(4)) for units in (8, 9))
    explanation = explain(one, two)
    assert [change.attributes for change in explanation.changed] == [{"units": (8, 9)}]
    assert not explanation.causes


def test_half_of_a_model_is_merged(kit: Kit) -> None:
    """What else is gone stays unexplained, and nothing is merged that only could be."""
    from pytest_layercount import explain, fold

    model = kit.chain((6,), kit.Dense(8), kit.Dense(4), kit.ReLU(), kit.Dense(5), kit.Dense(3))
    folded = fold(model, passes=PASSES).model
    merged = explain(model, folded)
    assert merged.delta == -3
    assert {cause.code: cause.delta for cause in merged.causes} == {
        "activations-fused": -1,
        "collapsed": -2,
    }
