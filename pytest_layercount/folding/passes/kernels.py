"""Kernels of linear layers that become one: where a small one lies in a large one, and their sum.

A kernel begins so many input positions before the position that its output belongs to
(see ``rules/padding.py`` for ``same``), and its taps are ``dilation`` positions apart. The
small kernel lies where both begin at the same input positions, tap on tap. A Dense
moves along no axis: its kernels lie on each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import Site
from pytest_layercount.folding.rules.padding import same_padding
from pytest_layercount.model.layers.base import is_first


class Term(NamedTuple):
    """A branch beside the target: a layer, or the input itself, mapped if ``affine`` says so."""

    layer: int | None
    offset: tuple[int, ...]
    affine: Affine | None = None


@dataclass(frozen=True)
class Merge:
    """``target`` becomes itself plus ``terms`` (side by side), or ``first`` and then itself.

    ``gone`` are the layers that nothing calls any more.
    """

    target: int
    terms: tuple[Term, ...] = ()
    first: int | None = None
    gone: tuple[int, ...] = ()

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers whose weights are merged, the target among them."""
        others = [term.layer for term in self.terms if term.layer is not None]
        return (self.target, *others, *([] if self.first is None else [self.first]))


def merged_weights(merge: Merge, weights: Mapping[int, Mapping[str, Array]]) -> dict[str, Array]:
    """The float64 weights of the merged layer, from those of ``merge.layers``."""
    target = weights[merge.target]
    if merge.first is not None:
        return _row_weights(weights[merge.first], target)
    name = next(each for each in target if each != "bias")
    kernel = target[name].copy()
    depthwise = name != "kernel"
    bias = np.zeros(math.prod(kernel.shape[-2:]) if depthwise else kernel.shape[-1])
    bias += target.get("bias", 0.0)
    for term in merge.terms:
        added: Array
        if term.layer is None:
            added, shift = _identity_kernel(kernel, term.affine, depthwise=depthwise)
        else:
            added = weights[term.layer][name]
            shift = weights[term.layer].get("bias", np.zeros_like(bias))
        places = zip(term.offset, added.shape[: len(term.offset)], strict=True)
        # Term by term, each where it meets the same input as the large kernel:
        #
        #     K K K     . . .     . . .
        #     K K K  +  . k .  +  . 1 .        a 3x3 kernel, a 1x1 branch, the input itself
        #     K K K     . . .     . . .
        kernel[tuple(slice(start, start + size) for start, size in places)] += added
        bias += shift
    return {name: kernel, "bias": bias}


def _row_weights(first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, Array]:
    # The second kernel is a matrix, of a Dense or 1x1: it mixes the ``inner`` channels, which are
    # the last axis of the first kernel, so one product does it at all taps.
    *_, inner, out = second["kernel"].shape
    last = second["kernel"].reshape(inner, out)
    merged = {"kernel": first["kernel"] @ last}
    if "bias" in first or "bias" in second:
        merged["bias"] = first.get("bias", np.zeros(inner)) @ last + second.get("bias", 0.0)
    return merged


def _identity_kernel(like: Array, affine: Affine | None, *, depthwise: bool) -> tuple[Array, Array]:
    """The 1x1 kernel and bias of ``scale * x + shift``, for grouped convolutions too."""
    *_, inside, out = like.shape
    size = inside if depthwise else out
    scale, shift = (np.ones(size), np.zeros(size)) if affine is None else affine.arrays()
    kernel = np.zeros((*[1] * (like.ndim - 2), inside, out))
    if depthwise:
        # As many channels leave as enter, so the depth multiplier is 1.
        kernel[..., 0] = scale
        return kernel, shift
    for channel in range(out):
        # Of g groups each reads ``inside`` input channels. As many channels leave as enter, so
        # output channel c belongs to group ``c // inside``, where input c is number ``c % inside``.
        kernel[..., channel % inside, channel] = scale[channel]
    return kernel, shift


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
    starts: list[int] = []
    # Channels that come last are left over by ``zip``. A Dense has no such axis: its offset is ().
    for axis, size in zip(range(len(kernel)), large.input[2 if first else 1 :], strict=False):
        inner = None if small is None else _Axis(small, axis, size)
        start = _start(_Axis(large, axis, size), inner)
        if start is None:
            return None
        starts.append(start)
    return tuple(starts)


class _Axis:
    """A convolution along one axis of its input.

    Output position p reads ``p * stride - before + tap * dilation`` for each tap of the kernel.
    """

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
    # A kernel of one begins where its output belongs, has one tap and loses no position.
    inner, short, lost = (0, 1, 0) if small is None else (small.before, small.kernel, small.lost)
    # Where sizes are unknown the outputs of both may have different lengths though both shapes say
    # None. Known ones have been compared.
    if large.before is None or inner is None or (large.size is None and lost != large.lost):
        return None
    if small is not None and short > 1 and small.dilation != large.dilation:
        return None
    # In taps of the large kernel; what is left over would fall between two of them.
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
