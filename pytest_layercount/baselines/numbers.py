"""What of a model can be held against its baseline, in numbers."""

from __future__ import annotations

from pytest_layercount.model.count import measure_graph
from pytest_layercount.model.graph import ModelGraph

METRICS = ("layers", "nodes", "top", "depth", "parameters", "trainable", "bytes", "macs")


def numbers(graph: ModelGraph) -> dict[str, int]:
    """The numbers of ``graph``, by the names of the metrics."""
    found = measure_graph(graph)
    return {
        "layers": found.layers,
        "nodes": found.nodes,
        "top": found.top,
        "depth": found.depth,
        "parameters": found.parameters,
        "trainable": found.trainable_parameters,
        "bytes": found.weight_bytes,
        "macs": found.macs,
    }
