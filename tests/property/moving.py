"""Layers that pool, pad, resample and rearrange, at random.

Adaptive pooling is left out: Keras 3.15's fails where its larger window does not fit.
So are interpolations: TensorFlow computes them in float32 whatever it is given.
"""

from __future__ import annotations

import math
from typing import Any

from tests.property.kinds import Draw, Kind, flip, join, nothing, pick, split, window
from tests.property.recipe import Config, Shape


def _pool(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {
        "pool_size": pick(draw, 2, 3, 1),
        "strides": pick(draw, 1, 2),
        "padding": pick(draw, "valid", "same"),
    }


def _pooled(shape: Shape, config: Config) -> Shape:
    sizes, channels = split(shape, config)
    taps, stride, padding = config["pool_size"], config["strides"], config["padding"]
    return join(tuple(window(size, taps, stride, padding) for size in sizes), channels, config)


def _keepdims(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"keepdims": True} if flip(draw) else {}


def _global(shape: Shape, config: Config) -> Shape:
    sizes, channels = split(shape, config)
    return join((1,) * len(sizes), channels, config) if config.get("keepdims") else (channels,)


def _amounts(name: str) -> Any:
    def config(draw: Draw, shape: Shape) -> dict[str, Any]:
        rank = len(shape) - 1
        pairs = tuple((pick(draw, 1, 0), pick(draw, 1, 0, 2)) for _ in range(rank))
        return {name: pairs if rank > 1 else pairs[0]}

    return config


def _by(name: str, sign: int) -> Any:
    def moved(shape: Shape, config: Config) -> Shape:
        sizes, channels = split(shape, config)
        pairs = config[name] if len(sizes) > 1 else (config[name],)
        sizes = tuple(n + sign * sum(pair) for n, pair in zip(sizes, pairs, strict=True))
        return join(sizes, channels, config)

    return moved


def _upsampling(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"size": 2}


def _upsampled(shape: Shape, config: Config) -> Shape:
    sizes, channels = split(shape, config)
    return join(tuple(2 * size for size in sizes), channels, config)


def _resizing(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {
        "height": pick(draw, 4, 3),
        "width": pick(draw, 4, 5),
        "interpolation": "nearest",
    }


def _resized(shape: Shape, config: Config) -> Shape:
    return join((config["height"], config["width"]), split(shape, config)[1], config)


def _target(draw: Draw, shape: Shape) -> Shape:
    """Shapes that keep the channels, split them, merge them, or cut across."""
    size, channels = math.prod(shape), shape[-1]
    options: list[Shape] = [(size // channels, channels), (1, *shape), (size,)]
    if channels % 2 == 0:
        options += [(*shape[:-1], channels // 2, 2), (*shape[:-1], 2, channels // 2)]
    if size % 4 == 0:
        options.append((size // 4, 4))
    return pick(draw, *(option for option in options if len(option) <= 4))


def _reshape(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"target_shape": _target(draw, shape)}


def _reshaped(shape: Shape, config: Config) -> Shape:
    return tuple(config["target_shape"])


def _permute(draw: Draw, shape: Shape) -> dict[str, Any]:
    axes = list(range(1, len(shape) + 1))
    turned = [*axes[1:], axes[0]]
    swapped = [axes[1], axes[0], *axes[2:]]
    return {"dims": tuple(pick(draw, swapped, turned, axes[::-1]))}


def _permuted(shape: Shape, config: Config) -> Shape:
    return tuple(shape[axis - 1] for axis in config["dims"])


def _flattened(shape: Shape, config: Config) -> Shape:
    return (math.prod(shape),)


def _repeat(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"n": pick(draw, 3, 2)}


MOVING = (
    *(Kind(f"AveragePooling{n}D", (n + 1,), _pool, _pooled, True) for n in (2, 1, 3)),
    # TensorFlow has no MaxPooling3D in float64.
    *(Kind(f"MaxPooling{n}D", (n + 1,), _pool, _pooled, True) for n in (2, 1)),
    *(
        Kind(f"Global{kind}Pooling{n}D", (n + 1,), _keepdims, _global, True)
        for n in (2, 1, 3)
        for kind in ("Average", "Max")
    ),
    Kind("ZeroPadding1D", (2,), _amounts("padding"), _by("padding", 1)),
    *(
        Kind(f"ZeroPadding{n}D", (n + 1,), _amounts("padding"), _by("padding", 1), True)
        for n in (2, 3)
    ),
    Kind("Cropping1D", (2,), _amounts("cropping"), _by("cropping", -1)),
    *(
        Kind(f"Cropping{n}D", (n + 1,), _amounts("cropping"), _by("cropping", -1), True)
        for n in (2, 3)
    ),
    Kind("UpSampling1D", (2,), _upsampling, _upsampled),
    *(Kind(f"UpSampling{n}D", (n + 1,), _upsampling, _upsampled, True) for n in (2, 3)),
    Kind("Resizing", (3,), _resizing, _resized, True),
    Kind("Flatten", (1, 2, 3, 4), nothing, _flattened, True),
    Kind("Reshape", (1, 2, 3, 4), _reshape, _reshaped),
    Kind("reshape", (2, 3), _reshape, _reshaped),
    Kind("Permute", (2, 3, 4), _permute, _permuted),
    Kind("transpose", (2, 3), _permute, _permuted),
    Kind("RepeatVector", (1,), _repeat, lambda shape, config: (config["n"], *shape)),
)
