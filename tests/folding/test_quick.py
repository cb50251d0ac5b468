"""Shortcuts give what the plain way gives, bit for bit, and can all be turned off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_layercount.model.quick import plainly, quick
from tests.folding.harness import Kit, randomise


def _convolutions(kit: Kit) -> Any:
    return kit.chain(
        (9, 9, 4),
        kit.Conv2D(6, 3, padding="same"),
        kit.bn("bn1"),
        kit.ReLU(),
        kit.DepthwiseConv2D(3),
        kit.bn("bn2"),
        kit.SeparableConv2D(5, 3),
        kit.bn("bn3"),
        kit.GlobalAveragePooling2D(),
        kit.Dense(3, activation="softmax"),
    )


def _branches(kit: Kit) -> Any:
    data = kit.keras.Input((5, 4))
    left, right = kit.bn("bn4")(kit.Dense(6)(data)), kit.Conv1D(6, 1)(data)
    added = kit.Add()([left, kit.bn("bn5")(right)])
    return kit.keras.Model(data, [kit.LSTM(3)(kit.bn("bn6")(added)), added])


def _masked(kit: Kit) -> Any:
    data = kit.keras.Input((4,), dtype="int32")
    embedded = kit.Embedding(9, 5, mask_zero=True)(data)
    states = kit.GRU(4, return_sequences=True)(embedded)
    return kit.keras.Model(data, kit.Dense(2)(kit.bn("bn7")(kit.Dense(3)(states))))


MODELS = (_convolutions, _branches, _masked)


@pytest.mark.parametrize("make", MODELS)
def test_a_fold_is_the_same(kit: Kit, make: Callable[[Kit], Any]) -> None:
    from pytest_layercount import fold

    model = make(kit)
    randomise(model, 0, (0.5, 2.0))
    one = fold(model)
    with plainly():
        other = fold(model)
    assert one.folds == other.folds
    assert one.folds
    assert one.refusals == other.refusals
    assert [layer.name for layer in one.model.layers] == [
        layer.name for layer in other.model.layers
    ]
    assert one.model.input_shape == other.model.input_shape
    assert one.model.output_shape == other.model.output_shape
    here, there = one.model.get_weights(), other.model.get_weights()
    assert [array.dtype for array in here] == [array.dtype for array in there]
    assert [array.tobytes() for array in here] == [array.tobytes() for array in there]


@pytest.mark.parametrize("make", MODELS)
def test_a_check_measures_the_same(kit: Kit, make: Callable[[Kit], Any]) -> None:
    from pytest_layercount import check_fold

    model = make(kit)
    one = check_fold(model).equivalence
    with plainly():
        other = check_fold(model).equivalence
    assert one.equivalent
    assert one == other


def test_the_plain_way_takes_no_shortcut(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras's own functions are not replaced in it, nor is memory looked at."""
    from pytest_layercount import fold
    from pytest_layercount.model.keras import state

    model = _convolutions(kit)
    taken = []
    monkeypatch.setattr(state, "set_initial", lambda *_: taken.append("initial values") or {})
    fold(model)
    assert taken
    taken.clear()
    with plainly():
        assert not quick()
        fold(model)
    assert not taken
    assert quick()


def test_a_failure_turns_them_on_again() -> None:
    with pytest.raises(ValueError, match="inside"), plainly(), plainly():
        raise ValueError("inside")
    assert quick()
