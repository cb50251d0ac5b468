"""Layers that a layer uses and that Keras does not know as its parts.

Keras tracks what is set as an attribute of a layer, in lists and dictionaries too. It does
not see what an object of the user's own holds, what a function closes over or names as a
global, nor whether the layer given as an activation is one to count.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

ACTIVATIONS = ("activation", "recurrent_activation")
"""Where layers of Keras's own keep what they are given to call."""


_FRAMEWORKS = ("keras", "tf_keras", "tensorflow", "numpy", "builtins", "functools", "threading")
_NODES = ("_inbound_nodes", "_outbound_nodes")
_DEEP = 6


def loose_layers(layer: Any, *, builtin: bool) -> Iterator[Any]:
    """The layers and models that are reached from ``layer`` by Python alone, none of them twice."""
    # Keras's own layers have no code of the user's but what they were given.
    if builtin:
        names = (*ACTIVATIONS, "function", "arguments")  # the last two are those of a Lambda
        roots = [getattr(layer, name, None) for name in names]
    else:
        own = {name: value for name, value in vars(layer).items() if name not in _NODES}
        roots = [*own.values(), *_methods(type(layer))]
    seen = {id(layer)}
    # likeness.py compares those of a layer and its copy one by one, so the order has to depend on
    # the attributes alone. Objects may refer to one another, hence ``seen``.
    waiting = [(root, 0) for root in reversed(roots)]
    while waiting:
        value, depth = waiting.pop()
        if id(value) in seen or depth > _DEEP:
            continue
        seen.add(id(value))
        if is_layer(value):
            yield value
        else:
            waiting += [(inner, depth + 1) for inner in _held_by(value)]


def is_layer(value: Any) -> bool:
    """Whether a value is a layer or model of Keras's, or of a class derived from one."""
    return hasattr(type(value), "_flatten_layers")


def is_own_object(value: Any) -> bool:
    """Whether a value is an object of the user's, which says by its attributes what it is."""
    cls = type(value)
    if cls is SimpleNamespace:
        return True
    own = cls.__module__.partition(".")[0] not in _FRAMEWORKS and cls is not type
    code = isinstance(value, (type, FunctionType, MethodType, ModuleType, partial))
    return own and not code and not is_layer(value) and attributes_of(value) is not None


def attributes_of(value: Any) -> dict[str, Any] | None:
    """The attributes of an object, those in slots as well; None where it can have none."""
    slots = [name for cls in type(value).__mro__ for name in _names(vars(cls).get("__slots__"))]
    own = getattr(value, "__dict__", None)
    if own is None and not slots:
        return None
    return {**{name: getattr(value, name) for name in slots if hasattr(value, name)}, **(own or {})}


def _names(slots: Any) -> Iterable[str]:
    names = (slots,) if isinstance(slots, str) else slots or ()
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def closure(function: Any) -> list[Any]:
    """The values that a function closes over."""
    cells = getattr(function, "__closure__", None) or ()
    return [cell.cell_contents for cell in cells if _is_filled(cell)]


def _held_by(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, FunctionType):
        return _used_by(value)
    if hasattr(value, "python_function"):  # of tf.function
        return [value.python_function]
    return list((attributes_of(value) or {}).values()) if is_own_object(value) else ()


def _used_by(function: FunctionType) -> list[Any]:
    """What a function that is not Keras's closes over, has as defaults and names as globals."""
    if str(function.__module__).partition(".")[0] in _FRAMEWORKS:
        return []
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    # Globals lead anywhere; of these only layers and functions that may use some are looked at.
    named = map(function.__globals__.get, _global_names(function.__code__))
    return [
        *closure(function),
        *defaults,
        *(value for value in named if is_layer(value) or isinstance(value, FunctionType)),
    ]


def _methods(cls: type) -> Iterator[Any]:
    """The functions of the user's own that a class is made of."""
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] not in _FRAMEWORKS:
            yield from vars(base).values()


@lru_cache(maxsize=1024)
def _global_names(code: CodeType) -> tuple[str, ...]:
    """The globals that code reads, that of the functions in it as well."""
    names = [step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"]
    for constant in code.co_consts:
        names += _global_names(constant) if isinstance(constant, CodeType) else ()
    return tuple(dict.fromkeys(names))


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  this is how to ask
    except ValueError:
        return False
    return True
