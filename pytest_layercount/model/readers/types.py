"""Which layer types there are: Keras's own, and those of the user's that are loaded."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Collection, Iterator

from pytest_layercount.model.count import Count
from pytest_layercount.model.keras.origin import imported, is_own
from pytest_layercount.model.layers import KNOWN


def is_type(name: str, count: Count = "layers") -> bool:
    """Whether a class of layers, or of what else ``count`` counts, is called ``name``."""
    if name in KNOWN or name in (cls.__name__ for cls in _loaded("Layer")):
        return True
    if count != "nodes":
        return False
    operations = getattr(sys.modules.get("tensorflow"), "raw_ops", None)
    return hasattr(operations, name) or name in (cls.__name__ for cls in _loaded("Operation"))


def closest(name: str, there: Collection[str]) -> str | None:
    """The layer type that ``name`` was meant for, first of those that are ``there``."""
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
