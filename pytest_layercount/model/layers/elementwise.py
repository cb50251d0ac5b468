"""Layers that change each element by itself, or only while training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import (
    Call,
    Config,
    LayerType,
    always,
    for_dimensions,
    in_keras_2,
    passed,
    same,
)


def _masks(config: Config, masked: Sequence[bool]) -> bool:
    return True


def _declared(call: Call) -> list[Shape]:
    """The shape that a Lambda was declared to return, which is for one sample."""
    wanted = call.config.get("output_shape")
    return [(call.shape[0], *wanted) if isinstance(wanted, list) else None]


def _any_type(call: Call, computes: str) -> str:
    return ""


_PLAIN = LayerType(output=same, masks=passed)
_DROPOUT = LayerType(
    writes=("rate",), output=same, masks=passed, keeps_integers=in_keras_2, training=False
)

TYPES: Mapping[str, LayerType] = {
    "Activation": LayerType(
        attributes=("activation",),
        writes=("activation",),
        output=same,
        masks=passed,
        keeps_integers=in_keras_2,
    ),
    "ReLU": LayerType(
        attributes=("max_value", "negative_slope", "threshold"),
        defaults={"negative_slope": 0.0, "threshold": 0.0},
        writes=("max_value",),
        output=same,
        masks=passed,
        keeps_integers=in_keras_2,
    ),
    "ELU": replace(_PLAIN, usual={"alpha": 1}),
    "LeakyReLU": replace(
        _PLAIN,
        renamed={"alpha": "negative_slope"},  # until Keras 2.15
        usual={"negative_slope": 0.3},
    ),
    "ThresholdedReLU": replace(_PLAIN, writes=("theta",), usual={"theta": 1}),
    "Softmax": replace(_PLAIN, writes=("axis",), arguments=("inputs", "mask")),
    "InputLayer": LayerType(output=same),
    "Identity": replace(_PLAIN, keeps_integers=always),
    **dict.fromkeys(("ActivityRegularization", "AddLoss", "AddMetric"), _PLAIN),
    "Masking": LayerType(
        writes=("mask_value",), output=same, masks=_masks, usual={"mask_value": 0}
    ),
    "Rescaling": LayerType(
        attributes=("scale", "offset"),
        defaults={"data_format": "channels_last"},
        asks=(("data_format", "image_data_format"),),
        writes=("scale",),
        output=same,
    ),
    "Lambda": LayerType(writes=("function",), output=_declared, dtype=_any_type, work_unknown=True),
    "Dropout": _DROPOUT,
    "AlphaDropout": _DROPOUT,
    "GaussianDropout": _DROPOUT,
    **for_dimensions("SpatialDropout*D", (1, 2, 3), replace(_DROPOUT, bases=("Dropout",))),
    "GaussianNoise": replace(_PLAIN, writes=("stddev",), training=False),
    "StochasticDepth": LayerType(output=same),
}
