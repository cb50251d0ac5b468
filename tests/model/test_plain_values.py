"""Settings as what compares equal if it means the same, from whatever holds them."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_layercount.model.plain_settings import MOST_NUMBERS, stored_settings


def said(value: Any) -> Any:
    """What becomes of a setting that Keras has nowhere."""
    found = stored_settings("Own", {"sharpness": value}, {}, builtin=False)
    return (found or {})["sharpness"]


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


class Policy(Named):
    def get_config(self) -> dict[str, Any]:
        return {"name": "other"}


class Knowing:
    def get_config(self) -> dict[str, Any]:
        return {"rate": 0.25, "name": "knowing"}


class Dimensions:
    def as_list(self) -> list[int | None]:
        return [None, 3]


def kept(name: str, config: Any, **more: Any) -> dict[str, Any]:
    return {"class_name": name, "config": config, **more}


MANY = list(range(MOST_NUMBERS + 1))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (3, 3),
        ("text", "text"),
        (0.1 + 0.2, 0.3),
        (1234567.0, 1234570.0),
        ([1, [2.0, "a"]], (1, (2.0, "a"))),
        ({"b": 1, "a": [2]}, (("a", (2,)), ("b", 1))),
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), (1, 2)),
        (SimpleNamespace(numpy=lambda: np.array([3])), (3,)),
        (Dimensions(), (None, 3)),
        (Named("somebody"), "somebody"),
        (SimpleNamespace(other=1), "own SimpleNamespace"),
        (Policy("mixed_float16"), "mixed_float16"),
        (kept("__tuple__", None, items=[1, 2]), (1, 2)),
        (kept("__numpy__", {"value": [1.0, 2.0], "dtype": "float32"}), (1.0, 2.0)),
        (kept("__tensor__", {"value": 3, "dtype": "int32"}), 3),
        (kept("function", "relu", module="builtins"), "own relu"),
        (kept("function", "own>relu"), "relu"),
        (kept("__lambda__", {"code": "..."}), "own <lambda>"),
        (kept("DTypePolicy", {"name": "mixed_bfloat16"}), "mixed_bfloat16"),
        (
            kept("QuantizedDTypePolicy", {"mode": "int8", "source_name": "float32"}),
            "int8_from_float32",
        ),
        (kept("Zeros", {}), ("Zeros",)),
        (kept("Zeros", 3), ("Zeros",)),
        (len, "own len"),
        (partial(round, ndigits=2), "own partial"),
    ],
)
def test_a_setting_as_plain_data(value: Any, plain: Any) -> None:
    assert said(value) == plain


def test_objects_are_told_by_their_classes_and_configurations() -> None:
    assert said(Knowing()) == ("Knowing", ("rate", 0.25))


def test_many_values_are_told_by_a_digest() -> None:
    assert said(MANY[1:]) == tuple(MANY[1:])
    one, two = said(MANY), said([*MANY[:-1], 0])
    assert one.startswith(f"{len(MANY)} values ")
    assert one != two
    assert one == said(tuple(MANY))
    array = np.arange(2.0 * MOST_NUMBERS).reshape(2, -1)
    told = said(array)
    shown = f"float64 [2, {MOST_NUMBERS}] "
    assert told.startswith(shown)
    assert len(told) == len(shown) + 8
    changed = array.copy()
    changed[-1, -1] = 0.0
    assert said(changed) != told
    assert said(array.copy()) == told
    assert len(said(array[0])) == MOST_NUMBERS
