"""Layer, group and RMS normalization: not affine, but ending in an affine map.

Each divides by statistics of the very input it gets, then applies weights::

    f(x) = gamma * n(x) + beta          so   s f(x) + t = (s gamma) n(x) + (s beta + t)

A map after the layer is absorbed where gamma and beta span its axis; if they are
off they are switched on, unless the map is such that they are not needed. A map
before the layer changes the statistics, which no weights make up for.

LayerNormalization keeps gamma and beta in the shape of all its axes, as listed, but
lays their elements out over the axes sorted. RMSNormalization has a gamma (``scale``) only, so it
absorbs no shift; its weight is laid along the last axis whatever ``axis`` says.
"""

from __future__ import annotations

import math

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import (
    NO_BIAS,
    Absorbs,
    Maps,
    Rule,
    Side,
    Site,
    Stop,
    Weights,
    aligned,
)


class Normalizing(Rule):
    """Weights that span some axes of the output."""

    weights = ("gamma", "beta")

    def spanned(self, site: Site) -> tuple[int, ...] | None:
        """The axes that gamma and beta span, in order."""
        listed = self.listed(site)
        return None if listed is None else tuple(sorted(listed))

    def listed(self, site: Site) -> tuple[int, ...] | None:
        """The same axes in the order in which the layer keeps them."""
        axes = site.config["axis"]
        if site.output is None or axes is None:
            return None
        listed = axes if isinstance(axes, tuple) else (axes,)
        return tuple(int(axis) % len(site.output) for axis in listed)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        if side == "before":
            return None
        affine, axes = maps[0], self.spanned(site)
        if site.output is None or axes is None or any(site.output[axis] is None for axis in axes):
            raise Stop("unknown-shape")
        if affine.axis is not None and affine.axis not in axes:
            raise Stop("channel-axis")
        aligned(affine, site.output, axes[-1] if affine.axis is None else affine.axis)
        # Switched on, a weight begins as the neutral one: gamma 1, beta 0.
        missing = [name for name in _needed(affine) if not site.config[name]]
        size = math.prod(site.output[axis] or 0 for axis in axes)
        return Absorbs(changes=dict.fromkeys(missing, True), adds=len(missing) * size)

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        affine, axes, listed = maps[0], self.spanned(site), self.listed(site)
        assert axes is not None
        assert listed is not None
        assert site.output is not None
        # The arithmetic is done with axes sorted, variables have ``kept_shape``. It differs where
        # the axes are listed otherwise: Keras 2.15 and 3.3 leave ``[2, 1]`` as it is, and 3.15
        # sorts ``[1, -1]`` to ``[-1, 1]``.
        shape = tuple(site.output[axis] or 0 for axis in axes)
        scale, shift = (_laid(array, affine.axis, axes) for array in affine.arrays())
        kept_shape = tuple(site.output[axis] or 0 for axis in listed)
        gamma = weights.get("gamma", np.ones(shape)).reshape(shape) * scale
        beta = weights.get("beta", np.zeros(shape)).reshape(shape) * scale + shift
        kept = {"scale": ("gamma", gamma), "center": ("beta", beta)}
        return {
            weight: np.broadcast_to(array, shape).reshape(kept_shape)
            for name, (weight, array) in kept.items()
            if site.config[name] or name in _needed(affine)
        }


class LayerNormalization(Normalizing):
    """Over the axes of each example; its old ``rms_scaling`` mode is left alone."""

    types = ("LayerNormalization",)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        # With it Keras 3 leaves out beta whatever ``center`` says.
        if side == "after" and site.config.get("rms_scaling"):
            raise Stop("nonlinear")
        return super().absorb(site, side, maps)


class GroupNormalization(Normalizing):
    """Over groups of channels; gamma and beta are per channel."""

    types = ("GroupNormalization",)


class RMSNormalization(Rule):
    """Over the last axis; a scale is absorbed, a shift is not."""

    types = ("RMSNormalization",)
    weights = ("scale",)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        if side == "before":
            return None
        axis = site.config["axis"]
        # Along another axis the statistics would be taken there and the weight laid along the last.
        listed = axis if isinstance(axis, tuple) else (axis,)
        if listed not in ((-1,), (len(site.output or ()) - 1,)):
            raise Stop("channel-axis")
        aligned(maps[0], site.output, -1)
        return Absorbs((NO_BIAS,))

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        return {"scale": weights["scale"] * maps[0].arrays()[0]}


def _needed(affine: Affine) -> tuple[str, ...]:
    """The weights without which the layer could not take the map up."""
    scale = () if affine.unit_scale is True else ("scale",)
    return scale if affine.zero_shift is True else (*scale, "center")


def _laid(array: Array, axis: int | None, axes: tuple[int, ...]) -> Array:
    """A vector of channels in the rank of the weights."""
    return array if axis is None else array.reshape([-1 if place == axis else 1 for place in axes])
