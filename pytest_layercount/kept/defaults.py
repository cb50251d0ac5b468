"""Which attributes of a layer go without saying: what Keras does where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_layercount.model.layers import row_of

_DEFAULTS: Mapping[str, Any] = {
    "activation": "linear",
    "axis": -1,
    "center": True,
    "data_format": "channels_last",
    "depth_multiplier": 1,
    "groups": 1,
    "interpolation": "nearest",
    "invert": False,
    "keepdims": False,
    "mask_zero": False,
    "negative_slope": 0.0,
    "pad_to_aspect_ratio": False,
    "padding": "valid",
    "reset_after": True,
    "rms_scaling": False,
    "scale": True,
    "threshold": 0.0,
    "trainable": True,
    "use_bias": True,
}
_ONES = ("dilation_rate", "strides")


def without_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that say something, in alphabetical order."""
    known = _defaults(config)
    return {
        name: value
        for name, value in sorted(config.items())
        if value is not None and (type(value), value) != (type(known.get(name)), known.get(name))
    }


def with_defaults(type_: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All attributes of a layer of ``type_``, some of which are ``given``."""
    known, row = _defaults(given), row_of(type_)
    names = [*row.attributes, *(name for name, _ in row.asks)]
    return {name: known.get(name) for name in names} | dict(given)


def _defaults(config: Mapping[str, Any]) -> Mapping[str, Any]:
    kernel = config.get("kernel_size")
    if not isinstance(kernel, tuple):
        return _DEFAULTS
    return {**_DEFAULTS, **{name: (1,) * len(kernel) for name in _ONES}}
