"""Kernels of linear layers that read the same input: where a small one lies in a large one.

A kernel begins so many input positions before the position that its output belongs to
(see ``rules/padding.py`` for ``same``), and its taps are ``dilation`` positions apart. The
small kernel lies where both begin at the same input positions, tap on tap. A Dense
moves along no axis: its kernels lie on each other.
"""

from __future__ import annotations

from pytest_layercount.folding.rules.base import Site
from pytest_layercount.folding.rules.padding import same_padding
from pytest_layercount.model.layers.base import is_first


def offset(large: Site, small: Site | None) -> tuple[int, ...] | None:
    """Where in the large kernel a smaller one (None: 1x1) meets the same input."""
    strides, kernel = along(large, "strides"), along(large, "kernel_size")
    ones = (1,) * len(kernel)
    if large.input is None or (small is None and strides != ones):
        return None
    if small is not None and any(
        small.layer.type != large.layer.type or small.config.get(name) != large.config.get(name)
        for name in ("strides", "groups", "data_format", width(large))
    ):
        return None
    first = is_first(large.config)
    starts = [
        _start(_Axis(large, axis, size), None if small is None else _Axis(small, axis, size))
        for axis, size in zip(range(len(kernel)), large.input[2 if first else 1 :], strict=False)
    ]
    return None if None in starts else tuple(start for start in starts if start is not None)


class _Axis:
    """A convolution along one axis of its input."""

    def __init__(self, site: Site, axis: int, size: int | None) -> None:
        self.kernel, self.stride, self.dilation = (
            int(along(site, name)[axis]) for name in ("kernel_size", "strides", "dilation_rate")
        )
        self.size, self.padding = size, site.config["padding"]

    @property
    def lost(self) -> int:
        """How many positions the output lacks, where strides are one."""
        return (self.kernel - 1) * self.dilation if self.padding == "valid" else 0

    @property
    def before(self) -> int | None:
        """How far before an input position the kernel of an output position begins."""
        if self.kernel == 1 or self.padding == "valid":
            return 0
        if self.padding == "causal":
            return (self.kernel - 1) * self.dilation
        padding = same_padding(self.size, self.kernel, self.stride, self.dilation)
        return None if padding is None else padding[0]


def _start(large: _Axis, small: _Axis | None) -> int | None:
    """Where along the large kernel the small one begins (None: the kernel is one)."""
    inner, short, lost = (0, 1, 0) if small is None else (small.before, small.kernel, small.lost)
    if large.before is None or inner is None or (large.size is None and lost != large.lost):
        return None
    if small is not None and short > 1 and small.dilation != large.dilation:
        return None
    start, between = divmod(large.before - inner, large.dilation)
    return start if not between and 0 <= start <= large.kernel - short else None


def along(site: Site, name: str) -> tuple[int, ...]:
    """An attribute for each axis that a convolution moves along; a Dense has none."""
    return tuple(site.config.get(name, ()))


def width(site: Site) -> str:
    """What a layer calls the number that decides on its output channels."""
    if site.layer.type.startswith("Depthwise"):
        return "depth_multiplier"
    return "units" if site.layer.type == "Dense" else "filters"
