"""Plan the folds of a graph: the passes, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_layercount.folding import reasons
from pytest_layercount.folding.passes.activation import fuse_activations
from pytest_layercount.folding.passes.affine import AffinePass
from pytest_layercount.folding.passes.collapse import Merge, collapse
from pytest_layercount.folding.passes.inert import remove_inert
from pytest_layercount.folding.passes.padding import absorb_padding
from pytest_layercount.folding.plan import ALL_PASSES, PASSES, Plan, ReadWeights, Refusal
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.wiring import Wiring
from pytest_layercount.model.graph import Layer, ModelGraph

if TYPE_CHECKING:
    from pytest_layercount.model.keras.variables import Look
    from pytest_layercount.model.readers.live import OpenModel


def plan_graph(
    graph: ModelGraph,
    weights: ReadWeights | None = None,
    *,
    passes: tuple[str, ...] = PASSES,
    sealed: Mapping[int, str] | None = None,
) -> Plan:
    """Plan the folds of ``graph``; without ``weights``, from structure alone.

    ``sealed`` maps a layer's number to the reason why it must keep its weights.
    """
    unknown = [name for name in passes if name not in ALL_PASSES]
    if unknown:
        raise ValueError(f"passes: there is no pass {unknown[0]!r}; there are {ALL_PASSES}")
    wiring = Wiring(graph, sealed)
    removed = remove_inert(wiring) if "identity" in passes else ()
    planner = AffinePass(wiring, weights)
    if "affine" in passes:
        planner.run()
    merges, merged = _shrink(wiring, planner, passes)
    removed += merged
    removed += fuse_activations(wiring) if "activation" in passes else ()
    gone = set(removed)
    after, sources, values = wiring.finished()
    refused = {no.layer: no for _, no in sorted(planner.refusals.items()) if no.layer not in gone}
    left = left_inside(after, refused) if "affine" in passes else ()
    return Plan(
        folds=tuple(planner.folds[layer] for layer in sorted(planner.folds)),
        refusals=(*refused.values(), *left),
        removed=removed,
        graph=after,
        absorptions=tuple(planner.absorptions),
        merges=tuple(merges),
        sources=sources,
        values=values,
        before=graph,
    )


def _shrink(
    wiring: Wiring, planner: AffinePass, passes: tuple[str, ...]
) -> tuple[list[Merge], tuple[str, ...]]:
    """Carry out ``padding`` and ``collapse`` for as long as one makes room for the other.

    What is left of a branched block may take up a map that no branch could have.
    """
    merges: list[Merge] = []
    removed: tuple[str, ...] = ()
    while True:
        late: list[Merge] = []
        gone = absorb_padding(wiring) if "padding" in passes else ()
        if "collapse" in passes:
            more, merged = collapse(wiring, planner.affine_maps())
            if more and "affine" in passes:
                late = [Merge(one.layer, taken=one) for one in planner.run_again()]
            merges += (*more, *late)
            gone += merged
        if not gone and not late:
            return merges, removed
        removed += gone


def left_inside(graph: ModelGraph, refused: Collection[str]) -> Iterator[Refusal]:
    """The batch normalizations that stay in ``graph`` besides those at the paths ``refused``.

    A wrapper that is refused is so for what it wraps: that is said once, of the wrapper.
    """
    for layer in graph.layers:
        if layer.path in refused:
            continue
        if _is_batch_norm(layer) and rule_for(layer) is None:
            yield _refusal(layer, "own-class", layer.path)
        for held in filter(_is_batch_norm, layer.held()):
            yield _refusal(held, "inside-layer", layer.path)


def _is_batch_norm(layer: Layer) -> bool:
    return layer.is_a("BatchNormalization")


def _refusal(layer: Layer, reason: str, blocker: str) -> Refusal:
    return Refusal(layer.path, layer.type, reason, blocker, reasons.sentence(reason, blocker))


def weights_of(opened: OpenModel, look: Look | None = None) -> ReadWeights:
    """How to read the weights of a live model for planning."""
    from pytest_layercount.model.keras.variables import array_of, read_weights

    return lambda layer, names: read_weights(opened.layers[layer], names, look or array_of)
