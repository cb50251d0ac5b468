"""How deep a model is and how much it computes."""

from __future__ import annotations

from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.layers.base import Unknown
from pytest_layercount.model.macs import macs


def depth(graph: ModelGraph) -> int:
    """The calls on the longest way from an input to an output."""
    deepest: list[int] = []
    for number, node in enumerate(graph.nodes):
        own = int(graph.layer_of(number).kind != "input")
        deepest.append(own + max((deepest[value.node] for value in node.inputs), default=0))
    return max(deepest, default=0)


def work(graph: ModelGraph) -> tuple[dict[int, int], dict[str, str]]:
    """The multiply-accumulates of each layer, over all its calls, and whose are not known."""
    found: dict[int, int] = dict.fromkeys(range(len(graph.layers)), 0)
    uncounted = {}
    for node in graph.nodes:
        try:
            found[node.layer] += macs(graph, node)
        except Unknown as unknown:
            uncounted[graph.layers[node.layer].path] = str(unknown)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            uncounted[graph.layers[node.layer].path] = "its configuration is not as expected"
    return found, uncounted
