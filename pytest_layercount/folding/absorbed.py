"""The weights that layers have after they took up what folds into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.plan import Plan, ReadWeights
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.rules.base import Weights
from pytest_layercount.folding.rules.weighted import Weighted
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
    """As :func:`absorbed_weights`, one layer after the other, the largest first.

    What it takes to compute a layer's weights is in memory only while few others are.
    """
    taken = by_layer(plan)
    for layer in sorted(taken, key=lambda each: -taken[each][0].site.layer.parameters):
        absorptions = taken[layer]
        rule = rule_for(absorptions[0].site.layer)
        assert rule is not None
        before = read(layer, rule.weights)
        maps = [affine for one in absorptions for affine in one.maps.values()]
        if before is not None and not any(affine.symbolic for affine in maps):
            yield Absorbed(layer, before, changed(before, absorptions))


def scaled_once(plan: Plan) -> set[int]:
    """The layers whose kernels are multiplied by one scale, and are not otherwise changed.

    These are as exact if they are read in their own type, not in float64.
    """
    alone = {layer: found[0] for layer, found in by_layer(plan).items() if len(found) == 1}
    sites = {layer: absorption.site for layer, absorption in alone.items()}
    return {
        layer
        for layer, site in sites.items()
        if site.layer.builtin and isinstance(rule_for(site.layer), Weighted)
    }


def by_layer(plan: Plan) -> dict[int, list[Absorption]]:
    """What each layer of ``plan`` that absorbs takes up, in order."""
    found: dict[int, list[Absorption]] = {}
    for absorption in plan.absorptions:
        found.setdefault(absorption.layer, []).append(absorption)
    return found


def changed(weights: Weights, absorptions: list[Absorption]) -> dict[str, Array]:
    """The float64 weights of a layer once it has taken these up."""
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
