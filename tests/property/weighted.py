"""Convolutions of all sorts and dense layers, at random."""

from __future__ import annotations

from typing import Any

from tests.property.kinds import Draw, Kind, fewer, flip, join, per_axis, pick, split, window
from tests.property.recipe import Config, Shape


def _conv(draw: Draw, shape: Shape) -> dict[str, Any]:
    rank = len(shape) - 1
    sizes = shape[:-1] if rank < 3 else (2,)
    strides = pick(draw, 1, 1, 1, 2)
    channels = shape[-1]
    groups = pick(draw, *(g for g in (1, 1, 1, 2, 3) if channels % g == 0))
    return fewer(
        filters=groups * pick(draw, 2, 1, 3) if groups > 1 else pick(draw, 4, 2, 6),
        kernel_size=tuple(pick(draw, *range(1, min(3, *sizes, 3) + 1)) for _ in range(rank)),
        strides=strides,
        padding=pick(draw, "valid", "same", *(("causal",) if rank == 1 else ())),
        dilation_rate=pick(draw, 1, 1, 2) if strides == 1 and rank < 3 else 1,
        groups=groups,
        **_ends(draw),
    )


def _ends(draw: Draw) -> dict[str, Any]:
    return {"use_bias": flip(draw), "activation": pick(draw, None, None, None, "relu", "softplus")}


def _convolved(shape: Shape, config: Config, channels: int | None = None) -> Shape:
    sizes, _ = split(shape, config)
    taps = per_axis(config["kernel_size"], len(sizes))
    stride, dilation = config.get("strides", 1), config.get("dilation_rate", 1)
    sizes = tuple(
        window(size, (k - 1) * dilation + 1, stride, config["padding"])
        for size, k in zip(sizes, taps, strict=True)
    )
    return join(sizes, channels or config["filters"], config)


def _depthwise(draw: Draw, shape: Shape) -> dict[str, Any]:
    rank = len(shape) - 1
    return fewer(
        kernel_size=tuple(pick(draw, 1, 2, 3) for _ in range(rank)),
        strides=pick(draw, 1, 1, 2),
        padding=pick(draw, "valid", "same"),
        depth_multiplier=pick(draw, 1, 2),
        **_ends(draw),
    )


def _multiplied(shape: Shape, config: Config) -> Shape:
    channels = split(shape, config)[1] * config.get("depth_multiplier", 1)
    return _convolved(shape, config, channels)


def _separable(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"filters": pick(draw, 4, 2, 6), **_depthwise(draw, shape)}


def _transposed(draw: Draw, shape: Shape) -> dict[str, Any]:
    rank = len(shape) - 1
    return fewer(
        filters=pick(draw, 4, 2),
        kernel_size=tuple(pick(draw, 1, 2, 3) for _ in range(rank)),
        strides=pick(draw, 1, 2),
        padding=pick(draw, "valid", "same"),
        **_ends(draw),
    )


def _spread(shape: Shape, config: Config) -> Shape:
    sizes, _ = split(shape, config)
    taps, stride = per_axis(config["kernel_size"], len(sizes)), config["strides"]
    more = (0 if config["padding"] == "same" else max(k - stride, 0) for k in taps)
    sizes = tuple(size * stride + rest for size, rest in zip(sizes, more, strict=True))
    return join(sizes, config["filters"], config)


def _dense(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"units": pick(draw, 4, 2, 6), **fewer(**_ends(draw))}


def _einsum(draw: Draw, shape: Shape) -> dict[str, Any]:
    units = pick(draw, 4, 2)
    if len(shape) == 1:
        equations = [("ab,bc->ac", (units,), "c")]
    elif len(shape) == 2:
        equations = [
            ("abc,cd->abd", (shape[0], units), "d"),
            ("abc,bd->adc", (units, shape[1]), "d"),
            ("abc,cde->abde", (shape[0], units, 2), "de"),
            ("...b,bc->...c", (units,), "c"),
            ("abc,bcd->ad", (units,), "d"),
        ]
    else:
        equations = [
            ("abcd,de->abce", (*shape[:2], units), "e"),
            ("abcd,cde->abe", (shape[0], units), "e"),
        ]
        if shape[0] == shape[1]:  # Keras 3 lists what an ellipsis stands for backwards
            equations.append(("...b,bc->...c", (units,), "c"))
    equation, output, axes = pick(draw, *equations)
    bias = pick(draw, axes, None, *axes)
    activation = pick(draw, None, None, "relu")
    return {
        "equation": equation,
        "output_shape": output,
        **({"bias_axes": bias} if bias else {}),
        **fewer(activation=activation),
    }


def _einsum_shape(shape: Shape, config: Config) -> Shape:
    if config["equation"].startswith("..."):
        return (*shape[:-1], *config["output_shape"])
    return tuple(config["output_shape"])


def _last(shape: Shape, config: Config) -> Shape:
    return (*shape[:-1], config["units"])


WEIGHTED = (
    *(Kind(f"Conv{n}D", (n + 1,), _conv, _convolved, formatted=True) for n in (2, 1, 3)),
    *(Kind(f"DepthwiseConv{n}D", (n + 1,), _depthwise, _multiplied, True) for n in (2, 1)),
    *(Kind(f"SeparableConv{n}D", (n + 1,), _separable, _convolved, True) for n in (2, 1)),
    *(Kind(f"Conv{n}DTranspose", (n + 1,), _transposed, _spread, True) for n in (2, 1, 3)),
    Kind("Dense", (1, 2, 3, 4), _dense, _last),
    Kind("EinsumDense", (1, 2, 3), _einsum, _einsum_shape),
)
