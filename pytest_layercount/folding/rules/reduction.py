"""Means, maxima and minima over axes that an operation names.

As in pooling, ``mean(s x + t) = s mean(x) + t``, and an extremum keeps its place where
``s >= 0``. The map must run along an axis that is left: along one that is reduced
it would differ within the mean. Without ``keepdims`` the axes after a reduced one
move up.
"""

from __future__ import annotations

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import NONNEGATIVE, Need, Site, Stop, Through, moved
from pytest_layercount.model.graph import Value


class Mean(Through):
    """The mean over axes."""

    operations: tuple[str, ...] = ("mean", "reduce_mean")

    def up(self, site: Site, affine: Affine) -> Affine:
        left = _left(site)
        if affine.axis is None:
            return affine
        axis = left[affine.axis]
        if axis is None:
            raise Stop("channel-axis")
        return moved(affine, affine.axis, axis)

    def down(self, site: Site, affine: Affine) -> Affine:
        left = _left(site)
        if affine.axis is None:
            return affine
        if affine.axis not in left:
            raise Stop("channel-axis")
        return moved(affine, affine.axis, left.index(affine.axis))


class Extreme(Mean):
    """The largest or smallest over axes; a number ``initial`` among them stops a map."""

    operations: tuple[str, ...] = ("max", "min", "reduce_max", "reduce_min")

    def needs(self, site: Site) -> tuple[Need, ...]:
        return (NONNEGATIVE,)


def _left(site: Site) -> list[int | None]:
    """For each axis of the output, its axis in the input; None where it was reduced and kept.

    Raises:
        Stop: the axes cannot be read, or ``initial`` is given.
    """
    args = site.node.args
    if site.input is None or not args or not isinstance(args[0], Value):
        raise Stop("unknown-shape")
    axes, keep = site.setting(1, "axis"), site.setting(2, "keepdims", "keep_dims")
    initial = site.setting(None, "initial")  # where TensorFlow takes a name
    if isinstance(axes, int):
        axes = (axes,)
    rank = len(site.input)
    if axes is None:
        axes = range(rank)
    elif not isinstance(axes, (list, tuple)) or not all(isinstance(axis, int) for axis in axes):
        raise Stop("unknown-shape")
    # max(s x + t, i) is not s max(x, i) + t.
    if initial is not None:
        raise Stop("nonlinear")
    gone = {axis % rank for axis in axes}
    if keep:
        return [None if axis in gone else axis for axis in range(rank)]
    return [axis for axis in range(rank) if axis not in gone]
