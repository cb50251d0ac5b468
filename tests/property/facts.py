"""What sort of graph a random model was: so that a run can tell what it has tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.property.recipe import Recipe

# How many of a hundred graphs must at least be of a sort for a run to mean something.
SHARES: Mapping[str, int] = {
    "folds": 40,
    "folds 5 or more": 5,
    "folds into the layer before": 20,
    "folds into the layer after": 20,
    "folds through another layer": 10,
    "refuses": 40,
    "refused: several-consumers": 10,
    "combines tensors": 25,
    "has a model inside": 5,
    "calls a layer twice": 5,
    "has several outputs": 20,
    "removes layers": 10,
    "well-conditioned": 80,
}


def facts(recipe: Recipe, graph: Any, result: Any) -> Iterator[str]:
    """The sorts of model that ``graph`` is, and of fold that ``result`` is."""
    calls = [len(calls) for calls in graph.calls.values()]
    folds = result.folds
    sides = {fold.rule for fold in folds}
    sorts = {
        "folds": folds,
        "folds 5 or more": len(folds) >= 5,
        "folds into the layer before": "after" in sides,
        "folds into the layer after": "before" in sides,
        "folds into several layers": any(len(fold.into) > 1 for fold in folds),
        "folds through another layer": any(_far(graph, fold) for fold in folds),
        "refuses": result.refusals,
        "combines tensors": any(len(step.inputs) > 1 for step in recipe.steps),
        "has a model inside": any(step.kind == "Model" for step in recipe.steps),
        "calls a layer twice": max(calls, default=0) > 1,
        "calls for training": any(node.training for node in graph.nodes),
        "has several outputs": len(recipe.outputs) > 1,
        "has a mask": any(any(node.masked) for node in graph.nodes),
        "is channels_first": recipe.channels_first,
        "removes layers": result.removed,
    }
    yield from (sort for sort, found in sorts.items() if found)
    yield from sorted({f"refused: {refusal.reason}" for refusal in result.refusals})


def _far(graph: Any, fold: Any) -> bool:
    """Whether no layer that absorbs is next to the one that goes."""
    gone = {n for n in range(len(graph.nodes)) if graph.layer_of(n).path == fold.layer}
    into = {n for n in range(len(graph.nodes)) if graph.layer_of(n).path in fold.into}
    return not any(
        value.node in gone | into and number in gone | into and number not in gone & into
        for number in gone | into
        for value in graph.nodes[number].inputs
    )


def missing(seen: Counter[str]) -> list[str]:
    """The sorts of which too few were seen."""
    graphs = seen["random graphs"]
    return [
        f"{sort}: {seen[sort]} of {graphs}"
        for sort, share in SHARES.items()
        if seen[sort] * 100 < share * graphs
    ]


def table(seen: Counter[str]) -> str:
    """How many graphs of each sort there were."""
    return "\n".join(f"{count:6} {sort}" for sort, count in seen.most_common())
