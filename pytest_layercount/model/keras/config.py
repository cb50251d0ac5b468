"""Copying a layer from its configuration: what both Keras generations share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from pytest_layercount.model.keras.common import parts
from pytest_layercount.model.keras.likeness import is_function, looks_at, same_function
from pytest_layercount.model.keras.origin import is_own

_FUSED = "_could_use_gpu_kernel"
"""Keras 2 looks at the activations when it makes a layer, not at what they are set to later.

Where they are the usual ones, it runs another implementation, in which they are fixed.
"""

_FORGOTTEN = {
    "BaseConvTranspose": ("output_padding",),
    "CategoryEncoding": ("sparse",),
    "GRU": ("use_cudnn", _FUSED),
    "GRUCell": ("implementation",),
    "LSTM": ("use_cudnn", _FUSED),
    "LSTMCell": ("implementation",),
    "LayerNormalization": ("rms_scaling",),
}
"""What Keras's own ``get_config()`` leaves out: all of it in Keras 3.3, some still in 3.15."""

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
    # Integers stay: those of a lookup or of a counter mean something else.
    if isinstance(dtype, Mapping):  # a serialised policy
        dtype = dtype.get("config", {}).get("name")
    return str(getattr(dtype, "name", dtype)) in FLOATS


def with_changes(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with ``changes``; a nested mapping changes the layer inside of that name."""
    merged = dict(config)
    for name, change in changes.items():
        if isinstance(change, Mapping):
            # What Keras serialised: {"class_name": ..., "config": {...}}.
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
    """Functions and classes of the user's that the configuration of ``layer`` may name.

    Found in the attributes of the layer, of the layers and objects in these, and so on.
    """
    objects: dict[str, Any] = {}
    pending, seen = [layer], set()
    while pending:
        owner = pending.pop()
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        objects[type(owner).__name__] = type(owner)
        for value in _attributes(owner):
            if hasattr(value, "get_config") and hasattr(value, "__dict__"):
                pending.append(value)
            elif callable(value) and hasattr(value, "__name__"):
                objects[value.__name__] = value
    return {name: value for name, value in objects.items() if not is_own(value)}


def made_again(live: Any, make: Callable[[dict[str, Any]], Any]) -> Any:
    """The layer that ``make`` builds from the configuration of ``live``.

    Where that fails, since no configuration holds a lambda, it is made without its functions,
    which :func:`keep_functions` hands over later.
    """
    functions = [value for part in parts(live) for _, value in functions_of(part)]
    try:
        # Keras warns of a lambda before it fails.
        if not any("<lambda>" in str(getattr(function, "__name__", "")) for function in functions):
            return make(live.get_config())
    except Exception:
        if not functions:
            raise
    return _without_functions(live, make)


def _without_functions(live: Any, make: Callable[[dict[str, Any]], Any]) -> Any:
    with _functions_set_aside(live):
        config = live.get_config()
    return make(config)


@contextmanager
def _functions_set_aside(live: Any) -> Iterator[None]:
    """Hide the functions of a layer and its parts while the configuration is read.

    Initializers and the like become None, all others the linear activation. In ``vars()``, where
    Keras does not notice.
    """
    aside: list[tuple[dict[str, Any], str, Any]] = []
    for part in parts(live):
        for name, value in functions_of(part):
            # Keras's own activations have names that a configuration can hold.
            if "activations" not in str(getattr(value, "__module__", "")):
                aside.append((vars(part), name, value))
    # The Keras that the layer derives from, of which there may be two.
    own = next(filter(is_own, type(live).__mro__))
    library = sys.modules[own.__module__.partition(".")[0]]
    try:
        for attributes, name, _ in aside:
            training = name.endswith(("initializer", "regularizer", "constraint"))
            attributes[name] = None if training else library.activations.linear
        yield
    finally:
        for attributes, name, value in aside:
            attributes[name] = value


def functions_of(part: Any) -> list[tuple[str, Any]]:
    """The functions that a layer keeps, by attribute; its own methods are none of these.

    Keras 3 wraps ``build`` in a function that belongs to one instance.
    """
    return [
        (name, value)
        for name, value in vars(part).items()
        if is_function(value) and not hasattr(type(part), name)
    ]


def keep_functions(old: Any, new: Any, changed: frozenset[str]) -> bool:
    """Give a copy the functions of its original; return whether any had to be handed over.

    A function that both made for themselves of the same lines stays, since it may look at the
    layer that made it; one that looks at the original is never handed over.
    """
    kept = False
    for source, target in zip(parts(old), parts(new), strict=False):
        for name, value in functions_of(source):
            there = vars(target).get(name)
            if name in changed or there is value or same_function(value, there):
                continue
            if not looks_at(value, old):
                setattr(target, name, value)
                kept = True
    return kept


def keep_settings(old: Any, new: Any, changed: frozenset[str]) -> None:
    """Give a copy, before its first call, the settings that no configuration holds."""
    for source, target in zip(parts(old), parts(new), strict=False):
        for base in type(source).__mro__:
            for name in _FORGOTTEN.get(base.__name__, ()) if is_own(base) else ():
                if name in vars(source) and name not in changed:
                    setattr(target, name, vars(source)[name])


def lambda_arguments(live: Any, name: str, dtype: Any) -> dict[str, Any]:
    """The arguments that make a Lambda. From its configuration it would come as bytecode."""
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
