"""What a kind of layer needs to be known by: where it fits, its arguments, its output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.property.recipe import Config, Shape

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Kind:
    """Shapes are without the batch. ``ranks`` counts the axes of the input."""

    name: str
    ranks: tuple[int, ...]
    config: Callable[[Draw, Shape], dict[str, Any]]
    shape: Callable[[Shape, Config], Shape]
    formatted: bool = False

    def fits(self, shape: Shape) -> bool:
        return len(shape) in self.ranks


def pick(draw: Draw, *options: Any) -> Any:
    """One of ``options``; failures are shrunk towards the first."""
    return draw(st.sampled_from(options))


def flip(draw: Draw) -> bool:
    return bool(draw(st.booleans()))


def same(shape: Shape, config: Config) -> Shape:
    """The output shape of a layer that keeps it."""
    return shape


def nothing(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {}


def split(shape: Shape, config: Config) -> tuple[Shape, int]:
    """Spatial sizes and channels."""
    if config.get("data_format") == "channels_first":
        return shape[1:], shape[0]
    return shape[:-1], shape[-1]


def join(sizes: Shape, channels: int, config: Config) -> Shape:
    if config.get("data_format") == "channels_first":
        return (channels, *sizes)
    return (*sizes, channels)


def per_axis(value: Any, rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank


def window(size: int, taps: int, stride: int, padding: str) -> int:
    """How often a window fits along an axis."""
    if padding == "valid":
        return (size - taps) // stride + 1
    return math.ceil(size / stride)


def fewer(**config: Any) -> dict[str, Any]:
    """Arguments without those that are Keras's defaults, so that recipes stay short."""
    defaults = {"groups": 1, "depth_multiplier": 1, "use_bias": True, "activation": None}
    return {key: value for key, value in config.items() if value != defaults.get(key, "")}
