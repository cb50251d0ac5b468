"""The data types and masks of what a saved layer returns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.base import Call
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.files.saved_layer import SavedLayer, SavedTensor

_TRUTHS = names("""
    all any equal greater greater_equal is_finite is_inf is_nan isfinite isinf isnan less
    less_equal logical_and logical_not logical_or logical_xor not_equal reduce_all reduce_any
    """)
_COUNTS = names("argmax argmin argsort count_nonzero rank shape size")


@cache
def item_size(dtype: str) -> int:
    """The bytes of one scalar: 2 for ``bfloat16``, 1 for ``float8_e4m3fn``, 4 where unknown."""
    if dtype == "bool":
        return 1
    bits = re.search(r"\d+", dtype)
    return max(int(bits[0]) // 8, 1) if bits else 4


def stored_bytes(layer: SavedLayer, parameters: int) -> int:
    """The memory of a saved layer's weights; the count of a Normalization is an int64."""
    counter = 4 * (layer.builtin and layer.type == "Normalization" and parameters > 0)
    return parameters * item_size(_stored_as(layer)) + counter


def _stored_as(layer: SavedLayer) -> str:
    """The data type of a saved layer's variables: ``float32`` under mixed precision."""
    policy = layer.config.get("dtype", "float32")
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        policy = inner.get("name") or "" if isinstance(inner, Mapping) else ""
    named = str(policy or "float32").rpartition("_from_")[2]
    return "float32" if named.startswith("mixed_") else named


def dtype_of(
    layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: list[SavedTensor]
) -> str:
    """The data type of a call's outputs, empty where it is not known."""
    first = inputs[0].dtype
    if layer.operation is not None:
        return _of_operation(layer, args, kwargs, [tensor.dtype for tensor in inputs])
    policy = layer.config.get("dtype", "float32" if layer.builtin else "")
    if not policy:
        return ""
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        named = inner.get("name") or inner.get("source_name") if isinstance(inner, Mapping) else ""
        policy = str(named or "").rpartition("_from_")[2]
    computes = str(policy or "float32").removeprefix("mixed_")
    row = row_of(layer.type)
    if first and "float" not in first and row.keeps_integers(layer.config, layer.generation):
        return first
    call = Call(layer.config, generation=layer.generation, version=layer.version)
    return computes if row.dtype is None else row.dtype(call, computes)


def _of_operation(
    layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: list[str]
) -> str:
    name = layer.operation
    if name in ("cast", "one_hot", "ones", "zeros"):
        usual = "float32" if name != "cast" else args[1] if len(args) > 1 else ""
        wanted = kwargs.get("dtype") or usual
        return wanted if isinstance(wanted, str) else ""
    if name in _COUNTS:
        large = layer.generation == 2 and name in ("argmax", "argmin", "count_nonzero")
        wanted = kwargs.get("output_type") or kwargs.get("out_type")
        return wanted if isinstance(wanted, str) else "int64" if large else "int32"
    if name in ("embedding_lookup", "fill", "sequence_mask"):
        return ""
    if name == "where":
        return inputs[1] if len(inputs) > 1 else ""
    return "bool" if name in _TRUTHS else inputs[0]


def is_masked(layer: SavedLayer, inputs: list[SavedTensor]) -> bool:
    """Whether Keras carries a mask along with the first output."""
    if not layer.builtin or layer.operation is not None:
        return False
    wraps = layer.type == "Bidirectional" and layer.inner is not None
    config = layer.inner.config if wraps and layer.inner else layer.config
    return row_of(layer.type).masks(config, [tensor.masked for tensor in inputs])
