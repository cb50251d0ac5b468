"""Which attributes of a built-in layer decide what it computes.

Readers copy exactly these into ``Layer.config``, from a live layer or from a
saved configuration, so that rules see one vocabulary whatever the source.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pytest_layercount.model.keras.common import attribute
from pytest_layercount.model.keras.origin import is_own_function

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
_CONV_LSTM = (
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "use_bias",
    "activation",
    "recurrent_activation",
)
_POOL = ("pool_size", "strides", "padding", "data_format")
_GLOBAL_POOL = ("data_format", "keepdims")
_RECURRENT = ("units", "activation", "use_bias", "return_sequences", "go_backwards")
_BATCH_NORM = ("axis", "epsilon", "center", "scale", "trainable", "virtual_batch_size")

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **{f"Conv{n}D": _CONV for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": (*_CONV, "output_padding") for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _DEPTHWISE for n in (1, 2)},
    **{f"SeparableConv{n}D": _DEPTHWISE for n in (1, 2)},
    **{f"{kind}Pooling{n}D": _POOL for kind in ("Average", "Max") for n in (1, 2, 3)},
    **{
        f"Adaptive{kind}Pooling{n}D": ("output_size", "data_format")
        for kind in ("Average", "Max")
        for n in (1, 2, 3)
    },
    **{f"Global{kind}Pooling{n}D": _GLOBAL_POOL for kind in ("Average", "Max") for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": ("padding", "data_format") for n in (1, 2, 3)},
    **{f"Cropping{n}D": ("cropping", "data_format") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": ("size", "data_format", "interpolation") for n in (1, 2, 3)},
    "Dense": ("units", "use_bias", "activation"),
    "EinsumDense": ("equation", "bias_axes", "activation"),
    "BatchNormalization": _BATCH_NORM,
    "SyncBatchNormalization": _BATCH_NORM,
    "LayerNormalization": ("axis", "epsilon", "center", "scale", "rms_scaling"),
    "GroupNormalization": ("axis", "epsilon", "center", "scale"),
    "RMSNormalization": ("axis", "epsilon"),
    "Normalization": ("axis", "invert", "input_mean"),
    "Rescaling": ("scale", "offset"),
    "Activation": ("activation",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "CenterCrop": ("data_format",),
    "Concatenate": ("axis",),
    "Dot": ("axes", "normalize"),
    **dict.fromkeys(("Max", "Min"), ("axis", "keepdims", "initial")),
    "Mean": ("axis", "keepdims"),
    "Flatten": ("data_format",),
    "Reshape": ("target_shape",),
    "Permute": ("dims",),
    "Transpose": ("axes",),
    "RepeatVector": ("n",),
    "Resizing": ("interpolation", "pad_to_aspect_ratio", "data_format"),
    "Embedding": ("output_dim", "mask_zero"),
    "SimpleRNN": _RECURRENT,
    "LSTM": (*_RECURRENT, "recurrent_activation"),
    "GRU": (*_RECURRENT, "recurrent_activation", "reset_after"),
    "MultiHeadAttention": ("num_heads", "key_dim", "value_dim", "use_bias"),
    "GroupedQueryAttention": ("num_query_heads", "num_key_value_heads", "head_dim", "use_bias"),
    **{f"ConvLSTM{n}D": _CONV_LSTM for n in (1, 2, 3)},
}

INNER: Mapping[str, tuple[str, ...]] = {
    "TimeDistributed": ("layer",),
    "Bidirectional": ("forward_layer", "backward_layer"),
}
"""Where wrappers keep the layers inside them, which their attributes describe as well."""

BASES: Mapping[str, tuple[str, ...]] = {
    "SyncBatchNormalization": ("BatchNormalization",),
    "AdditiveAttention": ("Attention",),
    "ReversibleEmbedding": ("Embedding",),
    **{f"SpatialDropout{n}D": ("Dropout",) for n in (1, 2, 3)},
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU", *(f"ConvLSTM{n}D" for n in (1, 2, 3))), ("RNN",)),
    **dict.fromkeys(("Bidirectional", "SpectralNormalization", "TimeDistributed"), ("Wrapper",)),
}
"""What layers of Keras are as well, in every version and in files alike.

A transposed convolution is no convolution: only Keras 2 derives it from one.
"""

GIVEN_LAYERS = frozenset({*INNER, "Pipeline", "RNN", "SpectralNormalization", "StackedRNNCells"})
"""The layers of Keras that are made of layers which they are given."""

SETTINGS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Rescaling": (("data_format", "image_data_format"),),
    "Normalization": (("epsilon", "epsilon"),),
}
"""What some layers ask Keras for at every call."""


_PLAIN = frozenset({type(None), bool, int, float, str})


def attributes_of(layer: Any) -> dict[str, Any]:
    """The attributes of a live built-in layer that decide what it computes."""
    kind = type(layer).__name__
    own = vars(layer)
    found = {}
    for name in ATTRIBUTES.get(kind, ()):
        value = own[name] if name in own else attribute(layer, name)
        found[name] = value if type(value) in _PLAIN else normalise(value)
    if kind in SETTINGS:
        library = sys.modules.get(type(layer).__module__.partition(".")[0])
        for name, setting in SETTINGS[kind]:
            found[name] = getattr(library.backend, setting)() if library else None
    return found


def normalise(value: Any) -> Any:
    """``value`` as plain data: Keras's own functions by name, sequences as tuples.

    A function of the user's is ``"custom"`` even if it is called ``relu``, and so
    is any other object that can be called.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)) or type(value).__name__ == "ListWrapper":
        return tuple([item if type(item) in _PLAIN else normalise(item) for item in value])
    if type(value).__module__ == "numpy" and hasattr(value, "ndim"):
        return tuple(normalise(item) for item in value) if value.ndim else value[()]
    if callable(value):
        return value.__name__ if is_own_function(value) else "custom"
    return value
