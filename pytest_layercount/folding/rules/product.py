"""Products of two tensors over shared axes: matrix products, ``einsum`` and Dot.

Each is linear in either tensor, so one scale for all elements can move from the
result to one of them and back. A shift cannot, and a map per channel would depend on
how the axes are paired.
"""

from __future__ import annotations

from functools import reduce

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import ZERO_SHIFT, Maps, Route, Rule, Site, Stop
from pytest_layercount.folding.rules.arithmetic import constants


class Product(Rule):
    """A product of tensors, of one with itself too."""

    types = ("Dot",)
    operations = ("einsum", "matmul")

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        if not _plain(site):
            raise Stop("nonlinear")
        if affine.axis is not None:
            raise Stop("channel-axis")
        return tuple(Route({slot: affine}, (ZERO_SHIFT,)) for slot in range(len(site.inputs)))

    def pass_down(self, site: Site, maps: Maps) -> Route:
        if not _plain(site):
            raise Stop("nonlinear")
        if any(affine.axis is not None for affine in maps.values()):
            raise Stop("channel-axis")
        # (a x) (c y) = (a c) (x y). ``matmul(x, x)`` has the map on both slots.
        return Route({0: reduce(Affine.then, maps.values())}, (ZERO_SHIFT,))


def _plain(site: Site) -> bool:
    """Whether it only multiplies: Dot may normalize, and a constant is no tensor of the graph."""
    if site.layer.type == "Dot":
        return site.config.get("normalize") is False
    # The equation of an einsum, the flags of a matmul.
    others = (str, bool, type(None))
    factors = [factor for factor in constants(site) if not isinstance(factor, others)]
    return not factors and len(site.inputs) >= 2
