"""How large new weights can get, told from the old ones and the maps that they take up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_layercount.folding.half import in_half
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.rule import Rule
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.folding.search import Absorption
from pytest_layercount.model.keras.variables import variable

if TYPE_CHECKING:
    from pytest_layercount.model.keras.variables import Snapshot
    from pytest_layercount.model.readers.live import OpenModel

LARGEST = 1e38
"""What float32 and bfloat16 hold, with room for rounding."""


def surely_finite(opened: OpenModel, plan: Plan, look: Snapshot) -> set[int]:
    """The layers whose new weights cannot be infinite, whatever the signs of the numbers.

    Only linear layers are looked at. Each new weight of theirs is a sum of at most as many
    products as there are weights, each of a weight from each kernel (separable layers have
    two) with a number of the map, and of one such number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = {
            layer: _bound(opened.layers[layer], plan.rule(layer), taken, look)
            for layer, taken in plan.by_layer().items()
        }
    return {layer for layer, bound in bounds.items() if bound < LARGEST}


def _bound(live: Any, rule: Rule, absorptions: list[Absorption], look: Snapshot) -> float:
    """A bound on the size of every new weight; infinite or NaN where none is known."""
    if not isinstance(rule, Weighted):
        return np.inf
    # Whether these fit depends on single channels as well, see ``half.vanishes``.
    if in_half(live, rule.weights):
        return np.inf
    variables = [variable(live, name) for name in rule.weights]
    arrays = [look(weight) for weight in variables if weight is not None]
    kernels = sum(array.ndim > 1 for array in arrays)
    if any(array.dtype not in (np.float32, np.float64) for array in arrays):
        return np.inf
    count = sum(array.size for array in arrays)
    # No number in a vector is larger than its length, which takes a single product. Sums and
    # not maxima: max() forgets what is not a number.
    bound = np.float64(sum(look.length(weight) for weight in variables if weight is not None))
    for affine in (affine for absorption in absorptions for affine in absorption.maps.values()):
        if affine.symbolic:
            return np.inf
        # With n = count, B = bound, M = most, the larger of
        #
        #     after    |s w| <= M B                    |s b + t| <= M B + M
        #     before   |w s| <= M B                    |b + K t| <= B + n B M
        #
        # is below ``(n B + 1) M + B``. A separable layer's K is a product of two kernels, hence the
        # power: ``n B`` for each. The result bounds what the next map meets.
        most = sum(float(np.abs(array).max(initial=0.0)) for array in affine.arrays())
        bound = (count * bound + 1) ** kernels * most + bound
    return float(bound)
