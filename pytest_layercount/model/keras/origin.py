"""Whose a class, a function or a module is: Keras's own, TensorFlow's, or the user's.

All is told from names of modules, never by importing: ``keras`` may be of either
generation, and ``tf_keras`` is Keras 2 beside a Keras 3.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from pytest_layercount.model.layers import row_of

LIBRARIES = ("keras", "tf_keras")


def is_own(thing: Any) -> bool:
    """Whether a class or function, or what a module of this name defines, is Keras's own."""
    return _root(thing) in LIBRARIES


def is_framework(thing: Any) -> bool:
    """Whether it is Keras's own or TensorFlow's."""
    return _root(thing) in (*LIBRARIES, "tensorflow")


def is_own_function(value: Any) -> bool:
    """Whether ``value`` is what Keras or TensorFlow itself defines under its name.

    Names alone do not tell: ``functools.wraps`` gives a user's wrapper around Keras's ``relu`` the
    name and the module of what it wraps.
    """
    name, module = getattr(value, "__name__", ""), str(getattr(value, "__module__", ""))
    if not is_framework(module):
        return False
    return bool(name) and getattr(sys.modules.get(module), name, None) is value


def is_model(cls: type) -> bool:
    """Whether a class is that of a model."""
    return any(base.__name__ == "Model" for base in cls.__mro__)


def bases_of(cls: type) -> tuple[str, ...]:
    """The layer classes that a class derives from: the user's, then Keras's nearest and its bases.

    The bases of Keras's own classes come from our table and not from ``__mro__``: versions of Keras
    derive one class from different ones.
    """
    if is_own(cls):
        return row_of(cls.__name__).bases
    names: list[str] = []
    # Up to the first class of Keras's own: its row knows the rest. Mixins that are no layers are
    # left out.
    for base in cls.__mro__[1:]:
        if is_own(base):
            own = () if base.__name__ == "Layer" else (base.__name__,)
            return (*names, *own, *row_of(base.__name__).bases)
        if any(root.__name__ == "Layer" and is_own(root) for root in base.__mro__):
            names.append(base.__name__)
    return tuple(names)


def library_of(candidate: object) -> str | None:
    """``"keras"`` or ``"tf_keras"``, whichever the class of a model comes from."""
    for base in type(candidate).__mro__:
        if base.__name__ == "Model" and is_own(base):
            return _root(base)
    return None


def imported() -> list[ModuleType]:
    """Every Keras that is imported."""
    # sys.modules holds None for a module whose import is blocked.
    return [sys.modules[library] for library in LIBRARIES if sys.modules.get(library)]


def _root(thing: Any) -> str:
    module = thing if isinstance(thing, str) else getattr(thing, "__module__", None)
    return str(module).partition(".")[0]
