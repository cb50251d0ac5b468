"""Layers that scale and shift by numbers of their own: Rescaling, Normalization, LayerScale.

====================  =============================  ==================================
Rescaling             ``scale x + offset``           numbers, or one per last-axis channel
Normalization         ``(x - m) / d``                ``d = max(sqrt(v), epsilon)``
  with ``invert``     ``d x + m``
LayerScale            ``gamma x``                    ``keras.applications`` (ConvNeXt)
====================  =============================  ==================================

``m`` and ``v`` are what ``adapt`` found or the layer was given. A layer that was
neither has m = 0 and v = 1, which no fold may rely on.

Rescaling takes up maps along the last axis, on either side, as new ``scale`` and
``offset`` arguments: ``s (a x + b) + t`` and ``a (s x + t) + b``. LayerScale takes up
a scale in gamma. An adapted Normalization takes up a map with a positive scale::

    s (x - m) / d + t  =  (x - (m - t d / s)) / (d / s)
    (s x + t - m) / d  =  (x - (m - t) / s) / (d / s)

and the same with ``invert``, where ``d`` becomes ``s d``. A root is never negative, and
below ``epsilon`` it is cut off: no statistics would express such a map. One that was
given its statistics takes up nothing: Keras 3 reads them as float32, whatever they are.

TensorFlow reads plain Python numbers as float32 before it casts them to the type
in which Rescaling computes. Where that is float64 the rounding shows, so the map is
rounded likewise; new numbers are NumPy's, which are not rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.half import vanishes
from pytest_layercount.folding.rule import (
    NO_BIAS,
    NONNEGATIVE,
    Absorbs,
    Maps,
    Rule,
    Side,
    Site,
    Stop,
    Through,
    Weights,
    aligned,
    map_of,
)
from pytest_layercount.model.graph import leaves
from pytest_layercount.model.layers.base import is_first


class Rescaling(Through):
    """The map is in the configuration, so it is known without reading weights."""

    types = ("Rescaling",)

    def affine(self, site: Site, weights: Weights | None) -> Affine:
        if site.input is None:
            raise Stop("unknown-shape")
        scale, offset = _number(site.config["scale"]), _number(site.config["offset"])
        if scale is None or offset is None:
            raise Stop("unknown-layer")
        size = max(scale.size, offset.size)
        if scale.ndim > 1 or offset.ndim > 1 or size not in (1, site.input[-1]):
            raise Stop("channel-axis")
        # With ``image_data_format()`` channels_first Keras 3 takes scales along the channels in
        # front.
        if scale.ndim and is_first(site.config):
            raise Stop("channel-axis")
        scale, shift = np.broadcast_to(scale, size).copy(), np.broadcast_to(offset, size).copy()
        return map_of(site, scale, shift, None if size == 1 else len(site.input) - 1)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs:
        own, affine = self.affine(site, None), maps[0]
        if affine.axis is not None:
            if is_first(site.config):
                raise Stop("channel-axis")
            aligned(affine, site.input, -1)
        if affine.symbolic:
            return Absorbs()  # which numbers it will have is known when weights are read
        inner, outer = (own, affine) if side == "after" else (affine, own)
        # c (a x + b) + d = (c a) x + (c b + d)
        (a, b), (c, d) = inner.arrays(), outer.arrays()
        scale, offset = c * a, c * b + d
        if not _fits(site, scale) or not _fits(site, offset) or _vanishes(site, a, scale):
            raise Stop("overflow")
        return Absorbs(changes={"scale": _plain(scale), "offset": _plain(offset)})

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        return {}

    def up(self, site: Site, affine: Affine) -> Affine:
        raise Stop("fixed-weights")


class Normalization(Through):
    """The map is in ``mean`` and ``variance`` as the layer uses them, already broadcast.

    It keeps what ``adapt`` found in variables, and takes up maps there.
    """

    types = ("Normalization",)
    weights = ("mean", "variance", "adapt_mean", "adapt_variance")

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        axes = _kept(site)
        if axes is None or site.input is None:
            raise Stop("unknown-shape")
        if len(axes) > 1:
            raise Stop("channel-axis")
        axis = axes[0] if axes else None
        fixed = site.config["input_mean"] is not None
        if weights is None:
            channels = 1 if axis is None else int(site.input[axis] or 0)
            token = ("layer", site.layer.path)
            # A mean that was given may be zero, which weights tell; of one that ``adapt`` finds a
            # shift is always expected.
            shift = None if fixed else False
            return Affine(
                axis, channels, token, zero_shift=shift, nonnegative=True, unit_scale=False
            )
        affine = map_of(site, *_normalising(site, weights), axis)
        if not fixed and not weights["mean"].any() and bool((weights["variance"] == 1).all()):
            return affine.untrusted(zero_shift=False, nonnegative=True)
        return affine

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        axes, affine = _kept(site), maps[0]
        if axes is None:
            raise Stop("unknown-shape")
        if site.config["input_mean"] is not None:
            return None
        if affine.axis is not None and axes != [affine.axis]:
            raise Stop("channel-axis")
        # A scale of zero would be divided by below; the need alone would let it through.
        if affine.scale is not None and not (affine.scale > 0).all():
            raise Stop("scale-negative")
        return Absorbs((NONNEGATIVE,))

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        mean, deviation = _statistics(site, weights)
        scale, shift = maps[0].arrays()
        if site.config["invert"]:
            # s (d x + m) + t = (s d) x + (s m + t)        d (s x + t) + m = (d s) x + (m + t d)
            mean = mean * scale + shift if side == "after" else mean + shift * deviation
            return _adapted(site, weights, mean, deviation * scale)
        mean = mean - shift * deviation / scale if side == "after" else (mean - shift) / scale
        return _adapted(site, weights, mean, deviation / scale)

    def up(self, site: Site, affine: Affine) -> Affine:
        raise Stop("fixed-weights")


class LayerScale(Rule):
    """A scale along the last axis, which takes up other scales."""

    types = ("LayerScale",)
    weights = ("gamma",)

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        if site.input is None or site.input[-1] is None:
            raise Stop("unknown-shape")
        axis = len(site.input) - 1
        if weights is None:
            channels, token = int(site.input[-1]), ("layer", site.layer.path)
            return Affine(axis, channels, token, zero_shift=True, unit_scale=False)
        gamma = weights["gamma"]
        if gamma.shape != (site.input[-1],):
            raise Stop("channel-axis")
        return map_of(site, gamma, np.zeros_like(gamma), axis)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs:
        aligned(maps[0], site.input, -1)
        return Absorbs((NO_BIAS,))

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        return {"gamma": weights["gamma"] * maps[0].arrays()[0]}


def _statistics(site: Site, weights: Weights, *, kept: str = "adapt_") -> tuple[Array, Array]:
    """``m`` and ``d`` of the module docstring, as vectors."""
    variance = weights[f"{kept}variance"].ravel()
    with np.errstate(all="ignore"):
        return weights[f"{kept}mean"].ravel(), np.maximum(np.sqrt(variance), site.config["epsilon"])


def _normalising(site: Site, weights: Weights) -> tuple[Array, Array]:
    mean, deviation = _statistics(site, weights, kept="")
    if site.config["invert"]:
        return deviation, mean
    return 1 / deviation, -mean / deviation


def _adapted(site: Site, weights: Weights, mean: Array, deviation: Array) -> dict[str, Array]:
    """The variables with which the layer computes these, infinite where none would do so."""
    shape = weights["adapt_mean"].shape
    # The layer would use ``epsilon`` instead. Infinite weights are refused as an overflow.
    deviation = np.where(deviation < site.config["epsilon"], np.inf, deviation)
    return {"adapt_mean": mean.reshape(shape), "adapt_variance": (deviation**2).reshape(shape)}


def _plain(numbers: Array) -> Any:
    """One number, or a tuple of NumPy's numbers."""
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def _kept(site: Site) -> list[int] | None:
    """The axes along which the statistics vary."""
    axes, shape = site.config["axis"], site.input
    if shape is None:
        return None
    places = sorted({int(axis) % len(shape) for axis in axes})
    if any(shape[axis] is None for axis in places):
        return None
    # Along an axis of size 1 there is one number, which maps every element alike.
    return [axis for axis in places if shape[axis] != 1]


def _number(value: Any) -> Array | None:
    """A number or sequence of numbers as TensorFlow will take it."""
    numbers = list(leaves(value))
    if not all(isinstance(number, (int, float, np.number)) for number in numbers):
        return None
    array = np.asarray(value, dtype=np.float64)
    # ``type`` and not ``isinstance``: NumPy's float64 is a subclass of float, and keeps its digits.
    plain = any(type(number) is float for number in numbers)
    return array.astype(np.float32).astype(np.float64) if plain else array


def _vanishes(site: Site, before: Array, after: Array) -> bool:
    return bool(site.node.dtypes) and vanishes(before, after, site.node.dtypes[0])


def _fits(site: Site, numbers: Array) -> bool:
    name = site.node.dtypes[0] if site.node.dtypes else ""
    # bfloat16 reaches as far as float32.
    dtype = np.dtype(name) if name in ("float16", "float64") else np.dtype(np.float32)
    with np.errstate(over="ignore"):
        return bool(np.isfinite(numbers.astype(dtype)).all())
