"""Pooling: over windows, over as many windows as are wanted, over everything."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_layercount.model.layers.base import (
    Config,
    LayerType,
    Sizes,
    channels,
    each,
    for_dimensions,
    in_keras_2,
    one,
    spatial,
)
from pytest_layercount.model.layers.convolution import placed, slid


def _pooled(config: Config, shape: Sizes) -> Sizes:
    window = config.get("pool_size", 2)
    # Without strides, windows lie side by side.
    strides = config.get("strides") or window
    made = slid({**config, "kernel_size": window, "strides": strides}, shape)
    return placed(config, shape, made, channels(config, shape))


def _adaptive(config: Config, shape: Sizes) -> Sizes:
    made = each(config["output_size"], len(spatial(config, shape)))
    return placed(config, shape, made, channels(config, shape))


def _pooled_whole(config: Config, shape: Sizes) -> Sizes:
    number = channels(config, shape)
    if not config.get("keepdims"):
        return (shape[0], number)
    return placed(config, shape, [1] * (len(shape) - 2), number)


_WINDOW = LayerType(
    attributes=("pool_size", "strides", "padding", "data_format"),
    writes=("pool_size", "strides", "padding"),
    output=one(_pooled),
)
_ADAPTIVE = LayerType(attributes=("output_size", "data_format"), output=one(_adaptive))
_GLOBAL = LayerType(
    attributes=("data_format", "keepdims"),
    defaults={"keepdims": False},
    output=one(_pooled_whole),
    keeps_integers=in_keras_2,
)

TYPES: Mapping[str, LayerType] = {
    **for_dimensions("AveragePooling*D", (1, 2, 3), _WINDOW),
    **for_dimensions(
        "MaxPooling*D",
        (1, 2, 3),
        LayerType(
            attributes=_WINDOW.attributes,
            writes=_WINDOW.writes,
            output=_WINDOW.output,
            keeps_integers=in_keras_2,
        ),
    ),
    **for_dimensions("AdaptiveAveragePooling*D", (1, 2, 3), _ADAPTIVE),
    **for_dimensions("AdaptiveMaxPooling*D", (1, 2, 3), _ADAPTIVE),
    **for_dimensions("GlobalAveragePooling*D", (1, 2, 3), _GLOBAL),
    **for_dimensions("GlobalMaxPooling*D", (1, 2, 3), _GLOBAL),
}
