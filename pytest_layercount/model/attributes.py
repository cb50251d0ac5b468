"""Which attributes of a built-in layer decide what it computes.

Readers copy exactly these into ``Layer.config``, from a live layer or from a
saved configuration, so that rules see one vocabulary whatever the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CONV = (
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "groups",
    "use_bias",
    "activation",
)
_DEPTHWISE = (*_CONV, "depth_multiplier")
_POOL = ("pool_size", "strides", "padding", "data_format")
_GLOBAL_POOL = ("data_format", "keepdims")

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **{f"Conv{n}D": _CONV for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": (*_CONV, "output_padding") for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _DEPTHWISE for n in (1, 2)},
    **{f"SeparableConv{n}D": _DEPTHWISE for n in (1, 2)},
    **{f"{kind}Pooling{n}D": _POOL for kind in ("Average", "Max") for n in (1, 2, 3)},
    **{f"Global{kind}Pooling{n}D": _GLOBAL_POOL for kind in ("Average", "Max") for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": ("padding", "data_format") for n in (1, 2, 3)},
    **{f"Cropping{n}D": ("cropping", "data_format") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": ("size", "data_format", "interpolation") for n in (1, 2, 3)},
    "Dense": ("units", "use_bias", "activation"),
    "EinsumDense": ("equation", "bias_axes", "activation"),
    "BatchNormalization": ("axis", "epsilon", "center", "scale", "trainable", "renorm"),
    "LayerNormalization": ("axis", "epsilon", "center", "scale", "rms_scaling"),
    "GroupNormalization": ("axis", "epsilon", "center", "scale"),
    "Normalization": ("axis", "invert"),
    "Rescaling": ("scale", "offset"),
    "Activation": ("activation",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Concatenate": ("axis",),
    "Flatten": ("data_format",),
    "Reshape": ("target_shape",),
    "Permute": ("dims",),
    "Embedding": ("output_dim", "mask_zero"),
}


def normalise(value: Any) -> Any:
    """``value`` as plain data: functions by name, sequences as tuples, ``None`` kept."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)) or type(value).__name__ == "ListWrapper":
        return tuple(normalise(item) for item in value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return value
