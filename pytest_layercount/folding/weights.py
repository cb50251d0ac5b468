"""The new weights of the layers that absorb: computed in float64 and rounded once.

To bfloat16 they are rounded by way of float32, as TensorFlow and ``ml_dtypes`` round a float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.half import fits, in_half
from pytest_layercount.folding.passes.kernels import Merge, merged_weights
from pytest_layercount.folding.plan import Plan, ReadWeights
from pytest_layercount.folding.rule import Rule, Weights
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.folding.search import Absorption
from pytest_layercount.model.keras.common import dtype_name, variables_of
from pytest_layercount.model.keras.variables import array_of, read_weights, variable
from pytest_layercount.model.quick import quick

if TYPE_CHECKING:
    from pytest_layercount.model.readers.live import OpenModel

Arrays = dict[str, Array]


def folded_weights(opened: OpenModel, plan: Plan) -> tuple[dict[int, Arrays], dict[int, str]]:
    """The new weights of each layer that absorbs or is merged, and the layers that must not.

    The first dictionary holds them in the types of the variables, or float32 for bfloat16. The
    second maps a layer's number to ``"non-finite"`` (its weights were so before) or
    ``"overflow"`` (the new ones do not fit their type).
    """
    new: dict[int, Arrays] = {}
    unfit: dict[int, str] = {}
    merging = {layer for merge in plan.merges for layer in merge.layers}
    # Read as they are stored, not as float64 copies. What is merged is summed up first and has to
    # be float64 until then.
    narrow = scaled_once(plan) - merging if quick() else set()

    def read(layer: int, names: tuple[str, ...]) -> Arrays:
        if in_half(opened.layers[layer], names):
            # ``fits`` has to see the product before it is rounded to the type.
            narrow.discard(layer)
        return (_in_place if layer in narrow else read_weights)(opened.layers[layer], names)

    for layer, before, after in absorb(plan, read):
        # At once, lest the weights of the whole model lie about in float64.
        kept = before if layer in narrow else None
        new[layer] = after if layer in merging else _cast(after, opened.layers[layer], kept)
        if not _finite({**before, **new[layer]}):
            unfit[layer] = "overflow" if _finite(before) else "non-finite"
        # A merged layer is judged below, by the sum: on the way to it half precision does not
        # matter.
        elif layer not in merging and not fits(before, after, opened.layers[layer]):
            unfit[layer] = "overflow"
    new |= merge_weights(plan, new, read)
    for layer in merging & new.keys():
        exact, live = new[layer], opened.layers[layer]
        new[layer] = _cast(exact, live)
        # With no weights to hold the sum against, only too large ones count, not too small ones.
        if not _finite(new[layer]) or not fits({}, exact, live):
            unfit.setdefault(layer, "overflow")
    return new, unfit


def merge_weights(plan: Plan, new: Mapping[int, Arrays], read: ReadWeights) -> dict[int, Arrays]:
    """The float64 weights of each layer that ``plan`` merges others into.

    ``new`` are the weights of those that have absorbed something before.
    """
    merged: dict[int, Arrays] = {}

    def current(number: int) -> Arrays:
        known = merged.get(number, new.get(number))
        if known is None:
            known = dict(read(number, plan.rule(number).weights) or {})
        return known

    # In order: a merged kernel may be merged again, and may absorb a map that no branch could.
    for merge in plan.merges:
        weights = {number: current(number) for number in merge.layers}
        if isinstance(merge, Merge):
            merged[merge.target] = merged_weights(merge, weights)
        else:
            merged[merge.layer] = changed(plan.rule(merge.layer), weights[merge.layer], [merge])
    return merged


def _in_place(live: Any, names: Iterable[str]) -> Arrays:
    """The weights in their own types where NumPy has these; they must not be written to."""
    variables = {name: variable(live, name) for name in names}
    arrays = {name: array_of(weight) for name, weight in variables.items() if weight is not None}
    return {
        name: array if array.dtype.kind == "f" else array.astype(np.float64)
        for name, array in arrays.items()
    }


def _cast(weights: Arrays, live: Any, read: Mapping[str, Array] | None = None) -> Arrays:
    """The weights in the types of the variables, as arrays that variables may take over.

    Where ``read`` is given, only the arrays among these are shared with the model's own
    variables; all others are new already and need no copy.
    """
    # What overflows becomes infinite, which ``folded_weights`` looks for.
    with np.errstate(over="ignore"):
        return {
            name: array.astype(_dtype(live, name), copy=read is None or array is read.get(name))
            for name, array in weights.items()
        }


def _finite(weights: Mapping[str, Array]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in weights.values())


def _dtype(live: Any, name: str) -> Any:
    stored = variable(live, name)
    # A weight that the fold adds has the type of the others, and of the layer if there are none.
    stored = next(iter(variables_of(live)), None) if stored is None else stored
    dtype = dtype_name(live.variable_dtype if stored is None else stored.dtype)
    # NumPy has no bfloat16. These are rounded again when they are assigned, which gives another
    # neighbour only where the first rounding ends in the middle between two.
    return np.float32 if dtype == "bfloat16" else np.dtype(dtype)


class Absorbed(NamedTuple):
    """The number of a layer that absorbs, its weights until then, and its new ones in float64."""

    layer: int
    before: Weights
    after: dict[str, Array]


def absorbed_weights(plan: Plan, read: ReadWeights) -> dict[int, dict[str, Array]]:
    """The float64 weights of each layer of ``plan`` that absorbs, by its number.

    Layers that absorb what ``read`` does not know are left out.
    """
    return {absorbed.layer: absorbed.after for absorbed in absorb(plan, read)}


def absorb(plan: Plan, read: ReadWeights) -> Iterator[Absorbed]:
    """As :func:`absorbed_weights`, one layer after the other, the largest first.

    So the most memory is needed for a computation while few results are kept.
    """
    taken = plan.by_layer()
    for layer in sorted(taken, key=lambda number: -taken[number][0].site.layer.parameters):
        absorptions, rule = taken[layer], plan.rule(layer)
        before = read(layer, rule.weights)
        maps = [affine for absorption in absorptions for affine in absorption.maps.values()]
        if before is not None and not any(affine.symbolic for affine in maps):
            yield Absorbed(layer, before, changed(rule, before, absorptions))


def scaled_once(plan: Plan) -> set[int]:
    """The layers whose kernels are multiplied by one scale, and are not otherwise changed.

    Read in their own type they come out as exactly as in float64: ``rounding.scaled``
    multiplies in float64 and rounds once, which a second product would see. Their biases are
    computed with scales and shifts, which are float64.
    """
    alone = {
        layer: absorptions[0]
        for layer, absorptions in plan.by_layer().items()
        if len(absorptions) == 1
    }
    sites = {layer: absorption.site for layer, absorption in alone.items()}
    return {
        layer
        for layer, site in sites.items()
        if site.layer.builtin and isinstance(plan.rule(layer), Weighted)
    }


def changed(rule: Rule, weights: Weights, absorptions: list[Absorption]) -> dict[str, Array]:
    """The float64 weights of a layer once it has taken up ``absorptions``, in order."""
    new = dict(weights)
    for absorption in absorptions:
        with np.errstate(all="ignore"):
            new = rule.absorbed(absorption.site, absorption.side, new, absorption.maps)
    return new
