"""Convolutions: kernels that slide over spatial axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import (
    Config,
    Kernel,
    LayerType,
    Scalars,
    Shapes,
    Sizes,
    bias,
    certain,
    channels,
    each,
    for_dimensions,
    is_first,
    known,
    one,
    product,
    spatial,
)


def convolved(config: Config, shape: Sizes) -> Sizes:
    """The shape after a convolution."""
    return placed(config, shape, slid(config, shape), int(config["filters"]))


def _by_channel(config: Config, shape: Sizes) -> Sizes:
    """The shape after a convolution of each channel for itself."""
    number = channels(config, shape)
    made = None if number is None else number * int(config.get("depth_multiplier", 1))
    return placed(config, shape, slid(config, shape), made)


def _transposed(config: Config, shape: Sizes) -> Sizes:
    """The shape after a transposed convolution: that before a convolution which gives ``shape``."""
    sizes = spatial(config, shape)
    count = len(sizes)
    taps, strides = (each(config[key], count) for key in ("kernel_size", "strides"))
    rates = each(config.get("dilation_rate") or 1, count)
    more: Sequence[int | None] = [None] * count
    if config.get("output_padding") is not None:
        more = each(config["output_padding"], count)
    padded = config.get("padding") == "same"
    made = [
        None if size is None else _grown(size, (taps_ - 1) * rate + 1, stride, extra, same=padded)
        for size, taps_, rate, stride, extra in zip(sizes, taps, rates, strides, more, strict=True)
    ]
    return placed(config, shape, made, int(config["filters"]))


def _grown(size: int, taps: int, stride: int, extra: int | None, *, same: bool) -> int:
    # As Keras computes it, with the taps of the dilated kernel and ``extra`` the output_padding:
    # without it "valid" gives size * stride + max(taps - stride, 0), and "same" size * stride;
    # with it, (size - 1) * stride + taps - 2 * pad + extra, where pad is taps // 2 for "same".
    if extra is None:
        return size * stride + (0 if same else max(taps - stride, 0))
    return (size - 1) * stride + taps - (2 * (taps // 2) if same else 0) + extra


def slid(config: Config, shape: Sizes) -> list[int | None]:
    """The spatial sizes after a window of ``kernel_size`` has passed over them.

    ::

        same, causal    ceil(size / stride)
        valid           floor((size - (window - 1) * rate - 1) / stride) + 1
    """
    sizes = spatial(config, shape)
    count = len(sizes)
    taps, strides = (each(config[key], count) for key in ("kernel_size", "strides"))
    rates = each(config.get("dilation_rate") or 1, count)
    covers = config.get("padding") in ("same", "causal")
    return [
        None
        if size is None
        else -(-size // stride)
        if covers
        else (size - (window - 1) * rate - 1) // stride + 1
        for size, window, stride, rate in zip(sizes, taps, strides, rates, strict=True)
    ]


def placed(config: Config, shape: Sizes, sizes: Sequence[int | None], number: int | None) -> Sizes:
    """A shape of the spatial ``sizes`` and a ``number`` of channels."""
    if is_first(config):
        return (shape[0], number, *sizes)
    return (shape[0], *sizes, number)


def taps(config: Config) -> int:
    """The positions that a kernel sees at once."""
    size = config["kernel_size"]
    return product(size) if isinstance(size, (list, tuple)) else int(size)


def filters(config: Config, output: Shape) -> int:
    """The channels that are made: functions that TensorFlow traced show them in their output."""
    return int(config["filters"]) if output is None else certain(channels(config, output))


def _across(config: Config, shapes: Shapes, output: Shape) -> int:
    """The number of weights of a kernel, over all its groups."""
    # (*taps, in / groups, out) weights: each output sees the channels of its group only.
    read = certain(channels(config, shapes[0])) // int(config.get("groups") or 1)
    return taps(config) * read * filters(config, output)


def _kernel(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    return (Kernel(_across(config, shapes, output), spatial(config, output)),)


def _kernel_transposed(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    """It is applied at each position of the input, not of the output."""
    return (Kernel(_across(config, shapes, output), spatial(config, shapes[0])),)


def _depth(config: Config, shapes: Shapes) -> int:
    """The channels that a depthwise kernel makes of all channels together."""
    return certain(channels(config, shapes[0])) * int(config.get("depth_multiplier") or 1)


def _kernel_by_channel(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    return (Kernel(taps(config) * _depth(config, shapes), spatial(config, output)),)


def _kernels_apart(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    """A convolution of each channel, then one with a kernel of size one."""
    depth, places = _depth(config, shapes), spatial(config, output)
    return (
        Kernel(taps(config) * depth, places),
        Kernel(depth * filters(config, output), places),
    )


def _bias(config: Config, shapes: Shapes) -> Scalars:
    return bias(config, int(config["filters"]))


def _bias_by_channel(config: Config, shapes: Shapes) -> Scalars:
    return bias(config, _depth(config, shapes))


def _kernel_everywhere(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    """A kernel of its own for every place, (places, taps * in, out).

    The second implementation keeps it between all places of input and output, mostly zeros. No
    positions: each weight is used once.
    """
    read = known(shapes[0])
    read_at, made = (spatial(config, sizes) for sizes in (read, convolved(config, read)))
    seen = taps(config)
    if config.get("implementation", 1) == 2:
        seen = product(read_at)
    elif config.get("padding", "valid") != "valid":
        raise ValueError("at the border there are fewer")
    places = product(made) * seen
    return (Kernel(places * certain(channels(config, read)) * int(config["filters"])),)


def _bias_everywhere(config: Config, shapes: Shapes) -> Scalars:
    places = product(spatial(config, convolved(config, known(shapes[0]))))
    return bias(config, places * int(config["filters"]))


_SLIDING = ("kernel_size", "strides", "padding")
_CONV = (
    "filters",
    *_SLIDING,
    "data_format",
    "dilation_rate",
    "groups",
    "use_bias",
    "activation",
)
_DEPTHWISE = (*_CONV, "depth_multiplier")
_BIASED = {"bias": "use_bias"}


def _transpose(n: int) -> LayerType:
    """No convolution to those who ask for its bases: only Keras 2 derives it from one."""
    return LayerType(
        attributes=(*_CONV, "output_padding"),
        defaults={"dilation_rate": (1,) * n},
        writes=("filters", *_SLIDING),
        output=one(_transposed),
        kernels=_kernel_transposed,
        vectors=_bias,
        optional=_BIASED,
    )


TYPES: Mapping[str, LayerType] = {
    **for_dimensions(
        "Conv*D",
        (1, 2, 3),
        LayerType(
            attributes=_CONV,
            defaults={"groups": 1},
            writes=("filters", *_SLIDING),
            output=one(convolved),
            kernels=_kernel,
            vectors=_bias,
            optional=_BIASED,
        ),
    ),
    **for_dimensions("Conv*DTranspose", (1, 2, 3), _transpose),
    **for_dimensions(
        "DepthwiseConv*D",
        (1, 2),
        LayerType(
            attributes=_DEPTHWISE,
            writes=_SLIDING,
            output=one(_by_channel),
            kernels=_kernel_by_channel,
            vectors=_bias_by_channel,
            optional=_BIASED,
        ),
    ),
    **for_dimensions(
        "SeparableConv*D",
        (1, 2),
        LayerType(
            attributes=_DEPTHWISE,
            writes=("filters", *_SLIDING),
            output=one(convolved),
            kernels=_kernels_apart,
            vectors=_bias,
            optional=_BIASED,
        ),
    ),
    **for_dimensions(
        "LocallyConnected*D",
        (1, 2),
        LayerType(
            writes=("filters", *_SLIDING),
            output=one(convolved),
            kernels=_kernel_everywhere,
            vectors=_bias_everywhere,
        ),
    ),
}
