"""Plan the folds of a graph: the passes, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_layercount.folding import reasons
from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.passes.activation import Activation
from pytest_layercount.folding.passes.affine import AffinePass
from pytest_layercount.folding.passes.collapse import Collapse
from pytest_layercount.folding.passes.identity import Identity
from pytest_layercount.folding.passes.kernels import Merge
from pytest_layercount.folding.passes.padding import Padding
from pytest_layercount.folding.passes.result import Pass, PassResult
from pytest_layercount.folding.plan import ALL_PASSES, PASSES, Plan, ReadWeights, Refusal
from pytest_layercount.folding.rule import Rule
from pytest_layercount.folding.rules import OURS, RuleBook
from pytest_layercount.folding.search import Absorption
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
    book: RuleBook = OURS,
) -> Plan:
    """Plan the folds of ``graph``; without ``weights``, from structure alone.

    ``sealed`` maps a layer's number to the reason why it must keep its weights; ``book``
    has the rules for its layers.
    """
    unknown = [name for name in passes if name not in ALL_PASSES]
    if unknown:
        raise ValueError(f"passes: there is no pass {unknown[0]!r}; there are {ALL_PASSES}")
    edit = FoldEdit(graph, sealed, book)
    # ``Collapse`` asks this pass for the maps of affine layers, so it is made in any case.
    affine = AffinePass(edit, weights)
    results = tuple(_run(edit, affine, passes))
    removed = tuple(path for result in results for path in result.removed)
    steps = tuple(step for result in results for step in result.steps)
    # Absorptions before the first merge only concern one layer each, and are computed layer by
    # layer. After it a layer may absorb what only the merged kernel can: these are carried out in
    # order, as merges.
    first = next((at for at, step in enumerate(steps) if isinstance(step, Merge)), len(steps))
    after, sources, values = edit.finished()
    # A layer that was refused may have been taken out later, as a kernel beside others.
    refused = {no.layer: no for _, no in sorted(affine.refusals.items()) if no.layer not in removed}
    rules = [edit.rules[number] for number in sources]
    left = left_inside(after, rules, refused) if "affine" in passes else ()
    return Plan(
        folds=tuple(affine.folds[layer] for layer in sorted(affine.folds)),
        refusals=(*refused.values(), *left),
        removed=removed,
        graph=after,
        absorptions=tuple(step for step in steps[:first] if isinstance(step, Absorption)),
        merges=steps[first:],
        sources=sources,
        values=values,
        before=graph,
        rules=edit.rules,
    )


def _run(edit: FoldEdit, affine: AffinePass, passes: Collection[str]) -> Iterator[PassResult]:
    """Run ``passes`` in the order in which one makes room for the next.

    What is left of a branched block may take up a map that no branch could have, and what is
    left of that may be merged: these are run for as long as they find something.
    """
    every: dict[str, Pass] = {
        "identity": Identity(edit),
        "affine": affine,
        "padding": Padding(edit),
        "collapse": Collapse(edit, affine),
        "activation": Activation(edit),
    }
    # Identities first: passes that look at the very next layer then see past them.
    yield from (every[name].run() for name in ("identity", "affine") if name in passes)
    again = [name for name in ("padding", "collapse") if name in passes]
    if "collapse" in passes and "affine" in passes:
        again.append("affine")
    while again:
        results = [every[name].run() for name in again]
        yield from results
        if not any(result.removed or result.steps for result in results):
            break
    # Last of all: an ``activation=`` inside a layer stops maps from the output side, and a layer
    # with one is not merged into the next.
    if "activation" in passes:
        yield every["activation"].run()


def left_inside(
    graph: ModelGraph, rules: Sequence[Rule | None], refused: Collection[str]
) -> Iterator[Refusal]:
    """The batch normalizations that stay in ``graph`` besides those at the paths ``refused``.

    A wrapper that is refused is so for what it wraps: that is said once, of the wrapper.
    """
    for layer, rule in zip(graph.layers, rules, strict=True):
        if layer.path in refused:
            continue
        # One with a rule is a map, and the affine pass has said what became of it.
        if _is_batch_norm(layer) and rule is None:
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
