"""The weights that layers have after they took up what folds into them."""

from __future__ import annotations

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.plan import Plan, ReadWeights
from pytest_layercount.folding.rules import rule_for


def absorbed_weights(plan: Plan, read: ReadWeights) -> dict[int, dict[str, Array]]:
    """The float64 weights of each layer of ``plan`` that absorbs, by its number.

    Layers that absorb what ``read`` does not know are left out.
    """
    new: dict[int, dict[str, Array]] = {}
    unknown: set[int] = set()
    for absorption in plan.absorptions:
        number = absorption.layer
        rule = rule_for(absorption.site.layer)
        assert rule is not None
        before = new[number] if number in new else read(number, rule.weights)
        site, maps = absorption.site, absorption.maps
        if before is None or any(affine.symbolic for affine in maps.values()):
            unknown.add(number)
            continue
        with np.errstate(all="ignore"):
            if absorption.side == "after":
                new[number] = rule.after(site, before, maps[0])
            else:
                new[number] = rule.before_inputs(site, before, maps)
    return {number: weights for number, weights in new.items() if number not in unknown}
