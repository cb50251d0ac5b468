"""How far two values are apart, channel by channel, and how far rounding explains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.model.graph import ModelGraph, Value

MARGIN = 4.0  # times the noise: a few random draws do not meet the worst case


ROUNDING = 2.0**-40  # of a channel's largest value: what float64 itself may add, generously


CANCELLED = 2.0**-49  # of the largest value of all: float64 where a channel cancels to nothing


class Gap(NamedTuple):
    """At one value, for each channel: the largest difference, noise and magnitude."""

    difference: Array
    noise: Array
    magnitude: Array

    @property
    def limit(self) -> Array:
        """The largest difference that rounding explains.

        A channel whose noise happens to be small has that of most others, for its size.
        """
        floor = np.maximum(ROUNDING * self.magnitude, CANCELLED * self.magnitude.max(initial=0.0))
        noise = MARGIN * self.usual_noise
        return np.asarray(np.maximum(np.maximum(noise, floor), np.finfo(np.float64).tiny))

    @property
    def usual_noise(self) -> Array:
        """The noise of each channel, at least the median of the channels of about its size."""
        usual = self.noise.copy()
        # Alike in size are magnitudes within a factor of 4: the exponent of 2, halved. Zeros are a
        # group of their own.
        sizes = np.where(self.magnitude > 0, np.frexp(self.magnitude)[1] // 2, np.iinfo(int).min)
        for size in np.unique(sizes):
            alike = sizes == size
            # The median: half of the channels must be as noisy before others are allowed as much.
            usual[alike] = np.maximum(usual[alike], np.median(self.noise[alike]))
        return usual

    @property
    def explained(self) -> bool:
        """Whether the noise measured so far explains the difference."""
        return bool(np.all(self.difference <= self.limit))

    def louder(self, noise: Array) -> Gap:
        """The same with at least this noise."""
        # ``fmax`` passes over NaN, which moved weights may make of a value.
        return self._replace(noise=np.fmax(self.noise, noise))


def worse(one: Gap, other: Gap) -> Gap:
    """The one of two gaps that is further beyond its limit."""
    return one if worst_of(one)[0] >= worst_of(other)[0] else other


def worst_of(gap: Gap) -> tuple[float, int]:
    """By how many times its limit the worst channel is off, and its number."""
    # A limit is never zero, so NaN is a difference from something that is no number.
    ratio = np.nan_to_num(gap.difference / gap.limit, nan=np.inf)
    channel = int(np.argmax(ratio)) if ratio.size else 0
    return float(ratio.max(initial=0.0)), channel


def channel_axis(graph: ModelGraph, value: Value) -> int:
    """The axis of the channels of ``value``: the last, or that of the model's convolutions."""
    shape = graph.shape(value)
    first = any(layer.config.get("data_format") == "channels_first" for layer in graph.layers)
    return 1 if first and shape is not None and len(shape) > 2 else -1


def gap_of(one: Any, two: Any, axis: int) -> Gap:
    """Measure how far two arrays are apart; between strings or truth values it is 0 or 1."""
    a, b = np.asarray(one), np.asarray(two)
    if a.shape != b.shape or is_number(a) != is_number(b):
        # Nothing to subtract: one channel, infinitely far off.
        return Gap(np.array([np.inf]), np.zeros(1), np.ones(1))
    if not is_number(a):
        return Gap(np.array([float(np.any(a != b))]), np.zeros(1), np.ones(1))
    wide = _wide(a)
    magnitude = _by_channel(wide, axis, lambda: np.isnan(wide) & np.isnan(_wide(b)))
    if wide.size and not np.isfinite(wide).any():
        magnitude = np.full_like(magnitude, np.inf)  # nothing to compare
    return Gap(apart(a, b, axis), np.zeros_like(magnitude), magnitude)


def apart(one: Any, two: Any, axis: int) -> Array:
    """The largest difference in each channel."""
    a, b = _wide(one), _wide(two)
    with np.errstate(invalid="ignore"):
        return _by_channel(a - b, axis, lambda: np.isnan(a) & np.isnan(b))


def _by_channel(array: Array, axis: int, left_out: Callable[[], Any]) -> Array:
    """The largest magnitude in each channel. NaN counts, except where ``left_out`` says.

    A random input may lie outside an operation's domain, in both models alike.
    """
    largest = _largest(array, axis)
    if not np.isnan(largest).any():
        return largest
    return _largest(np.where(left_out(), 0.0, array), axis)


def _largest(array: Array, axis: int) -> Array:
    if array.ndim < 2:  # no channels, only samples
        return np.array([np.abs(array).max(initial=0.0)], np.float64)
    others = tuple(number for number in range(array.ndim) if number != axis % array.ndim)
    largest: Array = np.abs(array).max(axis=others, initial=0.0)
    return largest


def is_number(array: Any) -> bool:
    """Whether the values of an array can be subtracted."""
    return bool(array.dtype.kind not in "bOSU")


def _wide(array: Any) -> Array:
    return np.asarray(array, np.float64)
