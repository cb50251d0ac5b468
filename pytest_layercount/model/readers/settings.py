"""The attributes of a saved built-in layer, as they are read of a live one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.layers.attributes import ATTRIBUTES, SETTINGS
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.network import SavedLayer

# Under what other name a configuration has an attribute.
_KEYS = {("Normalization", "input_mean"): "mean"}
# What older files leave out, and what layers ask Keras for: its settings as they come.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    **{f"Conv{n}D": {"groups": 1} for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": {"dilation_rate": (1,) * n} for n in (1, 2, 3)},
    **{
        f"Global{kind}Pooling{n}D": {"keepdims": False}
        for kind in ("Average", "Max")
        for n in (1, 2, 3)
    },
    "Normalization": {"epsilon": 1e-7, "invert": False},
    "ReLU": {"negative_slope": 0.0, "threshold": 0.0},
    "Rescaling": {"data_format": "channels_last"},
    "Embedding": {"mask_zero": False},
    "MultiHeadAttention": {"use_bias": True},
}
_FUNCTIONS = names("""
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink threshold
    """)
_NEW_NAMES = {"swish": "silu", "hard_swish": "hard_silu"}


def settings_of(layer: SavedLayer) -> dict[str, Any]:
    """The attributes that decide what a saved built-in layer computes."""
    defaults = _DEFAULTS.get(layer.type, {})
    if layer.generation == 2 and layer.type.endswith("Transpose"):
        defaults = {**defaults, "groups": 1}  # where a transposed convolution is a convolution
    found: dict[str, Any] = {}
    settings = (name for name, _ in SETTINGS.get(layer.type, ()))
    for name in (*ATTRIBUTES.get(layer.type, ()), *settings):
        key = _KEYS.get((layer.type, name), name)
        value = layer.config.get(key, defaults.get(name))
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
