"""The attributes of a saved built-in layer, as they are read of a live one."""

from __future__ import annotations

from typing import Any

from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.files.saved_layer import SavedLayer

_FUNCTIONS = names("""
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink threshold
    """)
_NEW_NAMES = {"swish": "silu", "hard_swish": "hard_silu"}


def settings_of(layer: SavedLayer) -> dict[str, Any]:
    """The attributes that decide what a saved built-in layer computes."""
    row = row_of(layer.type)
    defaults = row.defaults
    if layer.generation == 2 and layer.type.endswith("Transpose"):
        defaults = {**defaults, "groups": 1}  # where a transposed convolution is a convolution
    found: dict[str, Any] = {}
    for name in (*row.attributes, *(name for name, _ in row.asks)):
        value = layer.config.get(row.keys.get(name, name), defaults.get(name))
        found[name] = _function(value, layer) if name.endswith("activation") else _plain(value)
    if layer.type == "Normalization" and "axis" in found:
        found["axis"] = _axes(found["axis"])
    return found


def _plain(value: Any) -> Any:
    """Sequences as tuples; what Keras wrapped, unwrapped."""
    if isinstance(value, list):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        inner = value.get("config")
        if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(inner, dict):
            return _plain(inner.get("value"))
        return "custom"
    return value


def _function(value: Any, layer: SavedLayer) -> Any:
    """The name of one of Keras's own activations, ``"custom"`` for any other."""
    if value is None:
        return "linear"
    if isinstance(value, dict):
        own = is_own(str(value.get("module"))) and value.get("class_name") == "function"
        value = value.get("config") if own else None
    if not isinstance(value, str) or value not in _FUNCTIONS:
        return "custom"
    return _NEW_NAMES.get(value, value) if layer.generation == 3 else value


def _axes(axis: Any) -> Any:
    if axis is None:
        return ()
    return axis if isinstance(axis, tuple) else (axis,)
