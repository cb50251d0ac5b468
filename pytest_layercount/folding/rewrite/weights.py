"""The new weights of the layers that absorb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_layercount.folding.absorbed import absorb
from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.passes.collapse import merged_weights
from pytest_layercount.folding.plan import Plan, weights_of
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.model.readers.weights import read_weights, variable

if TYPE_CHECKING:
    from pytest_layercount.model.readers.live import OpenModel

Arrays = dict[str, Array]


def folded_weights(opened: OpenModel, plan: Plan) -> tuple[dict[int, Arrays], dict[int, str]]:
    """The weights of each absorbing layer in its own type, and those that must not absorb.

    They are computed in float64 and cast once. The second dictionary maps a
    layer's number to ``"non-finite"`` (its weights were so before) or
    ``"overflow"`` (they do not fit the variable's type).
    """
    new: dict[int, Arrays] = {}
    unfit: dict[int, str] = {}
    merging = {layer for merge in plan.merges for layer in merge.layers}
    for layer, before, after in absorb(plan, weights_of(opened)):
        if not _finite(before):
            unfit[layer] = "non-finite"
        # At once, lest the weights of the whole model lie about in float64.
        new[layer] = after if layer in merging else _cast(after, opened.layers[layer])
    for merge in plan.merges:
        read = {layer: _current(opened, new, layer) for layer in merge.layers}
        new[merge.target] = merged_weights(merge, read)
    for layer in merging & new.keys():
        new[layer] = _cast(new[layer], opened.layers[layer])
    for layer, weights in new.items():
        if not _finite(weights):
            unfit.setdefault(layer, "overflow")
    return new, unfit


def _current(opened: OpenModel, new: Mapping[int, Arrays], layer: int) -> Arrays:
    """The weights of a layer as they are after the absorptions and merges so far."""
    if layer in new:
        return new[layer]
    rule = rule_for(opened.graph.layers[layer])
    assert rule is not None
    return read_weights(opened.layers[layer], rule.weights)


def _cast(weights: Arrays, live: Any) -> Arrays:
    with np.errstate(over="ignore"):
        return {name: array.astype(_dtype(live, name)) for name, array in weights.items()}


def _finite(weights: Mapping[str, Array]) -> bool:
    """Whether all are finite: then so is their sum, in all but the oddest cases."""
    with np.errstate(all="ignore"):
        return all(
            bool(np.isfinite(array.sum(dtype=np.float64)) or np.isfinite(array).all())
            for array in weights.values()
        )


def _dtype(live: Any, name: str) -> Any:
    stored = variable(live, name)
    # A weight that the fold adds has the type of the others, and of the layer if there are none.
    stored = next(iter(live.weights), None) if stored is None else stored
    dtype = live.variable_dtype if stored is None else stored.dtype
    dtype = getattr(dtype, "name", dtype)
    return np.float32 if dtype == "bfloat16" else np.dtype(dtype)
