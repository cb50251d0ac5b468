"""Every setting of every layer of Keras's own: changed alone, it is seen; unchanged, nothing is."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pytest_layercount import explain
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.plain_settings import is_without_effect
from pytest_layercount.model.readers.describe import Describer
from tests.conftest import needs_keras
from tests.kerases import load_keras

pytest.importorskip("tensorflow")
pytestmark = needs_keras
keras = load_keras()
layers = keras.layers


def twice(x: Any) -> Any:
    return 2 * x


def thrice(x: Any) -> Any:
    return 3 * x


NEEDED = {
    "activation": "tanh",
    "axes": 1,
    "cell": lambda: layers.LSTMCell(3),
    "cells": lambda: [layers.LSTMCell(3)],
    "dims": (2, 1),
    "equation": "abc,cd->abd",
    "factor": 0.2,
    "filters": 4,
    "function": lambda: twice,
    "head_dim": 2,
    "height": 4,
    "height_factor": 0.2,
    "input_dim": 9,
    "kernel_size": 2,
    "key_dim": 3,
    "layer": lambda: layers.LSTM(3, return_sequences=True),
    "max_number": 4,
    "n": 2,
    "num_bins": 7,
    "num_heads": 2,
    "num_key_value_heads": 2,
    "num_query_heads": 2,
    "num_tokens": 7,
    "output_dim": 4,
    "output_shape": (None, 5),
    "output_size": 2,
    "pool_size": 2,
    "projection_dim": 4,
    "rate": 0.3,
    "scale": 0.5,
    "stddev": 0.1,
    "target_shape": (2, -1),
    "units": 3,
    "width": 5,
    "width_factor": 0.2,
}
"""What constructors demand."""

OTHERS: dict[str, list[Any]] = {
    "activation": ["relu", "sigmoid"],
    "attention_axes": [(1,)],
    "axes": [2],
    "axis": [1, 2],
    "backward_layer": [
        lambda: layers.LSTM(3, return_sequences=True, go_backwards=True, use_bias=False)
    ],
    "bias_axes": ["d"],
    "bin_boundaries": [[0.0, 1.0]],
    "cell": [lambda: layers.LSTMCell(4), lambda: layers.GRUCell(3)],
    "cells": [lambda: [layers.LSTMCell(3, use_bias=False)]],
    "cropping": [2],
    "data_format": ["channels_first"],
    "dilation_rate": [2],
    "dims": [(1, 2)],
    "dtype": ["float16", "float64"],
    "equation": ["abc,cd->adb"],
    "fill_mode": ["wrap", "constant", "nearest"],
    "function": [lambda: thrice],
    "interpolation": ["nearest", "bilinear"],
    "kernel_size": [3],
    "layer": [lambda: layers.LSTM(3, return_sequences=True, use_bias=False)],
    "mask_token": [5, "[M]"],
    "max_tokens": [50],
    "max_value": [6.0],
    "mean": [[0.5]],
    "merge_mode": ["sum"],
    "mode": ["vertical"],
    "ngrams": [2],
    "noise_shape": [(1, 3)],
    "oov_token": [7, "[OTHER]"],
    "output_mode": ["int", "one_hot", "multi_hot"],
    "output_padding": [1],
    "output_sequence_length": [5],
    "output_shape": [(None, 6), 6],
    "output_size": [3],
    "padding": ["same", 2, ((0, 1), (1, 0))],
    "pool_size": [3],
    "recurrent_activation": ["tanh"],
    "salt": [5],
    "score_mode": ["concat"],
    "shared_axes": [[1]],
    "size": [3],
    "split": ["character"],
    "standardize": ["lower"],
    "strides": [3, 2],
    "target_shape": [(4, -1)],
    "value_dim": [5],
    "value_range": [(0.0, 1.0)],
    "variance": [[2.0]],
    "vocabulary": [["a", "b"], [3, 4]],
}
"""Other values than the usual ones, the first that a layer takes counts."""

UNREAD = {
    ("BatchNormalization", "virtual_batch_size"),
    ("DepthwiseConv1D", "groups"),
    ("DepthwiseConv2D", "groups"),
    ("MaxNumBoundingBoxes", "factor"),
    ("RandomCrop", "factor"),
}
"""What only training asks for, and what a constructor takes and drops."""

UNUSABLE = ("DenseFeatures", "FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper", "Wrapper")
"""Layers that need another library, or a file."""


def classes() -> Iterator[type]:
    for name in sorted(dir(layers)):
        cls = getattr(layers, name)
        is_layer = inspect.isclass(cls) and issubclass(cls, layers.Layer)
        if is_layer and cls.__name__ == name and name not in (*UNUSABLE, "InputLayer", "Layer"):
            yield cls


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if base is layers.Layer:
            break
        if "__init__" not in vars(base):
            continue
        own = inspect.signature(base.__init__).parameters
        for name, parameter in list(own.items())[1:]:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found.setdefault(name, parameter)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values()):
            break
    return found


def made(cls: type, **settings: Any) -> Any:
    def value(given: Any) -> Any:
        return given() if getattr(given, "__name__", "") == "<lambda>" else given

    return cls(**{name: value(given) for name, given in settings.items()})


def graph(layer: Any) -> ModelGraph:
    described = Describer(adapter_for(keras.Sequential()))._describe(layer, "it", [], False)
    shape = (None, 8, 8, 4)
    made = (None if described.type == "Reshape" else shape,)
    nodes = (Node(0, shapes=(shape,)), Node(1, (Value(0),), shapes=made))
    entry = Layer("x", "InputLayer", "input", settings={})
    return ModelGraph("net", "Keras 3.15.0", (entry, described), nodes, Value(0), Value(1))


def needed(cls: type) -> dict[str, Any]:
    """What a constructor demands, but for what the class itself tells its base class."""
    found = demanded(cls)
    for _ in tuple(found):
        try:
            made(cls, **found)
        except TypeError as error:
            told = re.search(r"multiple values for (?:keyword )?argument '(\w+)'", str(error))
            if told is None:
                break
            found.pop(told[1], None)
        except Exception:  # noqa: BLE001  the test says why
            break
    return found


def demanded(cls: type) -> dict[str, Any]:
    return {
        name: NEEDED[name]
        for name, parameter in parameters(cls).items()
        if name in NEEDED
        and (parameter.default is parameter.empty or name in ("num_tokens", "num_bins"))
    }


def candidates(name: str, usual: Any) -> list[Any]:
    found = list(OTHERS.get(name, ()))
    if isinstance(usual, bool):
        return [not usual]
    if isinstance(usual, (int, float)):
        found += [usual + 1, usual * 2, usual / 2]
    if usual is None:
        found += [True, 3, 0.5]
    if name == "dtype":
        return OTHERS["dtype"]
    return found


def other(cls: type, name: str, given: dict[str, Any], usual: Any) -> Any:
    """A layer with another value of one setting; None if the layer takes none of those known."""
    for value in candidates(name, usual):
        if value == usual:
            continue
        try:
            found = made(cls, **{**given, name: value})
            found.get_config()
        except Exception:  # noqa: BLE001  a value that this layer does not take
            continue
        return found, value
    return None, None


def told(layer: Any) -> str:
    config = {name: value for name, value in layer.get_config().items() if name != "name"}
    return repr(config).replace(layer.name, "")


@pytest.mark.parametrize("cls", [pytest.param(cls, id=cls.__name__) for cls in classes()])
def test_each_setting_counts(cls):
    given = needed(cls)
    try:
        one, two = made(cls, **given), made(cls, **given)
    except Exception as error:  # noqa: BLE001  another library, or what no table can guess
        pytest.skip(str(error)[:80])
    assert explain(graph(one), graph(two)).same
    unseen = []
    names = {**parameters(cls), "dtype": None}
    for name, parameter in names.items():
        if is_without_effect(cls.__name__, name, builtin=True) or (cls.__name__, name) in UNREAD:
            continue
        usual = given.get(name, getattr(parameter, "default", None))
        changed, value = other(cls, name, given, usual)
        if changed is None or told(one) == told(changed):
            continue  # what Keras itself forgets, a file of the model forgets as well
        if explain(graph(one), graph(changed)).same:
            unseen.append((name, value))
    assert unseen == []


def test_what_was_read_before_makes_no_difference():
    def told(rate):
        return graph(layers.AlphaDropout(rate)).layers[1].settings

    assert told(False).get("rate") is None
    assert told(0).get("rate") == told(0.0).get("rate") == 0


@pytest.mark.parametrize(
    ("settings", "both"),
    [
        ({"max_value": 3}, {"max_value": (None, 3)}),
        ({"negative_slope": 0.5}, {"negative_slope": (None, 0.5)}),
        ({"max_value": 6}, {"activation": ("relu", "relu6")}),
    ],
)
def test_a_relu_that_became_another_is_one_change(settings, both):
    image = keras.Input((4, 4, 3))

    def net(**settings):
        x = layers.ReLU(**settings)(layers.Conv2D(2, 3)(image))
        return keras.Model(image, layers.Flatten()(x))

    explanation = explain(net(), net(**settings))

    assert not explanation.causes
    assert [change.attributes for change in explanation.changed] == [both]


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize(
    ("kind", "settings", "shape"),
    [
        ("BatchNormalization", {"renorm": True}, (4,)),
        ("MaxNumBoundingBoxes", {"max_number": 3}, (4,)),
    ],
)
def test_what_keras_leaves_out_of_a_configuration_is_as_usual(
    kind, settings, shape, suffix, tmp_path
):
    try:
        layer = getattr(layers, kind)(**settings)
    except (AttributeError, TypeError, ValueError):
        pytest.skip(f"this Keras has no such {kind}")
    entry = keras.Input(shape)
    model = keras.Model(entry, layer(entry))
    model.save(str(tmp_path / f"m{suffix}"))

    assert explain(model, tmp_path / f"m{suffix}").same


def scaling(by):
    """A function that multiplies by what it holds."""

    def scale(x):
        return x * by[0]

    return scale


def calling(function):
    return lambda x: 1 * function(x)


class Scale:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x * self.by


def multiplied(x, by):
    return x * by


FUNCTIONS = {
    "a list": lambda by: scaling([by]),
    "an array": lambda by: scaling(np.float32([by, 1])),
    "another function": lambda by: calling(scaling([by])),
    "an argument": lambda by: functools.partial(multiplied, by=by),
    "an attribute": Scale,
    "a default": lambda by: eval(f"lambda x, *, by={by}: x * by"),
    "a layer": layers.ELU,
}


@pytest.mark.parametrize("way", ["Activation", "Dense", "Lambda"])
@pytest.mark.parametrize("held", FUNCTIONS)
def test_what_a_function_holds_is_a_setting(held, way):
    if (held, way) == ("a layer", "Lambda"):
        pytest.skip("a layer is called as it is")

    def net(by):
        function = FUNCTIONS[held](by)
        made = layers.Dense(4, activation=function) if way == "Dense" else getattr(layers, way)
        x = entry = keras.Input((4,))
        x = made(x) if way == "Dense" else made(function)(x)
        return keras.Model(entry, layers.Dense(2)(x))

    explanation = explain(net(2.0), net(3.0))

    assert explain(net(2.0), net(2.0)).same
    assert not explanation.causes
    assert [change.type.lower() for change in explanation.changed] == [way.lower()]


ARITHMETIC = {
    "which comes first": (lambda x: 2 - x, lambda x: x - 2),
    "a vector": (
        lambda x: x * np.float32([1, 2, 3, 4]),
        lambda x: x * np.float32([1, 2, 4, 3]),
    ),
    "a long vector": (lambda x: x + np.arange(9.0)[5:], lambda x: x + np.arange(9.0)[4:8]),
    "a table": (lambda x: x * np.eye(4, dtype="float32"), lambda x: x * np.ones((4, 4), "float32")),
}


@pytest.mark.parametrize("kind", ARITHMETIC)
@pytest.mark.parametrize("suffix", ["", ".h5", ".keras"])
def test_constants_of_arithmetic_count(kind, suffix, tmp_path):
    def net(place):
        entry = keras.Input((4, 4))
        model = keras.Model(entry, layers.Dense(2)(ARITHMETIC[kind][place](entry)))
        if not suffix:
            return model
        model.save(str(tmp_path / f"{place}{suffix}"))
        return tmp_path / f"{place}{suffix}"

    one, two = net(0), net(1)
    (change,) = explain(one, two).changed

    assert next(iter(change.attributes)).startswith("constant")
    entry = keras.Input((4, 4))
    live = keras.Model(entry, layers.Dense(2)(ARITHMETIC[kind][0](entry)))
    assert explain(live, one).same


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_layer_for_a_function_is_the_same_in_a_file(suffix, tmp_path):
    entry = keras.Input((4,))
    model = keras.Model(entry, layers.Dense(2, activation=layers.LeakyReLU())(entry))
    model.save(str(tmp_path / f"m{suffix}"))

    assert explain(model, tmp_path / f"m{suffix}").same
