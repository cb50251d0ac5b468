"""What a model is: plain data, no opinion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_layercount.model.count import Count, LayerCount, Metrics


def count_layers(model: Any, *, count: Count = "layers") -> LayerCount:
    """Count the layers of ``model``, anything that ``read_graph`` reads.

    ``count`` is ``"layers"`` (distinct layer objects of the opened model),
    ``"nodes"`` (calls of layers and operations) or ``"top"`` (``len(model.layers)``).

    Raises:
        ModelError: as ``read_graph``.
    """
    from pytest_layercount.model.count import count_graph
    from pytest_layercount.model.readers import read_graph

    return count_graph(read_graph(model), count)


def model_metrics(model: Any) -> Metrics:
    """What ``model`` costs: depth, parameters, bytes of weights, multiply-accumulates.

    Whole, by layer type and by block; ``model`` is anything that ``read_graph`` reads.
    """
    from pytest_layercount.model.count import measure_graph
    from pytest_layercount.model.readers import read_graph

    return measure_graph(read_graph(model))
