"""What ``check_fold`` says of a model that was never trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.rules import batch_norm
from pytest_layercount.model.keras import state
from tests.folding.harness import Kit, randomise


def test_paths_of_an_untrained_nested_model_are_its_own(kit: Kit) -> None:
    from pytest_layercount import check_fold

    kit.keras.backend.set_floatx("float32")
    start = inner = kit.input(4)
    for layer in (
        kit.Dense(3, name="f"),
        kit.bn("p"),
        kit.Activation("tanh", name="t"),
        kit.bn("q"),
    ):
        inner = layer(inner)
    block = kit.model(start, inner, name="m")
    model = kit.chain((4,), kit.Activation("tanh", name="t"), block)
    check = check_fold(model)
    assert check.randomised
    assert check.equivalence.equivalent
    assert [(fold.layer, fold.into) for fold in check.result.folds] == [("m/p", ("m/f",))]
    refused = [(no.layer, no.blocker) for no in check.result.refusals]
    assert refused == [("m/q", "m/t")]


@pytest.mark.parametrize("returned", [False, True])
def test_what_does_nothing_on_one_branch_alone(kit: Kit, returned: bool) -> None:
    """The value before a dropout and the value after it are one value of the folded model."""
    from pytest_layercount import check_equivalence, fold

    entry = kit.input(4)
    first = kit.Dense(3, name="f")(entry)
    dropped = kit.Dropout(0.5)(first)
    ways = [kit.bn("p")(first), kit.Dense(2, name="g")(first), kit.Activation("tanh")(dropped)]
    model = kit.model(entry, [*ways, dropped] if returned else ways)
    randomise(model, 0, (0.5, 2.0))
    result = fold(model)
    assert [layer.name for layer in result.model.layers if "dropout" in layer.name] == []
    for other in (result, result.model):
        found = check_equivalence(model, other)
        assert found.equivalent, found.worst
        assert found.compared >= 3


def test_judging_a_model_traces_nothing(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at first, and not again: a function of TensorFlow's would be traced each time."""
    import tensorflow as tf

    from pytest_layercount import check_equivalence, check_fold, fold

    kit.keras.backend.set_floatx("float32")
    model = kit.chain(
        (8, 8, 4),
        kit.Conv2D(8, 3),
        kit.bn("one"),
        kit.ReLU(),
        kit.DepthwiseConv2D(3),
        kit.bn("two"),
        kit.GlobalAveragePooling2D(),
        kit.Dense(3, activation="softmax"),
    )
    traced: list[Any] = []
    make = tf.__internal__.FuncGraph.__init__

    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        traced.append(self)
        make(self, *args, **kwargs)

    monkeypatch.setattr(tf.__internal__.FuncGraph, "__init__", noted)
    assert check_fold(model).randomised
    randomise(model, 0, (0.5, 2.0))
    result = fold(model)
    for _ in range(2):
        assert check_equivalence(model, result).equivalent
    assert not traced
    tf.function(lambda x: x + 1)(tf.zeros(1))
    assert traced


@pytest.mark.parametrize("chained", [False, True])
def test_a_layer_whose_configuration_is_not_what_it_was_made_with(kit: Kit, chained: bool) -> None:
    from pytest_layercount import ModelError, fold

    class Picky(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, size: int = 0, **kwargs: object) -> None:
            super().__init__(**kwargs)
            self.size = size

        def get_config(self) -> dict[str, object]:
            return {"name": self.name}

        def call(self, inputs: object) -> object:
            if self.size != 4:
                raise ValueError(f"4 wanted, {self.size} given")
            return inputs

    first, picky = kit.Dense(3, name="f"), Picky(size=4, name="picky")
    entry = kit.input(4)
    model = (
        kit.chain((4,), first, picky, kit.bn("p"))
        if chained
        else kit.model(entry, kit.bn("p")(picky(first(entry))))
    )
    with pytest.raises(ModelError, match="'picky' of type Picky cannot be copied") as raised:
        fold(model)
    assert "4 wanted, 0 given" in str(raised.value)


def test_names_with_a_slash_are_paths_as_well(kit: Kit) -> None:
    if kit.generation == 3:
        pytest.skip("needs Keras 2")
    from pytest_layercount import check_fold

    layers = [
        layer for n in "12" for layer in (kit.Dense(3, name=f"c{n}/f"), kit.bn(name=f"c{n}/bn"))
    ]
    check = check_fold(kit.chain((4,), *layers, kit.ReLU(name="c3/r")))
    assert check.equivalence.equivalent
    assert check.equivalence.compared == 3
    assert [fold.into for fold in check.result.folds] == [("c1/f",), ("c2/f",)]


def quiet_norm(kit: Kit) -> Any:
    """Fresh from its class it changes nothing that could be seen."""
    return kit.bn(None, epsilon=1e-30)


def own_cell(kit: Kit) -> Any:
    class Cell(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.state_size = self.output_size = 4
            self.dense, self.norm = kit.Dense(4), quiet_norm(kit)

        def build(self, shape: Any) -> None:
            self.dense.build(shape)
            self.norm.build((None, 4))
            self.built = True

        def call(self, inputs: Any, states: Any) -> Any:
            state = kit.keras.activations.tanh(self.norm(self.dense(inputs)) + states[0])
            return state, [state]

    return Cell


def own_block(kit: Kit) -> Any:
    class Block(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.norm = quiet_norm(kit)

        def build(self, shape: Any) -> None:
            self.norm.build(shape)
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            relu = kit.keras.activations.relu
            return relu(self.norm(relu(inputs)))

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    return Block()


def recurrent(kit: Kit, wrapped: bool) -> Any:
    cell = own_cell(kit)
    with kit.keras.utils.custom_object_scope({"Cell": cell}):
        layer = kit.RNN(cell())
        return kit.chain((5, 3), kit.Bidirectional(layer) if wrapped else layer)


STAYING: dict[str, Callable[[Kit], Any]] = {
    "a block": lambda k: k.chain((3,), k.Dense(4), own_block(k)),
    "a wrapped model": lambda k: k.chain(
        (5, 3), k.TimeDistributed(k.chain((3,), k.ReLU(), quiet_norm(k), k.ReLU()))
    ),
    "a cell": lambda k: recurrent(k, wrapped=False),
    "two cells": lambda k: recurrent(k, wrapped=True),
}
"""Models with a batch norm inside a layer that stays whole, fresh from their classes."""


@pytest.mark.parametrize("build", STAYING.values(), ids=STAYING)
def test_a_copy_without_the_statistics_of_what_is_inside(
    kit: Kit, build: Callable[[Kit], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_layercount import check_fold
    from pytest_layercount.folding import equivalence

    if build is STAYING["a wrapped model"] and (3,) <= kit.version < (3, 6):
        pytest.skip("Keras 3.3 takes no model in TimeDistributed")
    model = build(kit)
    check = check_fold(model)
    assert check.randomised
    assert check.equivalence.equivalent
    pairs, fold_opened = state.State._part_by_part, equivalence.fold_opened

    def without_statistics(self: Any) -> Iterator[Any]:
        names = ("moving_mean", "moving_variance")
        return (pair for pair in pairs(self) if not any(n in pair[0].name for n in names))

    def wrong(*args: Any, **kwargs: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(state.State, "_part_by_part", without_statistics)
            patch.setattr(state.State, "_covered", lambda *_: True)
            return fold_opened(*args, **kwargs)

    monkeypatch.setattr(equivalence, "fold_opened", wrong)
    assert check_fold(model).equivalence.first == model.layers[-1].name


@pytest.mark.parametrize("deep", [1, 2])
def test_a_dropped_batch_norm_that_is_applied_to_each_step(
    kit: Kit, deep: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_layercount import check_fold

    def each_step(layer: Any) -> Any:
        for _ in range(deep):
            layer = kit.TimeDistributed(layer)
        return layer

    model = kit.chain((3,) * (deep + 1), each_step(kit.Dense(4)), each_step(quiet_norm(kit)))
    check = check_fold(model)
    assert check.equivalence.equivalent
    assert len(check.result.folds) == 1

    def nothing(site: Any, weights: Any) -> Any:
        return np.ones_like(weights["moving_mean"]), np.zeros_like(weights["moving_mean"])

    monkeypatch.setattr(batch_norm, "scale_and_shift", nothing)
    check = check_fold(model)
    assert len(check.result.folds) == 1
    assert not check.equivalence.equivalent
