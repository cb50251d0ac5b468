"""Lines of baselines that few models have: each value comes back as it was written."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_layercount.checks.arguments import guess_keyword
from pytest_layercount.compare.vocabulary import relu6
from pytest_layercount.kept.baseline import baseline, read, written
from pytest_layercount.kept.lines import MOST_NUMBERS
from pytest_layercount.kept.parse import Malformed
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value

LINE = ((None, 6, 4),)


def graph(*layers: Layer, nodes: tuple[Node, ...] = ()) -> ModelGraph:
    """A model of these layers behind an input, one after the other unless ``nodes`` are given."""
    calls = nodes or tuple(Node(n, (Value(n - 1),), shapes=LINE) for n in range(1, len(layers) + 1))
    entry = Layer("x", "InputLayer", "input")
    first = Node(0, shapes=LINE, dtypes=("float32",))
    return ModelGraph(
        "net", "Keras 3.15.0", (entry, *layers), (first, *calls), Value(0), Value(len(calls))
    )


def there_and_back(model: ModelGraph) -> tuple[str, ModelGraph]:
    """The lines of a model, and the model that is read from them."""
    text = written(baseline("test_it.py::test_it", "test_it.test_it", "layers", model))
    return text, read(text).graph


def own(**settings: Any) -> Layer:
    return Layer("own", "Own", builtin=False, settings=settings)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1 + 0.2, "0.3"),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (True, "True"),
        ("text", "'text'"),
        (math.inf, "float('inf')"),
        (-math.inf, "float('-inf')"),
        ((1,), "(1,)"),
        ([1, (2, "a")], "[1, (2, 'a')]"),
        ({"b": 2, "a": [1]}, "{'a': [1], 'b': 2}"),
        (np.array([[1, 2]]), "[[1, 2]]"),
        (SimpleNamespace(numpy=lambda: np.array([1, 2])), "[1, 2]"),
        (SimpleNamespace(numpy=lambda: np.float32(0.5)), "0.5"),
        (slice(1, None, 2), "slice(1, None, 2)"),
        (Ellipsis, "..."),
        (SimpleNamespace(as_numpy_dtype=float, name="bfloat16"), "'bfloat16'"),
        (object(), "'other'"),
    ],
)
def test_a_setting_and_an_argument_of_each_kind(value: Any, shown: str) -> None:
    call = Node(1, (Value(0), value), {"key": value}, shapes=LINE)
    text, back = there_and_back(graph(own(sharpness=value), nodes=(call,)))
    assert f"own.Own(sharpness={shown})(up1, {shown}, key={shown})" in text
    again, _ = there_and_back(back)
    assert again == text
    node = back.nodes[1]
    assert node.args[0] == Value(0)
    assert node.kwargs["key"] == node.args[1] == (back.layers[1].settings or {})["sharpness"]


def test_a_number_that_is_none() -> None:
    text, back = there_and_back(graph(own(sharpness=math.nan)))
    assert "sharpness=float('nan')" in text
    assert math.isnan((back.layers[1].settings or {})["sharpness"])


def test_many_numbers_are_a_digest() -> None:
    numbers = [0.5] * (MOST_NUMBERS + 1)
    text, back = there_and_back(graph(own(table=numbers, few=numbers[1:])))
    assert (back.layers[1].settings or {})["few"] == numbers[1:]
    told = (back.layers[1].settings or {})["table"]
    assert told.startswith(f"{len(numbers)} values ")
    other, _ = there_and_back(graph(own(table=[*numbers[1:], 0.25], few=numbers[1:])))
    assert other != text
    words = ["a"] * (MOST_NUMBERS + 1)
    assert (there_and_back(graph(own(table=words)))[1].layers[1].settings or {})["table"] == words


def test_settings_whose_names_are_none_in_python() -> None:
    settings = {"class": 1, "a b": (2,), "fine": 3}
    text, back = there_and_back(graph(own(**settings)))
    assert "own.Own(**{'a b': (2,)}, **{'class': 1}, fine=3)" in text
    assert back.layers[1].settings == settings


@pytest.mark.parametrize("seal", ["quantized", "lora", "tied"])
def test_weights_that_must_stay(seal: str) -> None:
    text, back = there_and_back(graph(Layer("d", "Dense", sealed=seal, parameters=3, settings={})))
    assert seal in text
    assert back.layers[1].sealed == seal


def test_the_last_axis_goes_without_saying() -> None:
    softmax = Layer("s", "Own", builtin=False, settings={"axis": -1})
    other = Layer("s", "Own", builtin=False, settings={"axis": 1})
    assert "own.Own()" in there_and_back(graph(softmax))[0]
    assert "own.Own(axis=1)" in there_and_back(graph(other))[0]


def test_a_layer_that_is_called_again_by_its_line() -> None:
    scaled = Node(1, (Value(1),), {"scale": 2}, shapes=LINE)
    calls = Node(1, (Value(0),), shapes=LINE), scaled, Node(1, (Value(2),), shapes=LINE)
    text, back = there_and_back(graph(own(), nodes=calls))
    assert "up1.layer(up1, scale=2)" in text
    assert [node.layer for node in back.nodes] == [0, 1, 1, 1]
    assert back.nodes[2].kwargs == {"scale": 2}


@pytest.mark.parametrize(
    "line",
    ["3", "own.Own(1)", "a.b.Own()", "own.Own()(name)", "up1", "own.Own(a=name)", "Own()()()()"],
)
def test_what_is_no_line(line: str) -> None:
    text, _ = there_and_back(graph(own()))
    assert "\nown.Own() " in text
    with pytest.raises(Malformed):
        read(text.replace("\nown.Own() ", f"\n{line} "))


@pytest.mark.parametrize(
    ("layer", "is_one"),
    [
        (Layer("r", "Relu6", "operation", operation="relu6"), True),
        (Layer("r", "Relu", "operation", operation="relu"), False),
        (Layer("r", "ReLU", config={"max_value": 6.0}), True),
        (Layer("r", "ReLU", config={"max_value": 6.0, "negative_slope": 0.1}), False),
        (Layer("r", "ReLU", config={"max_value": 6.0, "threshold": 1.0}), False),
        (Layer("r", "ReLU", config={"max_value": None}), False),
        (Layer("r", "ReLU", builtin=False, config={"max_value": 6.0}), False),
        (Layer("r", "ELU", config={"max_value": 6.0}), False),
    ],
)
def test_a_relu_with_a_ceiling(layer: Layer, is_one: bool) -> None:
    assert relu6(layer) is is_one


@pytest.mark.parametrize(
    ("value", "keyword"),
    [
        ({"Dense": 3}, "types"),
        ("nodes", "count"),
        ("10%", "max_growth"),
        ("5 MB", "max_bytes"),
        ("5M", "max_parameters"),
        ("resnet", "model"),
        (150, "max"),
        (None, "max"),
    ],
)
def test_which_keyword_was_meant(value: object, keyword: str) -> None:
    assert guess_keyword(value) == keyword
