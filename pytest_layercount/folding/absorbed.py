"""The weights that layers have after they took up what folds into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.plan import Plan, ReadWeights
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.rules.base import Weights
from pytest_layercount.folding.search import Absorption


class Absorbed(NamedTuple):
    """A layer that absorbs, by its number: its float64 weights until now, and those to be."""

    layer: int
    before: Weights
    after: dict[str, Array]


def absorbed_weights(plan: Plan, read: ReadWeights) -> dict[int, dict[str, Array]]:
    """The float64 weights of each layer of ``plan`` that absorbs, by its number.

    Layers that absorb what ``read`` does not know are left out.
    """
    return {found.layer: found.after for found in absorb(plan, read)}


def absorb(plan: Plan, read: ReadWeights) -> Iterator[Absorbed]:
    """As :func:`absorbed_weights`, one layer after the other."""
    by_layer: dict[int, list[Absorption]] = {}
    for absorption in plan.absorptions:
        by_layer.setdefault(absorption.layer, []).append(absorption)
    for layer, absorptions in by_layer.items():
        rule = rule_for(absorptions[0].site.layer)
        assert rule is not None
        before = read(layer, rule.weights)
        maps = [affine for one in absorptions for affine in one.maps.values()]
        if before is not None and not any(affine.symbolic for affine in maps):
            yield Absorbed(layer, before, _after(before, absorptions))


def _after(weights: Weights, absorptions: list[Absorption]) -> dict[str, Array]:
    new = dict(weights)
    for absorption in absorptions:
        rule = rule_for(absorption.site.layer)
        assert rule is not None
        site, maps = absorption.site, absorption.maps
        with np.errstate(all="ignore"):
            if absorption.side == "after":
                new = rule.after(site, new, maps[0])
            else:
                new = rule.before_inputs(site, new, maps)
    return new
