"""Picking positions: ``x[:, 0]``, ``x[:, 1:-1, ::2]``, ``x[..., :3]``, ``split(x, 2)``.

A map passes where its channels stay together, along their axis of the result. Of
channels that are picked themselves, the same ones of the map are what follows.
Upwards the map would be needed on the others as well, so there it stops.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import Maps, Route, Rule, Site, Stop, Through, moved
from pytest_layercount.model.graph import Value

_WHOLE = slice(None)


class GetItem(Through):
    """Integers, slices, ``None`` and ``...`` between brackets."""

    operations = ("get_item",)

    def up(self, site: Site, affine: Affine) -> Affine:
        picked = _picked(site)
        if picked is None:
            raise Stop("unknown-shape")
        if affine.axis is None:
            return affine
        axis, part = picked[affine.axis]
        # A new axis has no channels, and of channels that were picked the others need the map too.
        if axis is None or part != _WHOLE:
            raise Stop("channel-axis")
        return moved(affine, affine.axis, axis)

    def down(self, site: Site, affine: Affine) -> Affine:
        picked = _picked(site)
        if picked is None:
            raise Stop("unknown-shape")
        if affine.axis is None:
            return affine
        for place, (axis, part) in enumerate(picked):
            if axis == affine.axis:
                # Slicing the range gives the numbers of the channels that are picked.
                return affine.take(range(affine.channels)[part], place)
        raise Stop("channel-axis")


class Split(Rule):
    """A tensor taken apart along one axis: what ``concatenate`` would put together again."""

    operations = ("split",)
    several = True

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        if _in_one(site):
            return (Route({0: affine}),)
        raise Stop("several-consumers" if len(site.outputs) > 1 else "unknown-shape")

    def pass_down(self, site: Site, maps: Maps) -> Route:
        if _in_one(site):
            return Route(maps)
        axis = _divided(site)
        if axis is None or set(maps) != {0}:
            raise Stop("unknown-shape")
        affine, number = maps[0], len(site.outputs)
        if affine.axis != axis:
            return Route(dict.fromkeys(range(number), affine))
        # Parts of 2 and 3 channels: ends 0, 2, 5, spans (0, 2) and (2, 5)
        ends = accumulate([shape[axis] or 0 for shape in site.outputs if shape], initial=0)
        return Route(dict(enumerate(affine.part(*span) for span in pairwise(ends))))


class OfShape(Rule):
    """What depends on nothing but the shape of a tensor; masks are made with the help of it."""

    operations = ("ones_like", "shape", "zeros_like")
    shape_only = True


def _in_one(site: Site) -> bool:
    """Whether a split makes but one part, which is the whole."""
    return site.input is not None and site.outputs == (site.input,)


def _divided(site: Site) -> int | None:
    """The axis along which the parts are smaller, None unless they make up the whole."""
    shapes = [shape for shape in site.outputs if shape is not None]
    if site.input is None or len(shapes) != len(site.outputs):
        return None
    for axis, size in enumerate(site.input):
        sizes = [shape[axis] for shape in shapes]
        if size is not None and None not in sizes and sizes != [size] * len(sizes):
            return axis if sum(part or 0 for part in sizes) == size else None
    return None


def _picked(site: Site) -> list[tuple[int | None, slice]] | None:
    """For each axis of the result, its axis of the input and what is picked along it."""
    key = _key(site)
    if key is None or site.input is None:
        return None
    used = sum(part is not None and part is not Ellipsis for part in key)
    if key.count(Ellipsis) > 1 or used > len(site.input):
        return None
    # What the key does not speak of is whole: where the ellipsis stands, or else at the end.
    rest = [_WHOLE] * (len(site.input) - used)
    if Ellipsis in key:
        place = key.index(Ellipsis)
        parts = [*key[:place], *rest, *key[place + 1 :]]
    else:
        parts = [*key, *rest]
    found: list[tuple[int | None, slice]] = []
    axis = 0
    for part in parts:
        if part is None:
            found.append((None, _WHOLE))
            continue
        # An integer uses an axis up, so the result has none for it.
        if isinstance(part, slice):
            found.append((axis, part))
        axis += 1
    return found


def _key(site: Site) -> list[Any] | None:
    """The parts between the brackets, None unless all are integers, slices, None or ``...``."""
    args, kwargs = site.node.args, site.node.kwargs
    keys = [*args[1:], *(kwargs[name] for name in ("key", "slice_spec") if name in kwargs)]
    if not args or not isinstance(args[0], Value) or len(keys) != 1:
        return None
    key = list(keys[0]) if isinstance(keys[0], (list, tuple)) else keys
    parts = [_slice(part) if isinstance(part, dict) else part for part in key]
    return parts if all(map(_plain, parts)) else None


def _slice(part: dict[str, Any]) -> slice:
    """A slice as Keras 2 writes it down."""
    return slice(part.get("start"), part.get("stop"), part.get("step"))


def _plain(part: Any) -> bool:
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        return all(end is None or type(end) is int for end in ends)
    return part is None or part is Ellipsis or type(part) is int
