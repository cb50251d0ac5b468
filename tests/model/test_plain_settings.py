"""Settings that go without saying, against the defaults of Keras."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_layercount.model import plain_settings as module
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.plain_settings import (
    is_without_effect,
    plain_settings,
    stored_settings,
)
from tests.conftest import needs_keras
from tests.kerases import generation, is_keras_3_3, load_keras
from tests.model.test_layers import classes

OTHER_DEFAULTS = {
    ("GRUCell", "activation"),
    ("GroupNormalization", "groups"),
    ("LSTMCell", "activation"),
    ("RandomElasticTransform", "scale"),
    ("RandomErasing", "fill_value"),
    ("RandomErasing", "scale"),
    ("RandomFourierFeatures", "scale"),
    ("RandomPerspective", "scale"),
    ("SimpleRNNCell", "activation"),
}
"""Layers whose default is not the usual one: what they say is only longer."""
OF_ALL = {"activation", "data_format", "dtype"}
"""What Keras fills in where its default is None."""
KERAS_2 = {
    *("batch_input_shape", "build_config", "conv_op", "dynamic", "force_generator", "fused"),
    *("function_type", "implementation", "init_values", "input_length", "key_shape"),
    *("output_shape_module", "output_shape_type", "query_shape", "rng_type", "value_shape"),
}


def defaults() -> Iterator[tuple[str, str, Any]]:
    """Each class, a parameter, and its default; inspect's own word where there is none."""
    for name, cls in classes().items():
        for base in cls.__mro__:
            if "__init__" in vars(base):
                for parameter in inspect.signature(vars(base)["__init__"]).parameters.values():
                    yield name, parameter.name, parameter.default


@needs_keras
def test_what_is_usual_is_a_default_of_keras() -> None:
    there = list(defaults())
    said = {
        (type_, name)
        for type_, name, default in there
        if name in module._USUAL
        and default is not inspect.Parameter.empty
        and plain_settings(type_, {name: default}, builtin=True)
    }
    assert said <= OTHER_DEFAULTS
    if generation(load_keras()) == 3 and not is_keras_3_3():
        usual = {name for _, name, default in there if module._USUAL.get(name, there) == default}
        assert set(module._USUAL) - usual <= OF_ALL
        names = {name for _, name, _ in there} | KERAS_2
        assert names >= module._OF_BUILT_IN | module._OF_ANY_LAYER | module._OF_INPUTS


@pytest.mark.parametrize("name", sorted(module._USUAL))
def test_what_is_not_usual_is_said(name: str) -> None:
    usual = module._USUAL[name]
    assert plain_settings("Own", {name: usual}, builtin=True) == {}
    other = "other" if isinstance(usual, str) else not usual if isinstance(usual, bool) else 7
    assert plain_settings("Own", {name: other}, builtin=True) == {name: other}
    assert plain_settings("Own", {name: other}, builtin=False) == {name: other}


@pytest.mark.parametrize(
    ("type_", "name", "builtin", "without"),
    [
        ("Dense", "name", False, True),
        ("Dense", "kernel_initializer", False, True),
        ("Dense", "bias_regularizer", False, True),
        ("Dense", "kernel_constraint", False, True),
        ("Dense", "units", True, False),
        ("Dense", "weights", True, True),
        ("Dense", "weights", False, False),
        ("InputLayer", "batch_shape", True, True),
        ("InputLayer", "sparse", True, False),
        ("InputLayer", "batch_shape", False, False),
        ("Dense", "batch_shape", True, False),
        ("Lambda", "function", True, False),
        ("TFOpLambda", "function", True, True),
        ("Own", "function", False, False),
        ("Cast", "dtype", True, True),
        ("Cast", "dtype", False, False),
        ("Dense", "dtype", True, False),
        ("GRU", "implementation", True, True),
    ],
)
def test_what_nothing_depends_on(type_: str, name: str, builtin: bool, without: bool) -> None:
    assert is_without_effect(type_, name, builtin=builtin) is without


@pytest.mark.parametrize(
    ("type_", "name", "value", "builtin", "said"),
    [
        ("Dense", "dtype", "float16", True, True),
        ("Dense", "dtype", None, True, False),
        ("StringLookup", "dtype", "int64", True, False),
        ("StringLookup", "dtype", "int32", True, True),
        ("Own", "dtype", "int64", False, True),
        ("Own", "factor", None, False, False),
        ("Own", "factor", False, False, True),
        ("Own", "factor", False, True, False),
        ("Own", "use_bias", False, True, True),
        ("Own", "axis", -1, True, True),
        ("Own", "axes", None, True, True),
        ("Own", "data_format", None, True, False),
        ("Own", "padding", None, True, True),
        ("Own", "momentum", 0.9900001, True, False),  # float32 has no more digits
        ("Own", "momentum", 0.98, True, True),
        ("Own", "groups", True, True, True),
        ("Own", "use_bias", 1, True, True),
        ("Own", "value_range", [0, 255], True, False),
        ("Own", "value_range", (0.0, 255.0), True, False),
        ("Own", "value_range", (0, 1), True, True),
    ],
)
def test_what_goes_without_saying(
    type_: str, name: str, value: Any, builtin: bool, said: bool
) -> None:
    assert (name in plain_settings(type_, {name: value}, builtin=builtin)) is said


@pytest.mark.parametrize(
    ("held", "value", "holds"),
    [
        ({"units": 3}, 3, True),
        ({"units": (3,)}, (3,), True),
        ({"units": None}, None, True),
        ({"units": 3}, 4, False),
        ({"units": 3}, 3.0, False),
        ({"units": 1}, True, False),
        ({"units": [3]}, [3], False),  # it may be changed in place
        ({}, 3, False),
    ],
)
def test_an_attribute_is_read_that_says_what_the_configuration_does(
    held: Any, value: Any, holds: bool
) -> None:
    assert module._holds(SimpleNamespace(**held), "units", value) is holds


def test_a_lambda_in_a_file_is_told_by_its_code() -> None:
    one, two = (
        stored_settings("Lambda", {"function": code}, {}, builtin=True) for code in ("a", "b")
    )
    assert one[module.STORED] != two[module.STORED]
    assert stored_settings("Lambda", {"function": "a"}, {}, builtin=True) == one
    assert module.STORED not in stored_settings("Lambda", {}, {}, builtin=False)


@needs_keras
def test_what_keras_fills_in_goes_without_saying() -> None:
    config = load_keras().layers.Conv2D(4, 3).get_config()
    assert config["activation"] == module._USUAL["activation"]
    assert config["data_format"] == module._USUAL["data_format"]
    assert not OF_ALL & set(plain_settings("Conv2D", config, builtin=True))


@pytest.mark.parametrize(
    ("type_", "dtype", "said"),
    [
        ("StringLookup", "string", False),
        ("StringLookup", "int64", False),
        ("StringLookup", "float32", False),
        ("StringLookup", "int32", True),
        ("Dense", "int64", True),
        ("Dense", "float32", False),
    ],
)
def test_a_type_that_follows_from_the_output_goes_without_saying(
    type_: str, dtype: str, said: bool
) -> None:
    assert ("dtype" in plain_settings(type_, {"dtype": dtype}, builtin=True)) is said


@pytest.mark.parametrize("name", ["axis", "axes"])
@pytest.mark.parametrize("value", [None, False, -1])
def test_an_axis_is_always_said(name: str, value: Any) -> None:
    assert plain_settings("Own", {name: value}, builtin=True) == {name: value}


@needs_keras
def test_what_is_usual_of_one_type_is_its_default() -> None:
    if generation(load_keras()) == 2 or is_keras_3_3():
        pytest.skip("only the newest Keras has all of them")
    there = [(type_, name, _as_tuple(default)) for type_, name, default in defaults()]
    for type_ in classes():
        for name, usual in row_of(type_).usual.items():
            if name != "renorm_clipping":  # of Keras 2
                assert (type_, name, _as_tuple(usual)) in there


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def test_a_mean_that_was_given_is_an_attribute_by_another_name() -> None:
    given = {"mean": (1.0,), "variance": (2.0,)}
    assert plain_settings("Normalization", given, builtin=True) == {"variance": (2.0,)}
