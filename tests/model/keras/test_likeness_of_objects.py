"""Whether a copy holds what its original holds: on plain objects, which are made as layers are."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from pytest_layercount.model.keras.likeness import difference, looks_at, same_function


class Own:
    """A layer of a user's own, with these attributes; its code names some."""

    weights: tuple[Any, ...] = ()

    def __init__(self, **attributes: Any) -> None:
        self.name = "own"
        for name, value in attributes.items():
            setattr(self, name, value)

    def compute(self) -> Any:
        return self.table, self.factor  # type: ignore[attr-defined]


class Asking(Own):
    def compute(self) -> Any:
        return vars(self)


def unlike(one: Any, two: Any, *, loosely: bool = False, **more: Any) -> str | None:
    """What is said of a copy that holds another ``table``."""
    return difference(Own(table=one), Own(table=two, **more), frozenset(), loosely)


ARRAY = np.arange(6.0).reshape(2, 3)


def scaled(factor: float) -> Any:
    return lambda x: x * factor


def through(function: Any) -> Any:
    def called(x: Any) -> Any:
        return function(x)

    return called


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 1),
        (1.0, 1),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan])),
        ("a", "a"),
        (None, None),
        (ARRAY, ARRAY.copy()),
        (0.1, np.float32(0.1)),  # a number is rounded in the copy
        ([1, [2, "a"]], (1, (2, "a"))),
        ({"a": ARRAY}, {"a": ARRAY.copy()}),
        (scaled(2.0), scaled(2.0)),
        (through(scaled(2.0)), through(scaled(2.0))),
        (partial(round, ndigits=2), partial(round, ndigits=2)),
        (object(), 3),  # what cannot be compared
        (3, object()),
        ({"a": object()}, {"b": object()}),
        ([object()], []),
        (len, len),
    ],
)
def test_what_is_the_same(one: Any, two: Any) -> None:
    assert unlike(one, two) is None


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        (1, 2, "2, not 1"),
        (True, None, "None, not True"),
        ("a", "b", "'b', not 'a'"),
        ("a", 1, "1, not 'a'"),
        (0.1, 0.2, "0.2, not 0.1"),
        (1.0, 1.0001, "1.0001, not 1.0"),
        (ARRAY, ARRAY + 1, "an array of shape (2, 3), not an array of shape (2, 3)"),
        (ARRAY, ARRAY.T, "an array of shape (3, 2), not an array of shape (2, 3)"),
        (ARRAY[0], ARRAY[1], "[3.0, 4.0, 5.0], not [0.0, 1.0, 2.0]"),
        (np.arange(4), np.arange(1, 5), "[1, 2, 3, 4], not [0, 1, 2, 3]"),
        (ARRAY, "text", "'text', not an array of shape (2, 3)"),
        ([1, 2], [1, 2, 3], "[1, 2, 3], not [1, 2]"),
        ([1, [2]], [1, [3]], "[1, [3]], not [1, [2]]"),
        ({"a": 1}, {"b": 1}, "{'b': 1}, not {'a': 1}"),
        ({"a": 1}, {"a": 2}, "{'a': 2}, not {'a': 1}"),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, "{'a': {'b': [2]}}, not {'a': {'b': [1]}}"),
        (len, max, "the function max, not the function len"),
        (scaled(2.0), scaled(3.0), "the function <lambda>, not the function <lambda>"),
        (
            through(scaled(2.0)),
            through(scaled(3.0)),
            "the function called, not the function called",
        ),
        (len, 3, "3, not the function len"),
        (
            partial(round, ndigits=2),
            partial(round, ndigits=3),
            "the function partial, not the function partial",
        ),
        (partial(round, 2), partial(round, 3), "the function partial, not the function partial"),
        (partial(max, 2), partial(min, 2), "the function partial, not the function partial"),
        (["a" * 80], [], f"[], not ['{'a' * 55}..."),
    ],
)
def test_what_differs(one: Any, two: Any, said: str) -> None:
    assert unlike(one, two) == f"its table is {said}"


def test_a_copy_in_another_type_is_compared_loosely() -> None:
    close = ARRAY * 1.0005
    assert unlike(ARRAY, close, loosely=True) is None
    assert unlike(ARRAY, close) is not None
    assert unlike(ARRAY, ARRAY * 1.01, loosely=True) is not None
    assert unlike(ARRAY, ARRAY + 1e-7, loosely=True) is None
    assert unlike(np.array([0.0, np.nan]), np.array([0.0, np.nan]), loosely=True) is None
    assert unlike(np.arange(3), np.arange(3) + 1, loosely=True) is not None
    assert unlike("float32", "float64", loosely=True) is None
    assert unlike("float32", "float64") is not None
    assert unlike("float32", "int8", loosely=True) is not None
    assert unlike("texts", "float64", loosely=True) is not None


def test_what_a_copy_lacks_altogether() -> None:
    def lacking(kind: type[Own] = Own, **held: Any) -> str | None:
        return difference(kind(**held), kind(), frozenset(), False)

    assert lacking(factor=3.0) == "it has no factor, which is 3.0"
    assert lacking(table=np.zeros((2, 4))) == "it has no table, which is an array of shape (2, 4)"
    assert lacking(table=object()) is None
    assert lacking(other=3.0) is None  # which no code of the class reads
    assert lacking(Asking, other=3.0) == "it has no other, which is 3.0"
    assert lacking(_private=3.0) is None
    assert lacking(my_regularizer=object()) is None
    assert lacking(Asking, my_constraint=0.5) == "it has no my_constraint, which is 0.5"
    assert difference(Own(factor=1), Own(factor=2), frozenset({"factor"}), False) is None
    assert difference(Own(name="a"), Own(name="b"), frozenset(), False) is None


def test_names_of_layers_and_variables_are_no_data() -> None:
    assert (
        difference(Own(name="a", table="a"), Own(name="b", table="b"), frozenset(), False) is None
    )
    variable = np.arange(3.0)
    held = {"weights": (variable,)}
    for table in (variable, [variable], {"a": (variable, 1)}):
        assert (
            difference(Own(table=table, **held), Own(table=3, **held), frozenset(), False) is None
        )
    for one, two in (({"a": variable}, {"b": variable}), ([variable], [variable, 1])):
        assert (
            difference(Own(table=one, **held), Own(table=two, **held), frozenset(), False) is None
        )
    other = np.arange(4.0)
    assert difference(Own(table=other, **held), Own(table=3, **held), frozenset(), False)


def test_a_call_that_was_replaced_is_said() -> None:
    replaced = Own(call=len)
    said = difference(replaced, Own(), frozenset(), False)
    assert said == "its call() was replaced on the instance, and a copy has that of its class"


def test_methods_are_the_same_whosever_they_are() -> None:
    assert same_function(Own().compute, Own().compute)
    assert not same_function(Own().compute, Asking().compute)
    assert not same_function(Own().compute, len)
    assert not same_function(len, scaled(1.0))
    assert not same_function(scaled(1.0), len)


def test_functions_within_functions_are_looked_at_to_a_depth() -> None:
    one, two = scaled(2.0), scaled(3.0)
    for _ in range(4):
        one, two = through(one), through(two)
        assert not same_function(one, two)
    assert same_function(through(one), through(two))


def test_which_functions_know_a_layer() -> None:
    layer, variable = Own(), np.arange(3.0)
    layer.weights = (variable,)
    assert looks_at(layer.compute, layer)
    assert not looks_at(Own().compute, layer)
    assert looks_at(scaled(layer), layer)  # type: ignore[arg-type]
    assert looks_at(scaled(variable), layer)  # type: ignore[arg-type]
    assert not looks_at(scaled(2.0), layer)
    assert looks_at(partial(round, layer), layer)
    assert looks_at(partial(round, ndigits=variable), layer)
    assert not looks_at(partial(round, 2), layer)
