"""What of a model can be held against its baseline, in numbers."""

from __future__ import annotations

from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import ModelGraph

METRICS = ("layers", "nodes", "top", "parameters", "trainable")


def numbers(graph: ModelGraph) -> dict[str, int]:
    """The numbers of ``graph``, by the names of the metrics."""
    counted = count_graph(graph)
    return {
        "layers": counted.total,
        "nodes": count_graph(graph, "nodes").total,
        "top": len(graph.top),
        "parameters": counted.parameters,
        "trainable": counted.trainable_parameters,
    }
