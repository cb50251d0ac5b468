"""What a copy may not hold otherwise than its original, value by value. No Keras."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from pytest_layercount.model.keras.likeness import difference, looks_at, same_function

VARIABLE = np.ones(3)


class Layer:
    """What Keras's has of all that is asked here."""

    name = "it"
    variables = weights = (VARIABLE,)
    inside: tuple[Any, ...] = ()

    def _flatten_layers(self) -> Any:
        return (self, *self.inside)


class Own(Layer):
    """A layer of the user's own."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def call(self, x: Any) -> Any:
        self.seen = x
        return x * self.held


class Named:
    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


class Converted:
    """What has the method of a tensor, and is none."""

    def numpy(self) -> float:
        return 1.0


class Tensor:
    """As those of every backend, whose numbers are known or not yet."""

    shape, dtype = (), "float32"

    def __init__(self, value: float | None) -> None:
        self.value = value

    def numpy(self) -> float:
        if self.value is None:
            raise NotImplementedError("it is symbolic")
        return self.value


class Table:
    """As a lookup table of TensorFlow, which keeps what it holds to itself."""

    __slots__ = ("keys",)

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def size(self) -> int:
        return len(self.keys)

    def export(self) -> Any:
        return np.array(self.keys), np.arange(len(self.keys))

    def lookup(self, key: Any) -> Any:
        return self.keys.index(key)


def doubled(x: float) -> float:
    return 2 * x


def halved(x: float) -> float:
    return x / 2


def times(factor: float) -> Any:
    return lambda x: x * factor


def then(function: Any) -> Any:
    return lambda x: function(x) + 0.0


ROUNDED = np.float32(1) / np.float32(3)
OTHERS = [
    (1, 2),
    (1.0, 1.0 + 1e-12),
    (True, False),
    ("a", "b"),
    (None, 1.0),
    ({"a": 1}, [1]),
    ([1], 1),
    (np.ones(3), "a"),
    (1.0, None),
    ("1", 1),
    (np.ones(3), np.zeros(3)),
    (np.ones(3), np.ones(4)),
    (np.ones(3), None),
    ([1, 2], [1, 3]),
    ([1, 2], [1, 2, 3]),
    ((), (1,)),
    ({"a": 1}, {"a": 2}),
    ({"a": 1}, {"b": 1}),
    ([{"a": [1]}], [{"a": [2]}]),
    ({1, 2}, {1, 3}),
    (doubled, halved),
    (times(2.0), times(3.0)),
    (then(doubled), then(halved)),
    (then(times(2.0)), then(times(3.0))),
    (partial(doubled, 1), partial(doubled, 2)),
    (partial(doubled, x=1), partial(halved, x=1)),
    (doubled, 1.0),
    (np.sin, np.cos),
    (Table("a"), Table("b")),
    (Table("a"), Table()),
    (Named(factor=1.0), Named(factor=2.0)),
    (Tensor(1.0), Tensor(2.0)),
    (Tensor(1.0), 2.0),
    (Tensor(1.0), "a"),
    (1 + 2j, 1 - 2j),
    (b"a", b"b"),
]
ALIKE = [
    (1, 1),
    (1.0, 1),
    (float("nan"), float("nan")),
    (np.array([1.0, np.nan]), np.array([1.0, np.nan])),
    (1 / 3, ROUNDED),
    (np.full(3, 1 / 3), np.full(3, ROUNDED)),
    ([1, (2, 3)], (1, [2, 3])),
    ({"a": doubled}, {"a": doubled}),
    (times(2.0), times(2.0)),
    (then(times(2.0)), then(times(2.0))),
    (partial(doubled, 1), partial(doubled, 1)),
    (Own(1).call, Own(2).call),
    (Table("a", "b"), Table("a", "b")),
    (Named(factor=1.0), Named(factor=1.0)),
    (object(), object()),
    (object(), 1.0),
    (Converted(), 2.0),
    (Tensor(1.0), Tensor(1.0)),
    (Tensor(1.0), 1.0),
    (Tensor(None), Tensor(None)),
    ([object()], [object(), object()]),
    ([VARIABLE], [VARIABLE, VARIABLE]),
    ({"a": VARIABLE}, {"b": VARIABLE}),
    ({"a": VARIABLE, "b": object()}, {"a": VARIABLE}),
    ([1, VARIABLE], [2]),
]


def differs(one: Any, two: Any, *changed: str, loosely: bool = False) -> str | None:
    return difference(Own(one), Own(two), frozenset(changed), loosely)


@pytest.mark.parametrize(("one", "two"), OTHERS)
def test_what_is_not_the_same(one: Any, two: Any) -> None:
    for pair in ((one, two), (two, one)):
        said = differs(*pair)
        assert said is not None
        assert said.startswith("its held is ")
        assert differs(*pair, "held") is None


@pytest.mark.parametrize(("one", "two"), ALIKE)
def test_what_is_the_same_or_cannot_be_compared(one: Any, two: Any) -> None:
    assert differs(one, two) is None
    assert differs(two, one) is None


@pytest.mark.parametrize(
    ("one", "two", "differ"),
    [
        (1.0, 1.0005, False),
        (1.0, 1.005, True),
        (1e-7, 0.0, False),
        (1e-5, 0.0, True),
        (1, 2, True),
        ("float32", "float64", False),
        ("float16", "bfloat16", False),
        ("float32", "int32", True),
        ("same", "valid", True),
    ],
)
def test_a_copy_that_computes_in_another_type(one: Any, two: Any, differ: bool) -> None:
    assert bool(differs(one, two, loosely=True)) is differ
    assert differs(one, two) is not None


def test_what_a_copy_lacks() -> None:
    old, new = Own(1.0), Own(1.0)
    del new.held
    assert difference(old, new, frozenset(), False) == "it has no held, which is 1.0"
    old.unread = 1.0  # type: ignore[attr-defined]
    new.held = 1.0
    assert difference(old, new, frozenset(), False) is None


def test_what_a_call_leaves_behind_is_no_difference() -> None:
    old, new = Own(1.0), Own(1.0)
    old.seen, new.seen = 1.0, 2.0
    assert difference(old, new, frozenset(), False) is None


@pytest.mark.parametrize(
    "name",
    [
        *("name", "built", "token_counts", "token_document_counts"),
        *("_obj_reference_counts_dict", "_self_tracked_trackables", "__dunder"),
    ],
)
def test_what_keras_keeps_account_of(name: str) -> None:
    old, new = Own(1.0), Own(1.0)
    vars(old)[name], vars(new)[name] = "one", "other"
    assert difference(old, new, frozenset(), False) is None


def test_what_a_user_keeps_private_counts() -> None:
    old, new = Own(1.0), Own(1.0)
    vars(old)["_factor"], vars(new)["_factor"] = 1.0, 2.0
    assert difference(old, new, frozenset(), False) == "its _factor is 2.0, not 1.0"


@pytest.mark.parametrize("name", ["kernel_initializer", "bias_regularizer", "kernel_constraint"])
def test_what_only_training_asks_for(name: str) -> None:
    old, new = Own(1.0), Own(1.0)
    vars(old)[name], vars(new)[name] = "one", "other"
    assert difference(old, new, frozenset(), False) is None
    vars(old)[name], vars(new)[name] = np.zeros(2), np.ones(2)
    assert difference(old, new, frozenset(), False) is not None


def test_a_call_that_was_replaced() -> None:
    old = Own(1.0)
    vars(old)["call"] = doubled
    assert str(difference(old, Own(1.0), frozenset(), False)).startswith("its call() was replaced")


def test_parts_are_compared_as_well() -> None:
    old, new = Own(1.0), Own(1.0)
    old.inside, new.inside = (part := Own(1.0), Own(2.0)), (Own(1.0), Own(2.0))
    assert difference(old, new, frozenset(), False) is None
    part.name = "inner"
    part.held = 3.0
    assert (
        difference(old, new, frozenset(), False) == "in its part 'inner', its held is 1.0, not 3.0"
    )
    new.inside = ()
    assert difference(old, new, frozenset(), False) == "it holds 0 layers, not 2"


def test_names_of_parts_stand_for_each_other() -> None:
    old, new = Own("it"), Own("other")
    new.name = "other"
    assert difference(old, new, frozenset(), False) is None


def test_functions_that_know_a_layer() -> None:
    layer, other = Own(1.0), Own(2.0)
    layer.inside = (other,)
    for function in (
        layer.call,
        other.call,
        partial(doubled, layer),
        partial(doubled, x=other),
        partial(layer.call, 1.0),
        then(layer.call),
        times(VARIABLE),  # type: ignore[arg-type]
        Named(layer=layer),
    ):
        assert looks_at(function, layer), function
    for function in (doubled, times(2.0), partial(doubled, 1.0), Own(1.0).call, Named(layer=1)):
        assert not looks_at(function, layer), function


def test_functions_are_the_same_lines() -> None:
    assert same_function(doubled, doubled)
    assert not same_function(doubled, halved)
    assert not same_function(doubled, np.sin)
    assert not same_function(np.sin, doubled)
    assert not same_function(Own(1).call, Named.__init__)


def test_layers_that_keras_does_not_know_as_parts() -> None:
    def unlike(here: Any, there: Any) -> str | None:
        return differs(Named(inner=list(here)), Named(inner=list(there)))

    one, two, other, bare = Layer(), Layer(), Layer(), Layer()
    bare.variables = bare.weights = ()
    other.variables = other.weights = (np.zeros(3),)
    assert unlike([one], [one]) is None
    assert unlike([one], [two]) is None
    for here, there in (
        *(([one], []), ([], [one]), ([bare], []), ([], [bare])),
        *(([one], [other]), ([one, two], [one, other])),
    ):
        said = unlike(here, there)
        assert said == "it uses 'it', which Keras does not know as a part of it"
