"""Layers that rearrange: Flatten, Reshape, Permute, RepeatVector, and the raw operations.

A reshape keeps the row-major order of the elements. Let the channels be axis
``a`` of sizes ``n``, with ``I`` elements in all axes after it: element ``f`` has
channel ``(f // I) % n[a]``. Let ``J`` be the number of elements after axis ``b``
of the target sizes ``m``: there the coordinate is ``j = (f // J) % m[b]``. The
channel depends on ``j`` alone exactly when

* ``J`` divides ``I``: no step along ``b`` spans two channels, and
* ``n[a] I`` divides ``m[b] J``: ``j`` starts anew only where the channels do;

and then it is ``(j J // I) % n[a]``. Flatten after a convolution tiles the map,
(H, W, C) to (H W, C) keeps it, and what splits channels stops it. Read from
right to left, the same says which map on the input equals one on the output.

Only sizes from the channel axis on are needed, so unknown sizes before it do no
harm. Where they come after it, a channel axis that stays whole behind the same
number of elements is followed by counting from the front.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import Site, Stop, Through, moved
from pytest_layercount.model.graph import Shape, Value
from pytest_layercount.model.layers.base import is_first

Sizes = tuple[int | None, ...]
Index = NDArray[np.intp]


def carried(
    source: Sizes, axis: int, target: Sizes, *, same_batch: bool = True
) -> tuple[int, Index]:
    """Where the channels along ``axis`` of ``source`` are after a reshape to ``target``.

    Returns an axis of ``target`` and, for each position along it, the channel
    found there. Both shapes include the batch; ``same_batch`` says that the
    reshape cannot mix it with anything.
    """
    channels = source[axis]
    if channels is None:
        raise Stop("unknown-shape")
    inner = _product(source[axis + 1 :])
    # The two conditions of the module docstring, at the first axis where both hold:
    #
    #     (H, W, C) -> (H W, C)      I = 1, J = 1, C divides C: the axis of C, index 0 .. C - 1
    #     (H, W, C) -> (H W C,)      I = 1, J = 1, C divides H W C: index 0 .. C - 1 over and over
    #     (H, W, C) -> (H, W C)      likewise, over and over along W C
    #     (H, W, C) -> (H W, c, d)   at d, C does not divide d; at c, J = d does not divide I = 1
    #
    for place, length in enumerate(target):
        step = _product(target[place + 1 :])
        if not inner or not step or not length:
            continue  # unknown, or empty
        if inner % step == 0 and (length * step) % (channels * inner) == 0:
            return place, (np.arange(length) * step // inner) % channels
    # For unknown sizes behind the channels. With the same batch, elements can be counted from the
    # front: as many stand before the channels, so they start anew at the same places, and an axis
    # as long as they are many is theirs.
    outer = _product(source[1:axis])
    for place in range(1, len(target)):
        whole = target[place] == channels and same_batch and axis > 0
        if whole and outer is not None and _product(target[1:place]) == outer:
            return place, np.arange(channels)
    # Where all sizes are known, the channels are torn apart for certain.
    known = None not in (*source[axis:], *target[1:])
    raise Stop("channel-axis" if known else "unknown-shape")


class Reshape(Through):
    """Reshape, and the operations that only add or drop axes of size one."""

    types = ("Reshape",)
    operations = ("expand_dims", "reshape", "squeeze")

    def up(self, site: Site, affine: Affine) -> Affine:
        return _reshaped(site, affine, site.output, site.input)

    def down(self, site: Site, affine: Affine) -> Affine:
        return _reshaped(site, affine, site.input, site.output)


class Flatten(Through):
    """Flatten; of ``channels_first`` inputs the channels are first moved to the end."""

    types = ("Flatten",)

    def up(self, site: Site, affine: Affine) -> Affine:
        order = _flattening_order(site)
        if order is None or site.input is None:
            raise Stop("unknown-shape")
        reshaped = _reshaped(site, affine, site.output, tuple(site.input[axis] for axis in order))
        if reshaped.axis is None:
            return reshaped
        return reshaped.along(order[reshaped.axis], reshaped.channels)

    def down(self, site: Site, affine: Affine) -> Affine:
        order = _flattening_order(site)
        if order is None or site.input is None:
            raise Stop("unknown-shape")
        if affine.axis is not None:
            affine = affine.along(order.index(affine.axis), affine.channels)
        return _reshaped(site, affine, tuple(site.input[axis] for axis in order), site.output)


class Permute(Through):
    """Permute and transpose: output axis ``i`` is input axis ``order[i]``."""

    types = ("Permute",)
    operations = ("transpose",)

    def up(self, site: Site, affine: Affine) -> Affine:
        order = _order(site)
        if order is None:
            raise Stop("unknown-shape")
        return affine if affine.axis is None else moved(affine, affine.axis, order[affine.axis])

    def down(self, site: Site, affine: Affine) -> Affine:
        order = _order(site)
        if order is None:
            raise Stop("unknown-shape")
        if affine.axis is None:
            return affine
        return moved(affine, affine.axis, order.index(affine.axis))


class RepeatVector(Through):
    """(batch, channels) to (batch, n, channels)."""

    types = ("RepeatVector",)

    def up(self, site: Site, affine: Affine) -> Affine:
        return moved(affine, 2, 1)

    def down(self, site: Site, affine: Affine) -> Affine:
        return moved(affine, 1, 2)


def _reshaped(site: Site, affine: Affine, source: Shape, target: Shape) -> Affine:
    if not _first_is_value(site):
        raise Stop("nonlinear")
    if affine.axis is None:
        return affine
    if source is None or target is None:
        raise Stop("unknown-shape")
    if source[affine.axis] not in (None, affine.channels):
        raise Stop("channel-axis")
    # One channel is all elements there are, wherever they go.
    if affine.channels == 1:
        return affine.take([0], None)
    # The layer keeps the batch to itself; the operation may spread it over other axes.
    same_batch = site.layer.operation is None
    axis, index = carried(source, affine.axis, target, same_batch=same_batch)
    # The same map and token, so that it equals one which came another way.
    if np.array_equal(index, np.arange(affine.channels)):
        return affine.along(axis, affine.channels)
    return affine.take(index, axis)


def _flattening_order(site: Site) -> tuple[int, ...] | None:
    if site.input is None:
        return None
    rank = len(site.input)
    if is_first(site.config) and rank > 1:
        return (0, *range(2, rank), 1)
    return tuple(range(rank))


def _order(site: Site) -> tuple[int, ...] | None:
    """The permutation with the batch in it, None where it cannot be read."""
    if site.input is None or not _first_is_value(site):
        return None
    rank = len(site.input)
    if site.layer.operation is None:
        order: Any = (0, *site.config["dims"])
    else:
        order = site.setting(1, "perm", "axes")
        order = range(rank)[::-1] if order is None else order  # reversed where none is given
    plain = isinstance(order, (list, tuple, range)) and all(isinstance(axis, int) for axis in order)
    positive = tuple(axis % rank for axis in order) if plain else ()
    return positive if sorted(positive) == list(range(rank)) else None


def _first_is_value(site: Site) -> bool:
    """Whether the tensor is the first argument, as input slot 0 takes it to be."""
    if site.layer.operation is None:
        return True
    return bool(site.node.args) and isinstance(site.node.args[0], Value)


def _product(sizes: Sizes) -> int | None:
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None
