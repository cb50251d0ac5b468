"""Multi-head attention: what follows goes into its output projection.

The layer ends in ``K z + b`` over heads and their features, the last axis of ``K``
being that of the output: ``s (K z + b) + t = (s K) z + (s b + t)``. What comes before
that is not linear, so nothing is absorbed from before.

Its ``use_bias`` switches all projections at once. Without it only a scale is
absorbed.
"""

from __future__ import annotations

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rules.base import (
    ZERO_SHIFT,
    Absorbs,
    Rule,
    Site,
    Stop,
    Weights,
    aligned,
)

_KERNEL, _BIAS = "_output_dense.kernel", "_output_dense.bias"


class Attention(Rule):
    """MultiHeadAttention and GroupQueryAttention, where they return no scores."""

    types = ("GroupedQueryAttention", "MultiHeadAttention")
    weights = (_KERNEL, _BIAS)

    def absorb_after(self, site: Site, affine: Affine) -> Absorbs | Stop:
        axis = None if site.output is None else len(site.output) - 1
        here = aligned(affine, site.output, axis)
        if isinstance(here, Stop):
            return here
        return Absorbs(() if site.config["use_bias"] else (ZERO_SHIFT,))

    def after(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
        scale, shift = affine.arrays()
        new = {_KERNEL: weights[_KERNEL] * scale}
        if _BIAS in weights:
            new[_BIAS] = weights[_BIAS] * scale + shift
        return new
