"""Layers and operations that combine several tensors.

With ``A = (s, t)`` on the output::

    s (x + y) + t  =  (s x + t) + s y             Add: the shift to one branch
    s (x - y) + t  =  (s x + t) - s y             Subtract: the shift to the first
    mean: A(mean(x, y)) = mean(A(x), A(y))        Average: all of it to all, or as in Add
    s (x * y)      =  (s x) * y                   Multiply: the scale to one, no shift
    A(max(x, y))   =  max(A(x), A(y)) if s >= 0   Maximum, Minimum
    A(concat(x, y)) = concat(A1(x), A2(y))        Concatenate: the map is split

and the same equations read from right to left for maps on the inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pytest_layercount.folding.affine import Affine, identity, joined
from pytest_layercount.folding.rule import (
    NONNEGATIVE,
    UNIT_SCALE,
    ZERO_SHIFT,
    Maps,
    Route,
    Rule,
    Site,
    Stop,
    Weights,
)
from pytest_layercount.folding.rules.arithmetic import constant_map, constants, operands, spans
from pytest_layercount.model.graph import Value


class Merge(Rule):
    """A combination of tensors; with one constant operand it is an affine map itself."""

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        return constant_map(site) if constants(site) else None


class Add(Merge):
    """The sum of any number of tensors."""

    types = ("Add",)
    operations = ("add",)

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        _require_everywhere(site, affine)
        scale, slots = affine.scale_only(), range(len(site.inputs))
        # The shift to any one branch. Last an equal share to each: where branches are calls of one
        # layer, they must all ask it for the same.
        whole = tuple(Route({**dict.fromkeys(slots, scale), to: affine}) for to in slots)
        share = affine.shift_times(1 / len(slots))
        return whole if affine.zero_shift else (*whole, Route(dict.fromkeys(slots, share)))

    def pass_down(self, site: Site, maps: Maps) -> Route:
        return _sum_down(site, maps, dict.fromkeys(range(len(site.inputs)), 1.0))


class Subtract(Merge):
    """The difference of two tensors."""

    types = ("Subtract",)
    operations = ("subtract",)

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        _require_everywhere(site, affine)
        return (Route({0: affine, 1: affine.scale_only()}),)

    def pass_down(self, site: Site, maps: Maps) -> Route:
        return _sum_down(site, maps, {0: 1.0, 1: -1.0})


class Average(Rule):
    """The mean of any number of tensors."""

    types = ("Average",)

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        _require_everywhere(site, affine)
        scale, slots = affine.scale_only(), range(len(site.inputs))
        # The mean divides by the number of branches; a shift in one of them only has to be that
        # much larger.
        whole = affine.shift_times(len(slots))
        alone = tuple(Route({**dict.fromkeys(slots, scale), to: whole}) for to in slots)
        return (Route(dict.fromkeys(slots, affine)), *(() if affine.zero_shift else alone))

    def pass_down(self, site: Site, maps: Maps) -> Route:
        count = len(site.inputs)
        return _sum_down(site, maps, dict.fromkeys(range(count), 1 / count))


class Multiply(Merge):
    """The product of any number of tensors."""

    types = ("Multiply",)
    operations = ("multiply",)

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        if constants(site):
            raise Stop("fixed-weights")
        # Any one factor takes the scale, but not one that is broadcast: it has too few channels.
        slots = [slot for slot, shape in enumerate(site.inputs) if spans(site, shape, affine)]
        if not slots:
            raise Stop("channel-axis")
        return tuple(Route({slot: affine}, (ZERO_SHIFT,)) for slot in slots)

    def pass_down(self, site: Site, maps: Maps) -> Route:
        if not all(spans(site, site.inputs[slot], affine) for slot, affine in maps.items()):
            raise Stop("channel-axis")
        if len({affine.axis for affine in maps.values()}) > 1:
            raise Stop("channel-axis")
        # (a x) (c y) = (a c) (x y): maps without shift in a row multiply their scales.
        return Route({0: reduce(Affine.then, [maps[slot] for slot in sorted(maps)])}, (ZERO_SHIFT,))


class Extremum(Rule):
    """The largest or smallest of any number of tensors, element by element."""

    types = ("Maximum", "Minimum")
    operations = ("maximum", "minimum")

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        _require_everywhere(site, affine)
        return (Route(dict.fromkeys(range(len(site.inputs)), affine), (NONNEGATIVE,)),)

    def pass_down(self, site: Site, maps: Maps) -> Route:
        # max(s x + t, y) is no map of max(x, y): every input must have the very same map.
        first = next(iter(maps.values()))
        alike = all(affine.equals(first) for affine in maps.values())
        everywhere = len(maps) == len(site.inputs) and not constants(site)
        if not (alike and everywhere and _spans_all(site, first)):
            raise Stop("nonlinear")
        return Route({0: first}, (NONNEGATIVE,))


class Concatenate(Rule):
    """Tensors side by side along ``axis``."""

    types = ("Concatenate",)
    operations = ("concat", "concatenate")

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        sizes = _sizes(site)
        if sizes is None:
            raise Stop("unknown-shape")
        # Along another axis every part has all the channels.
        if affine.axis != _axis(site):
            return (Route(dict.fromkeys(range(len(sizes)), affine)),)
        starts = [sum(sizes[:slot]) for slot in range(len(sizes))]
        parts = {slot: affine.part(start, start + sizes[slot]) for slot, start in enumerate(starts)}
        return (Route(parts),)

    def pass_down(self, site: Site, maps: Maps) -> Route:
        sizes, axis = _sizes(site), _axis(site)
        if sizes is None or axis is None:
            raise Stop("unknown-shape")
        first = next(iter(maps.values()))
        # Along another axis the parts share their channels, so each must have the very same map.
        if first.axis not in (None, axis):
            alike = all(affine.equals(first) for affine in maps.values())
            if not alike or len(maps) != len(sizes):
                raise Stop("channel-axis")
            return Route({0: first})
        if any(affine.axis not in (None, axis) for affine in maps.values()):
            raise Stop("channel-axis")
        parts = [
            # Inputs without a map keep their channels as they are.
            maps[slot].along(axis, size) if slot in maps else identity(axis, size)
            for slot, size in enumerate(sizes)
        ]
        return Route({0: joined(parts, axis)})


def _axis(site: Site) -> int | None:
    """The axis along which tensors are concatenated: the layer's, or as a call passes it."""
    axis = site.setting(1, "axis")
    if site.output is None or type(axis) is not int:
        return None
    return axis % len(site.output)


def _sizes(site: Site) -> list[int] | None:
    """The size of each input along that axis."""
    tensors = [operand for operand in operands(site) if isinstance(operand, Value)]
    # Keras 2 passes an operation its axis, the first constant of the call; others are tensors
    # beside those of the graph.
    numbers = constants(site) if site.layer.operation is None else constants(site)[1:]
    axis = _axis(site)
    if axis is None or numbers or None in site.inputs or len(tensors) != len(site.inputs):
        return None
    sizes = [shape[axis] for shape in site.inputs if shape is not None]
    # They must make up the output: otherwise something is concatenated that is not seen here.
    known = [int(size or 0) for size in sizes]
    whole = site.output is not None and sum(known) == site.output[axis]
    return known if whole and None not in sizes else None


def _require_everywhere(site: Site, affine: Affine) -> None:
    """Raise a Stop where one input cannot take a map that all of them would have to take."""
    if constants(site):
        raise Stop("fixed-weights")
    if not _spans_all(site, affine):
        raise Stop("channel-axis")


def _spans_all(site: Site, affine: Affine) -> bool:
    return all(spans(site, shape, affine) for shape in site.inputs)


def _sum_down(site: Site, maps: Maps, factors: Mapping[int, float]) -> Route:
    """Turn maps on the terms of a weighted sum into one map on the sum."""
    if constants(site):
        raise Stop("fixed-weights")
    first = next(iter(maps.values()))
    if any(affine.axis != first.axis for affine in maps.values()):
        raise Stop("channel-axis")
    if not all(spans(site, site.inputs[slot], affine) for slot, affine in maps.items()):
        raise Stop("channel-axis")
    # f1 (s x + t1) + f2 (s y + t2) = s (f1 x + f2 y) + (f1 t1 + f2 t2)
    #
    # A term without a map has scale 1, and so must all others, then: hence the need below.
    scale = first.scale_only()
    total = scale
    for slot, affine in maps.items():
        total = total.plus_shift(affine, factors[slot])
    everywhere = len(maps) == len(site.inputs)
    if everywhere and all(affine.scale_only().token == scale.token for affine in maps.values()):
        return Route({0: total})
    return Route({0: total}, (UNIT_SCALE,))
