"""Which layer types there are: Keras's own, and those of the user's that are loaded."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Collection, Iterator
from typing import Literal

from pytest_layercount.model.count import Count
from pytest_layercount.model.keras.origin import bases_of, imported, is_model, is_own
from pytest_layercount.model.layers import KNOWN

Unlimited = Literal["every", "model", "base"]
"""Why no layer counts as a class: all are of it, it is one of models, or only Keras derives it."""

_EVERY = ("Layer", "Module", "Operation")
_MODELS = ("Functional", "Model", "Sequential")


def is_type(name: str, count: Count = "layers") -> bool:
    """Whether a class of layers, or of what else ``count`` counts, is called ``name``."""
    # Models are opened, so that no layer is one; at top level they count themselves.
    if name in KNOWN and (name not in _MODELS or count == "top"):
        return True
    if any(_why_unlimited(cls, count) is None for cls in _classes(name)):
        return True
    if count != "nodes":
        return False
    # The names of TensorFlow's raw operations, which nodes of traced functions have.
    operations = getattr(sys.modules.get("tensorflow"), "raw_ops", None)
    if hasattr(operations, name):
        return True
    known = name in (cls.__name__ for cls in _loaded("Operation"))  # layers derive from it
    return known and why_unlimited(name, count) is None


def why_unlimited(name: str, count: Count = "layers") -> Unlimited | None:
    """Why nothing counts as ``name``, which is no layer type; None if there is no such class."""
    reasons = [_why_unlimited(cls, count) for cls in _classes(name)]
    if not reasons and name in (*_EVERY, *_MODELS):
        return "every" if name in _EVERY else "model"
    return next(filter(None, reasons), None)


def _classes(name: str) -> list[type]:
    # Metrics of Keras 2 are layers, but of no model.
    named = [cls for cls in _loaded("Layer") if cls.__name__ == name]
    return [cls for cls in named if not any(base.__name__ == "Metric" for base in cls.__mro__)]


def _why_unlimited(cls: type, count: Count) -> Unlimited | None:
    if is_model(cls):
        return None if count == "top" else "model"
    if not is_own(cls):
        return None
    if cls.__name__ in _EVERY:
        return "every"
    # Of Keras's own classes a layer counts for those that all versions derive it from.
    derived = [
        known for known in _loaded("Layer") if cls in known.__mro__ and known.__name__ in KNOWN
    ]
    # A limit on a base class that only one version has would count nothing in another.
    return "base" if any(cls.__name__ not in bases_of(known) for known in derived) else None


def closest(name: str, there: Collection[str]) -> str | None:
    """The layer type closest to ``name``: one of ``there`` if any is close, else any known."""
    own = {cls.__name__ for cls in _loaded("Layer") if not is_own(cls)}
    for names in (there, own | KNOWN):
        lower = {known.lower(): known for known in sorted(names)}
        close = difflib.get_close_matches(name.lower(), lower, n=1)
        if close:
            return lower[close[0]]
    return None


def _loaded(root: str) -> Iterator[type]:
    """The classes that derive from Keras's ``root``, in every Keras that is imported."""
    seen: set[type] = set()
    for library in imported():
        top = getattr(library, root, None) or getattr(library.layers, root, None)
        waiting = [top] if isinstance(top, type) else []
        while waiting:
            cls = waiting.pop()
            if cls not in seen:
                seen.add(cls)
                yield cls
                waiting += cls.__subclasses__()
