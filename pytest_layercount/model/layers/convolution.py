"""Output shapes of layers that slide windows or move positions: convolutions, pooling, padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Config = Mapping[str, Any]
Sizes = tuple[int | None, ...]


def conv(config: Config, shape: Sizes) -> Sizes:
    """Conv1D to 3D, and SeparableConv."""
    return _placed(config, shape, _slid(config, shape), int(config["filters"]))


def depthwise(config: Config, shape: Sizes) -> Sizes:
    """DepthwiseConv1D and 2D."""
    channels = _channels(config, shape)
    made = None if channels is None else channels * int(config.get("depth_multiplier", 1))
    return _placed(config, shape, _slid(config, shape), made)


def transposed(config: Config, shape: Sizes) -> Sizes:
    """Conv1DTranspose to 3D."""
    spatial = _spatial(config, shape)
    count = len(spatial)
    taps, strides = (_each(config[key], count) for key in ("kernel_size", "strides"))
    rates = _each(config.get("dilation_rate") or 1, count)
    more: Sequence[int | None] = [None] * count
    if config.get("output_padding") is not None:
        more = _each(config["output_padding"], count)
    same = config.get("padding") == "same"
    made = [
        None if size is None else _grown(size, (taps_ - 1) * rate + 1, stride, extra, same=same)
        for size, taps_, rate, stride, extra in zip(
            spatial, taps, rates, strides, more, strict=True
        )
    ]
    return _placed(config, shape, made, int(config["filters"]))


def pooling(config: Config, shape: Sizes) -> Sizes:
    """Average and maximum pooling."""
    window = config.get("pool_size", 2)
    strides = config.get("strides") or window
    made = _slid({**config, "kernel_size": window, "strides": strides}, shape)
    return _placed(config, shape, made, _channels(config, shape))


def adaptive(config: Config, shape: Sizes) -> Sizes:
    """Adaptive pooling: the size is given."""
    spatial = _spatial(config, shape)
    return _placed(
        config, shape, _each(config["output_size"], len(spatial)), _channels(config, shape)
    )


def globally(config: Config, shape: Sizes) -> Sizes:
    """Global pooling."""
    channels = _channels(config, shape)
    if not config.get("keepdims"):
        return (shape[0], channels)
    return _placed(config, shape, [1] * (len(shape) - 2), channels)


def padded(config: Config, shape: Sizes) -> Sizes:
    """ZeroPadding1D to 3D."""
    return _resized(config, shape, "padding", lambda size, amount: size + sum(amount))


def cropped(config: Config, shape: Sizes) -> Sizes:
    """Cropping1D to 3D."""
    return _resized(config, shape, "cropping", lambda size, amount: size - sum(amount))


def upsampled(config: Config, shape: Sizes) -> Sizes:
    """UpSampling1D to 3D."""
    spatial = _spatial(config, shape)
    factors = _each(config.get("size", 2), len(spatial))
    made = [
        None if size is None else size * factor
        for size, factor in zip(spatial, factors, strict=True)
    ]
    return _placed(config, shape, made, _channels(config, shape))


def sized(config: Config, shape: Sizes) -> Sizes:
    """Resizing and cropping of images to ``height`` and ``width``, with or without a batch."""
    height, width = int(config["height"]), int(config["width"])
    if config.get("data_format") == "channels_first":
        return (*shape[:-2], height, width)
    return (*shape[:-3], height, width, shape[-1])


def _slid(config: Config, shape: Sizes) -> list[int | None]:
    """The spatial sizes after a window of ``kernel_size`` has passed over them."""
    spatial = _spatial(config, shape)
    count = len(spatial)
    taps, strides = (_each(config[key], count) for key in ("kernel_size", "strides"))
    rates = _each(config.get("dilation_rate") or 1, count)
    covers = config.get("padding") in ("same", "causal")
    return [
        None
        if size is None
        else -(-size // stride)
        if covers
        else (size - (window - 1) * rate - 1) // stride + 1
        for size, window, stride, rate in zip(spatial, taps, strides, rates, strict=True)
    ]


def _grown(size: int, taps: int, stride: int, extra: int | None, *, same: bool) -> int:
    if extra is None:
        return size * stride + (0 if same else max(taps - stride, 0))
    return (size - 1) * stride + taps - (2 * (taps // 2) if same else 0) + extra


def _resized(
    config: Config, shape: Sizes, key: str, change: Callable[[int, list[int]], int]
) -> Sizes:
    spatial = _spatial(config, shape)
    amounts = config[key]
    if len(spatial) == 1:
        amounts = [amounts]
    made = [
        None if size is None else change(size, _each(amount, 2))
        for size, amount in zip(spatial, _each(amounts, len(spatial)), strict=True)
    ]
    return _placed(config, shape, made, _channels(config, shape))


def _each(value: Any, count: int) -> list[Any]:
    """One value for each axis."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    return values * count if len(values) == 1 else values


def _first(config: Config) -> bool:
    return config.get("data_format") == "channels_first"


def _spatial(config: Config, shape: Sizes) -> Sizes:
    return shape[2:] if _first(config) else shape[1:-1]


def _channels(config: Config, shape: Sizes) -> int | None:
    return shape[1] if _first(config) else shape[-1]


def _placed(
    config: Config, shape: Sizes, spatial: Sequence[int | None], channels: int | None
) -> Sizes:
    if _first(config):
        return (shape[0], channels, *spatial)
    return (shape[0], *spatial, channels)
