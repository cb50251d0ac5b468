"""Layers that move, repeat or cut positions: flattening, padding, cropping, resampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import (
    Config,
    LayerType,
    Output,
    Sizes,
    always,
    channels,
    each,
    for_dimensions,
    one,
    spatial,
)
from pytest_layercount.model.layers.convolution import placed


def _flattened(config: Config, shape: Sizes) -> Shape:
    rest = shape[1:]
    return (shape[0], None if None in rest else math.prod(size or 0 for size in rest))


def _reshaped(config: Config, shape: Sizes) -> Shape:
    target = list(config["target_shape"])
    if -1 in target:
        unknown = None in shape[1:]
        others = math.prod(size for size in target if size != -1)
        total = None if unknown else math.prod(size or 0 for size in shape[1:])
        target[target.index(-1)] = None if total is None else total // others
    return (shape[0], *target)


def _permuted(config: Config, shape: Sizes) -> Shape:
    return (shape[0], *(shape[axis] for axis in config["dims"]))


def _repeated(config: Config, shape: Sizes) -> Shape:
    return (shape[0], config["n"], *shape[1:])


def _resized(key: str, sign: int) -> Output:
    """Some positions more (``sign`` 1) or less (-1) at each end, as the setting ``key`` says."""

    def resized(config: Config, shape: Sizes) -> Shape:
        sizes, amounts = spatial(config, shape), config[key]
        # Of one axis it is a number or one pair; of several a number, a number for each, or pairs.
        if len(sizes) == 1:
            amounts = [amounts]
        made = [
            None if size is None else size + sign * sum(each(amount, 2))
            for size, amount in zip(sizes, each(amounts, len(sizes)), strict=True)
        ]
        return placed(config, shape, made, channels(config, shape))

    return one(resized)


def _upsampled(config: Config, shape: Sizes) -> Shape:
    sizes = spatial(config, shape)
    factors = each(config.get("size", 2), len(sizes))
    made = [
        None if size is None else size * factor for size, factor in zip(sizes, factors, strict=True)
    ]
    return placed(config, shape, made, channels(config, shape))


def _nearest(config: Config, generation: int) -> bool:
    """Picking the nearest position makes no new numbers; Keras 3 says that it gives floats."""
    return generation == 2 and config.get("interpolation") == "nearest"


def _up(keeps: Callable[[Config, int], bool]) -> LayerType:
    return LayerType(
        attributes=("size", "data_format", "interpolation"),
        writes=("size",),
        output=one(_upsampled),
        keeps_integers=keeps,
    )


_PADDING = LayerType(
    attributes=("padding", "data_format"),
    writes=("padding",),
    output=_resized("padding", 1),
    keeps_integers=always,
)
_CROPPING = LayerType(
    attributes=("cropping", "data_format"),
    writes=("cropping",),
    output=_resized("cropping", -1),
    keeps_integers=always,
)

TYPES: Mapping[str, LayerType] = {
    "Flatten": LayerType(
        attributes=("data_format",), output=one(_flattened), keeps_integers=always
    ),
    "Reshape": LayerType(
        attributes=("target_shape",),
        writes=("target_shape",),
        output=one(_reshaped),
        keeps_integers=always,
    ),
    "Permute": LayerType(
        attributes=("dims",), writes=("dims",), output=one(_permuted), keeps_integers=always
    ),
    "RepeatVector": LayerType(
        attributes=("n",), writes=("n",), output=one(_repeated), keeps_integers=always
    ),
    **for_dimensions("ZeroPadding*D", (1, 2, 3), _PADDING),
    **for_dimensions("Cropping*D", (1, 2, 3), _CROPPING),
    "UpSampling1D": _up(always),
    "UpSampling2D": _up(_nearest),
    "UpSampling3D": _up(LayerType.keeps_integers),
}
