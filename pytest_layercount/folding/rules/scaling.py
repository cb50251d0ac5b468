"""Layers that scale and shift by numbers of their own: Rescaling, Normalization, LayerScale.

====================  =============================  ==================================
Rescaling             ``scale x + offset``           numbers, or one per last-axis channel
Normalization         ``(x - m) / d``                ``d = max(sqrt(v), epsilon)``
  with ``invert``     ``d x + m``
LayerScale            ``gamma x``                    ``keras.applications`` (ConvNeXt)
====================  =============================  ==================================

``m`` and ``v`` are what ``adapt`` found or the layer was given. A layer that was
neither has m = 0 and v = 1, which no fold may rely on.

Rescaling takes up a map on either side, ``s (a x + b) + t`` and ``a (s x + t) + b``,
as new ``scale`` and ``offset`` arguments. LayerScale takes up a scale in gamma.
Normalization takes up none: its division by a root could become neither
negative nor zero.

TensorFlow reads plain Python numbers as float32 before it casts them to the type
in which Rescaling computes. Where that is float64 the rounding shows, so the map is
rounded likewise, and new numbers are NumPy's, which are not rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rules.base import (
    ZERO_SHIFT,
    Absorbs,
    Rule,
    Site,
    Stop,
    Weights,
    aligned,
)


class Rescaling(Rule):
    """The map is in the configuration, so it is known without reading weights."""

    types = ("Rescaling",)

    def affine(self, site: Site, weights: Weights | None) -> Affine | Stop:
        if site.input is None:
            return Stop("unknown-shape")
        scale, offset = _number(site.config["scale"]), _number(site.config["offset"])
        if scale is None or offset is None:
            return Stop("unknown-layer")
        size = max(scale.size, offset.size)
        if scale.ndim > 1 or offset.ndim > 1 or size not in (1, site.input[-1]):
            return Stop("channel-axis")
        if scale.ndim and site.config.get("data_format") == "channels_first":
            return Stop("channel-axis")
        scale, shift = np.broadcast_to(scale, size).copy(), np.broadcast_to(offset, size).copy()
        if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
            return Stop("non-finite")
        axis = None if size == 1 else len(site.input) - 1
        return Affine.of(scale, shift, axis, ("layer", site.layer.path))

    def absorb_after(self, site: Site, affine: Affine) -> Absorbs | Stop:
        return self._absorb(site, affine, after=True)

    def absorb_before(self, site: Site, affine: Affine) -> Absorbs | Stop:
        return self._absorb(site, affine, after=False)

    def after(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
        return {}

    def before(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
        return {}

    def _absorb(self, site: Site, affine: Affine, *, after: bool) -> Absorbs | Stop:
        own = self.affine(site, None)
        if not isinstance(own, Affine):
            return own
        last = site.config.get("data_format") != "channels_first"
        if affine.axis is not None and not (last and affine.axis == len(site.input or ()) - 1):
            return Stop("channel-axis")
        if affine.symbolic:
            return Absorbs()  # which numbers it will have is known when weights are read
        first, second = (own, affine) if after else (affine, own)
        (a, b), (c, d) = first.arrays(), second.arrays()
        scale, offset = c * a, c * b + d
        if not _fits(site, scale) or not _fits(site, offset):
            return Stop("overflow")
        return Absorbs(changes={"scale": _argument(scale), "offset": _argument(offset)})


class Normalization(Rule):
    """The map is in ``mean`` and ``variance`` as the layer uses them, already broadcast."""

    types = ("Normalization",)
    weights = ("mean", "variance")

    def affine(self, site: Site, weights: Weights | None) -> Affine | Stop | None:
        axes = _kept(site)
        if axes is None or site.input is None:
            return Stop("unknown-shape")
        if len(axes) > 1:
            return Stop("channel-axis")
        axis = axes[0] if axes else None
        token = ("layer", site.layer.path)
        given = site.config["input_mean"] is not None
        if weights is None:
            channels = 1 if axis is None else int(site.input[axis] or 0)
            shift = None if given else False
            return Affine(
                axis, channels, token, zero_shift=shift, nonnegative=True, unit_scale=False
            )
        scale, shift_by = _normalising(site, weights)
        if not (np.isfinite(scale).all() and np.isfinite(shift_by).all()):
            return Stop("non-finite")
        affine = Affine.of(scale, shift_by, axis, token)
        if not given and not weights["mean"].any() and bool((weights["variance"] == 1).all()):
            return affine.untrusted(zero_shift=False, nonnegative=True)
        return affine


class LayerScale(Rule):
    """A scale along the last axis, which takes up other scales."""

    types = ("LayerScale",)
    weights = ("gamma",)

    def affine(self, site: Site, weights: Weights | None) -> Affine | Stop | None:
        if site.input is None or site.input[-1] is None:
            return Stop("unknown-shape")
        axis, token = len(site.input) - 1, ("layer", site.layer.path)
        if weights is None:
            channels = int(site.input[-1])
            return Affine(axis, channels, token, zero_shift=True, unit_scale=False)
        gamma = weights["gamma"]
        if gamma.shape != (site.input[-1],):
            return Stop("channel-axis")
        if not np.isfinite(gamma).all():
            return Stop("non-finite")
        return Affine.of(gamma, np.zeros_like(gamma), axis, token)

    def absorb_after(self, site: Site, affine: Affine) -> Absorbs | Stop:
        axis = None if site.input is None else len(site.input) - 1
        here = aligned(affine, site.input, axis)
        return here if isinstance(here, Stop) else Absorbs((ZERO_SHIFT,))

    absorb_before = absorb_after

    def after(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
        return {"gamma": weights["gamma"] * affine.arrays()[0]}

    before = after


def _normalising(site: Site, weights: Weights) -> tuple[Array, Array]:
    mean, variance = weights["mean"].ravel(), weights["variance"].ravel()
    with np.errstate(all="ignore"):
        deviation = np.maximum(np.sqrt(variance), site.config["epsilon"])
        if site.config["invert"]:
            return deviation, mean
        return 1 / deviation, -mean / deviation


def _kept(site: Site) -> list[int] | None:
    """The axes along which the statistics vary."""
    axes, shape = site.config["axis"], site.input
    if shape is None:
        return None
    found = sorted({int(axis) % len(shape) for axis in axes})
    if any(shape[axis] is None for axis in found):
        return None
    return [axis for axis in found if shape[axis] != 1]


def _number(value: Any) -> Array | None:
    """A number or sequence of numbers as TensorFlow will take it."""
    leaves = list(_leaves(value))
    if not all(isinstance(leaf, (int, float, np.number)) for leaf in leaves):
        return None
    array = np.asarray(value, dtype=np.float64)
    plain = any(type(leaf) is float for leaf in leaves)
    return array.astype(np.float32).astype(np.float64) if plain else array


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _argument(numbers: Array) -> Any:
    """A constructor argument that keeps its precision, and that Keras can save."""
    return np.float64(numbers[0]) if numbers.size == 1 else tuple(map(np.float64, numbers))


def _fits(site: Site, numbers: Array) -> bool:
    name = site.node.dtypes[0] if site.node.dtypes else ""
    dtype = np.dtype(name) if name in ("float16", "float64") else np.dtype(np.float32)
    with np.errstate(over="ignore"):
        return bool(np.isfinite(numbers.astype(dtype)).all())
