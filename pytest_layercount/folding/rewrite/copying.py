"""Copying a layer from its configuration: what both Keras generations share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np

FLOATS = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")


def with_dtype(config: Any, dtype: str) -> Any:
    """``config`` with every floating-point data type in it, at any depth, set to ``dtype``."""
    if isinstance(config, Mapping):
        return {
            key: dtype if key == "dtype" and _is_float(item) else with_dtype(item, dtype)
            for key, item in config.items()
        }
    if isinstance(config, (list, tuple)):
        items = [with_dtype(item, dtype) for item in config]
        return tuple(items) if isinstance(config, tuple) else items
    return config


def _is_float(dtype: Any) -> bool:
    if isinstance(dtype, Mapping):  # a serialised policy
        dtype = dtype.get("config", {}).get("name")
    return str(getattr(dtype, "name", dtype)) in FLOATS


def with_changes(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with ``changes``; those of a layer inside it are a mapping of their own."""
    merged = dict(config)
    for name, change in changes.items():
        if isinstance(change, Mapping):
            inner = config[name]
            merged[name] = {**inner, "config": with_changes(inner["config"], change)}
        else:
            merged[name] = change
    return merged


def set_numbers(layer: Any, changes: Mapping[str, Any]) -> None:
    """Give a layer several numbers as an array: in a list TensorFlow reads them as float32."""
    for name, change in changes.items():
        if isinstance(change, tuple) and all(isinstance(item, np.floating) for item in change):
            setattr(layer, name, np.asarray(change))


def custom_objects(layer: Any) -> dict[str, Any]:
    """Functions and classes that the configuration of ``layer`` may name without a module."""
    found: dict[str, Any] = {}
    pending, seen = [layer], set()
    while pending:
        owner = pending.pop()
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        found[type(owner).__name__] = type(owner)
        for value in _attributes(owner):
            if hasattr(value, "get_config") and hasattr(value, "__dict__"):
                pending.append(value)
            elif callable(value) and hasattr(value, "__name__"):
                found[value.__name__] = value
    return {name: value for name, value in found.items() if not _built_in(value)}


def keep_functions(old: Any, new: Any, changes: Mapping[str, Any]) -> None:
    """Give a copy the user's own functions: by its name one may pass for Keras's.

    A layer's own methods are none of these, though Keras 3 wraps ``build`` in a
    function that belongs to one instance.
    """
    for name, value in vars(old).items():
        own = isinstance(value, FunctionType) and not _built_in(value) and name not in changes
        if own and not hasattr(type(old), name) and vars(new).get(name) is not value:
            setattr(new, name, value)


def lambda_arguments(live: Any, name: str, dtype: Any) -> dict[str, Any]:
    """What makes a Lambda: from its configuration it would be rebuilt out of bytecode."""
    return {
        "function": live.function,
        "output_shape": live._output_shape,
        "mask": live.mask,
        "arguments": live.arguments,
        "name": name,
        "dtype": dtype,
    }


def _attributes(owner: Any) -> Iterator[Any]:
    for value in vars(owner).values():
        yield from value if isinstance(value, (list, tuple)) else (value,)


def _built_in(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] in ("keras", "tf_keras")
