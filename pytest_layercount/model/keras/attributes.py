"""The attributes of a live built-in layer, as plain data."""

from __future__ import annotations

import sys
from typing import Any

from pytest_layercount.model.keras.common import attribute
from pytest_layercount.model.keras.origin import is_own_function
from pytest_layercount.model.layers import row_of

_PLAIN = frozenset({type(None), bool, int, float, str})


def attributes_of(layer: Any) -> dict[str, Any]:
    """The attributes of a live built-in layer that decide what it computes."""
    row, own = row_of(type(layer).__name__), vars(layer)
    attributes = {}
    for name in row.attributes:
        value = own[name] if name in own else attribute(layer, name)
        attributes[name] = value if type(value) in _PLAIN else normalise(value)
    # Settings of the library as a whole, such as image_data_format(), where a layer has none.
    if row.asks:
        library = sys.modules.get(type(layer).__module__.partition(".")[0])
        for name, setting in row.asks:
            attributes[name] = getattr(library.backend, setting)() if library else None
    return attributes


def normalise(value: Any) -> Any:
    """``value`` as plain data: Keras's own functions by name, sequences as tuples.

    A function of the user's is ``"custom"`` even if it is called ``relu``, and so
    is any other object that can be called.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    # Keras 2 wraps lists that are attributes of layers in a ListWrapper.
    if isinstance(value, (list, tuple)) or type(value).__name__ == "ListWrapper":
        return tuple([item if type(item) in _PLAIN else normalise(item) for item in value])
    if type(value).__module__ == "numpy" and hasattr(value, "ndim"):
        return tuple(normalise(item) for item in value) if value.ndim else value[()]
    if callable(value):
        return value.__name__ if is_own_function(value) else "custom"
    return value
