"""Giving each call of a shared layer a layer of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_layercount.model.graph import ModelGraph

if TYPE_CHECKING:
    from pytest_layercount.folding.opened import Taught
    from pytest_layercount.folding.plan import Plan


class Copied(NamedTuple):
    """A graph with copies of layers, and the number that each of its layers had before."""

    graph: ModelGraph
    origins: list[int]


def with_copies(graph: ModelGraph, shared: Iterable[int], mark: str) -> Copied:
    """``graph`` with every call but the first of ``shared`` layers made by a copy of the layer.

    ``mark`` stands in the path of a copy between that of the layer and the number of the call.
    """
    origins = [*range(len(graph.layers))]
    nodes, layers = list(graph.nodes), list(graph.layers)
    for layer in shared:
        for ordinal, call in enumerate(graph.calls[layer][1:], 2):
            nodes[call] = replace(nodes[call], layer=len(layers))
            path = f"{graph.layers[layer].path}{mark}{ordinal}"
            layers.append(replace(graph.layers[layer], path=path))
            origins.append(layer)
    copied = replace(graph, layers=tuple(layers), nodes=tuple(nodes), sequential=False)
    return Copied(copied, origins)


def unshared(opened: Taught, layer: int) -> Taught:
    """``opened`` with every call of ``layer`` but the first made by a copy of it."""
    graph, origins = with_copies(opened.graph, [layer], "_")
    lives = tuple(opened.layers[number] for number in origins)
    return replace(opened, graph=graph, layers=lives, book=opened.book.renumbered(origins))


def unshare_where_it_helps(
    opened: Taught, plan: Plan, replan: Callable[[Taught], Plan]
) -> tuple[Taught, Plan]:
    """Copy shared layers as long as that lets more normalizations go."""
    tried: set[str] = set()
    while True:
        candidate = _candidate(opened.graph, plan, tried)
        if candidate is None:
            return opened, plan
        tried.add(opened.graph.layers[candidate].path)
        other = unshared(opened, candidate)
        better = replan(other)
        if _left(better) < _left(plan):
            # With this one copied, a layer tried in vain before may help.
            opened, plan, tried = other, better, set()


def _candidate(graph: ModelGraph, plan: Plan, tried: set[str]) -> int | None:
    """A layer whose sharing stands in the way of a fold."""
    wanted = {refusal.blocker for refusal in plan.refusals if refusal.reason == "shared-layer"}
    # A shared normalization may have to be copied itself: its calls have different neighbours.
    wanted |= {refusal.layer for refusal in plan.refusals}
    for number, layer in enumerate(graph.layers):
        if layer.path in wanted - tried and len(graph.calls.get(number, ())) > 1:
            return number
    return None


def _left(plan: Plan) -> int:
    """How many calls of refused layers are left.

    Calls and not layers: a copy that cannot fold either is one layer more and no call more.
    """
    refused = {refusal.layer for refusal in plan.refusals}
    nodes = range(len(plan.graph.nodes))
    return sum(plan.graph.layer_of(node).path in refused for node in nodes)
