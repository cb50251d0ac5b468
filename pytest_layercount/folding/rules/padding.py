"""Padding with zeros, and cropping.

Padding puts zeros next to ``x``. After ``s x + t`` they are still zeros, where
moving the map through would make them ``t``: a scale passes, a shift does not,
unless there is nothing to pad. Cropping only drops positions: all passes.

A convolution may pad for itself. TensorFlow pads ``same`` so that the output has
``ceil(n / s)`` positions::

    total = max((ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
    before = total // 2         after = total - before

With stride 1 that is ``(k - 1) * d`` whatever the size ``n``, for a kernel of one it is
nothing; else it depends on ``n``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pytest_layercount.folding.rule import Channelwise, Need, Site
from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import is_first

_NO_SHIFT = Need("zero_shift", "shift-meets-padding")


class Padding(Channelwise):
    """ZeroPadding1D, 2D and 3D."""

    types = ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")

    def needs(self, site: Site) -> tuple[Need, ...]:
        return (_NO_SHIFT,) if _any(site.config.get("padding", 1)) else ()


class Cropping(Channelwise):
    """Cropping1D, 2D and 3D; CenterCrop, which enlarges what is too small as Resizing does."""

    types = ("CenterCrop", "Cropping1D", "Cropping2D", "Cropping3D")


def pads(site: Site) -> bool:
    """Whether zeros that are not the input's own can meet the kernel of a convolution."""
    config = site.config
    if config["padding"] == "valid" or math.prod(config["kernel_size"]) == 1:
        return False
    # ``same`` pads nothing where strides divide the size and the kernel is no longer than they are.
    # Of an unknown shape there is no axis to ask; ``causal`` always pads a kernel of two or more.
    nothing = all(same_padding(*axis) == (0, 0) for axis in spatial(site, site.input))
    return config["padding"] != "same" or site.input is None or not nothing


def spatial(site: Site, shape: Shape) -> Iterator[tuple[int | None, int, int, int]]:
    """Size, kernel, stride and dilation along each axis that a convolution moves along."""
    config = site.config
    first, kernel = is_first(config), config["kernel_size"]
    strides, dilation = (
        config.get(name) or (1,) * len(kernel)  # old files do not say
        for name in ("strides", "dilation_rate")
    )
    sizes = () if shape is None else shape[2 if first else 1 :]
    return zip(sizes, kernel, strides, dilation, strict=False)


def same_padding(
    size: int | None, kernel: int, stride: int, dilation: int = 1
) -> tuple[int, int] | None:
    """What ``same`` pads before and after an axis; None where it depends on the size."""
    reach = (kernel - 1) * dilation + 1
    if stride == 1 or kernel == 1:
        total = reach - 1
    elif size is None:
        return None
    else:
        # The double minus rounds up: ``-(-n // s)`` is ``ceil(n / s)``.
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def _any(amounts: Any) -> bool:
    return any(map(_any, amounts)) if isinstance(amounts, tuple) else bool(amounts)
