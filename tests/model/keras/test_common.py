"""What every Keras has in common, on objects made like its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_layercount.model.keras.common import (
    dtype_name,
    item_size,
    saved_function,
    shape_and_dtype,
)


class Named:
    """A data type as TensorFlow has it."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_what_a_layer_around_a_saved_model_calls() -> None:
    def endpoint(x: Any) -> Any:
        return x

    class Loaded:
        def __init__(self) -> None:
            self.signatures = {"serve": endpoint}

        def __call__(self, x: Any) -> Any:
            return x

    loaded = Loaded()
    assert saved_function(SimpleNamespace(call_endpoint_fn=endpoint)) is endpoint
    assert saved_function(SimpleNamespace(_func=loaded, _signature="serve")) is endpoint
    assert saved_function(SimpleNamespace(_func=loaded, _signature="other")) is None
    assert saved_function(SimpleNamespace(_func=loaded)) == loaded.__call__
    assert saved_function(SimpleNamespace(_func=loaded, _signature=None)) == loaded.__call__
    assert saved_function(SimpleNamespace(_func=SimpleNamespace())) is None
    assert saved_function(SimpleNamespace(_func=SimpleNamespace(), _signature="serve")) is None
    assert saved_function(SimpleNamespace()) is None


@pytest.mark.parametrize(
    "variable",
    [
        SimpleNamespace(_shape=(2, 3), _dtype="float16", shape=None, dtype=None),
        SimpleNamespace(shape=(2, 3), dtype=Named("float16")),
        SimpleNamespace(_shape=[2, 3], _dtype="float16", shape=(2, 3), dtype="float16"),
        SimpleNamespace(_shape=(2, 3), _dtype=7, shape=(2, 3), dtype="float16"),
    ],
)
def test_the_shape_and_type_of_a_variable(variable: Any) -> None:
    assert shape_and_dtype(variable) == ((2, 3), "float16")


def test_free_sizes_are_none() -> None:
    free = SimpleNamespace(shape=(None, 3), dtype="int64")
    assert shape_and_dtype(free) == ((0, 3), "int64")


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        ("bool", 1),
        ("float16", 2),
        ("bfloat16", 2),
        ("float32", 4),
        ("float64", 8),
        ("int8", 1),
        ("float8_e4m3fn", 1),
        ("int4", 1),
        ("string", 4),
    ],
)
def test_the_bytes_of_a_scalar(dtype: str, size: int) -> None:
    assert item_size(dtype) == size
    assert dtype_name(Named(dtype)) == dtype_name(dtype) == dtype
