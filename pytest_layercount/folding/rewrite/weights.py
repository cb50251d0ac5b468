"""The new weights of the layers that absorb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_layercount.folding.absorbed import absorbed_weights
from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.passes.collapse import merged_weights
from pytest_layercount.folding.plan import Plan, weights_of
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.model.readers.weights import read_weights, variable

if TYPE_CHECKING:
    from pytest_layercount.model.readers.live import OpenModel


def folded_weights(
    opened: OpenModel, plan: Plan
) -> tuple[dict[int, dict[str, Array]], dict[int, str]]:
    """The float64 weights of each absorbing layer, and those that must not absorb.

    The second dictionary maps a layer's number to ``"non-finite"`` (its weights
    were so before) or ``"overflow"`` (they do not fit the variable's type).
    """
    new = absorbed_weights(plan, weights_of(opened))
    unfit = {
        number: "non-finite"
        for number in new
        if not _finite(_current(opened, {}, number), opened.layers[number])
    }
    for merge in plan.merges:
        read = {layer: _current(opened, new, layer) for layer in merge.layers}
        new[merge.target] = merged_weights(merge, read)
    for number, weights in new.items():
        if not _finite(weights, opened.layers[number]):
            unfit.setdefault(number, "overflow")
    return new, unfit


def _current(opened: OpenModel, new: dict[int, dict[str, Array]], layer: int) -> dict[str, Array]:
    """The weights of a layer as they are after the absorptions and merges so far."""
    if layer in new:
        return new[layer]
    rule = rule_for(opened.graph.layers[layer])
    assert rule is not None
    return read_weights(opened.layers[layer], rule.weights)


def _finite(weights: dict[str, Array], live: Any) -> bool:
    """Whether the weights are finite in the data type they will be stored in."""
    with np.errstate(over="ignore"):
        return all(
            np.isfinite(array.astype(_dtype(live, name))).all() for name, array in weights.items()
        )


def _dtype(live: Any, name: str) -> Any:
    stored = variable(live, name)
    # A weight that the fold adds has the type of the others, and of the layer if there are none.
    stored = next(iter(live.weights), None) if stored is None else stored
    dtype = live.variable_dtype if stored is None else stored.dtype
    dtype = getattr(dtype, "name", dtype)
    return np.float32 if dtype == "bfloat16" else np.dtype(dtype)
