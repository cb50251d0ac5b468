"""Embedding: a table of rows.

``s E[i] + t`` is row ``i`` of the table ``s E + t``, whatever ``i`` is, so every map
along the last axis is absorbed after the layer. A mask (``mask_zero``) is made from
the indices, which stay. A table that an output layer shares is tied, so sealed.
"""

from __future__ import annotations

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import Absorbs, Rule, Site, Weights, aligned, last_axis


class Embedding(Rule):
    """Rows of ``embeddings``, shape (indices, channels)."""

    types = ("Embedding",)
    weights = ("embeddings",)

    def absorb_after(self, site: Site, affine: Affine) -> Absorbs:
        aligned(affine, site.output, last_axis(site.output))
        return Absorbs()

    def after(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
        scale, shift = affine.arrays()
        return {"embeddings": weights["embeddings"] * scale + shift}
