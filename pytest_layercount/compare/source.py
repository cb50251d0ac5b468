"""A model to be explained: its structure and, where they can be had, its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_layercount.folding.opened import Taught, open_to_fold, open_wide, taught
from pytest_layercount.folding.plan import ReadWeights
from pytest_layercount.folding.planner import weights_of
from pytest_layercount.folding.rules import OURS, RuleBook
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.keras.adapter import Unseen
from pytest_layercount.model.readers import is_traced, live_model, read_graph
from pytest_layercount.model.readers.files.config import NotInFile
from pytest_layercount.model.readers.files.open import open_saved
from pytest_layercount.model.readers.files.weights import stored_weights
from pytest_layercount.model.readers.live import open_model
from pytest_layercount.model.readers.saved_model_layers import with_reloaded_opened


@dataclass(frozen=True)
class Source:
    """A graph, and how to read the weights of its layers; None where there are none.

    ``book`` has the rules for its layers.
    ``reopen`` gives the same model with layers made of layers opened, as folding opens them
    and all of them; None where there are none of these.
    """

    graph: ModelGraph
    read: ReadWeights | None = None
    reopen: Callable[[], tuple[Source, ...]] | None = None
    book: RuleBook = OURS

    @cached_property
    def opened(self) -> tuple[Source, ...]:
        """The same model with layers made of layers opened, each time in another way."""
        return self.reopen() if self.reopen else ()


def source_of(model: Any) -> Source:
    """Open ``model``, anything that ``read_graph`` reads.

    Raises:
        ModelError: as ``read_graph``.
    """
    if isinstance(model, ModelGraph) or is_traced(model):
        return Source(read_graph(model))
    if not isinstance(model, (str, Path)):
        try:
            opened = taught(open_model(live_model(model)))
        except Unseen:
            return Source(read_graph(model))
        graph = with_reloaded_opened(opened)
        # What stands in a SavedModel inside has no live layer whose weights could be read.
        if graph is not opened.graph:
            return Source(graph)
        return Source(graph, weights_of(opened), lambda: _reopened(opened), opened.book)
    path = Path(model)
    try:
        saved = open_saved(path)
    except NotInFile:
        return Source(read_graph(path))
    return Source(saved.graph, stored_weights(path, saved))


def _reopened(read: Taught) -> tuple[Source, ...]:
    ways = [way for way in (open_to_fold(read), open_wide(read)) if way.opened]
    # Opened alike, the second would tell nothing new.
    if len(ways) == 2 and ways[0].opened == ways[1].opened:
        ways.pop()
    return tuple(Source(way.graph, weights_of(way), book=way.book) for way in ways)
