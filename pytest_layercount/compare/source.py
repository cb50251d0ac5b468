"""A model to be explained: its structure and, where they can be had, its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_layercount.folding.plan import ReadWeights, weights_of
from pytest_layercount.folding.rules.custom import with_custom_rules
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.readers import is_traced, live_model, read_graph
from pytest_layercount.model.readers.arrays import stored_weights
from pytest_layercount.model.readers.live import Untraceable, open_model
from pytest_layercount.model.readers.reloaded import with_reloaded_opened
from pytest_layercount.model.readers.saved import NotInFile, open_saved


@dataclass(frozen=True)
class Source:
    """A graph, and how to read the weights of its layers; None where there are none."""

    graph: ModelGraph
    read: ReadWeights | None = None


def source_of(model: Any) -> Source:
    """Open ``model``, anything that ``read_graph`` reads.

    Raises:
        ModelError: as ``read_graph``.
    """
    if isinstance(model, ModelGraph) or is_traced(model):
        return Source(read_graph(model))
    if not isinstance(model, (str, Path)):
        try:
            opened = with_custom_rules(open_model(live_model(model)))
        except Untraceable:
            return Source(read_graph(model))
        graph = with_reloaded_opened(opened)
        return Source(graph, weights_of(opened) if graph is opened.graph else None)
    path = Path(model)
    try:
        saved = open_saved(path)
    except NotInFile:
        return Source(read_graph(path))
    return Source(saved.graph, stored_weights(path, saved))
