"""Embedding: a table of rows.

``s E[i] + t`` is row ``i`` of the table ``s E + t``, whatever ``i`` is, so every map
along the last axis is absorbed after the layer. A mask (``mask_zero``) is made from
the indices, which stay. A table that an output layer shares is tied, so sealed.
"""

from __future__ import annotations

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.rule import (
    Absorbs,
    Maps,
    Rule,
    Side,
    Site,
    Weights,
    aligned,
)


class Embedding(Rule):
    """Rows of ``embeddings``, shape (indices, channels)."""

    types = ("Embedding",)
    weights = ("embeddings",)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        if side == "before":
            return None
        aligned(maps[0], site.output, -1)
        return Absorbs()

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        scale, shift = maps[0].arrays()
        return {"embeddings": weights["embeddings"] * scale + shift}
