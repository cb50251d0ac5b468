"""From whatever a user hands over to its structure, its weights and what folds in it.

The engine is imported here, and only when a model is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount.errors import ModelError, reading_needs_tensorflow
from pytest_layercount.model.graph import ModelGraph

if TYPE_CHECKING:
    from pytest_layercount.compare.source import Source
    from pytest_layercount.folding.plan import Plan

FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "h5py")


class framework_for:  # noqa: N801  used as a word in a with statement
    """Say in a sentence that reading ``model`` needs a framework that is missing."""

    def __init__(self, model: object) -> None:
        self._model = model

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        __tracebackhide__ = True
        missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
        if missing.partition(".")[0] in FRAMEWORKS:
            model = str(self._model) if isinstance(self._model, Path) else self._model
            raise ModelError(reading_needs_tensorflow(model)) from None


def structure(model: Any) -> ModelGraph:
    """The structure of ``model``."""
    with framework_for(model):
        from pytest_layercount.model import readers

        if not _is_live(model):
            return readers.read_graph(model)
        from pytest_layercount.folding.cache import graph_of

        return graph_of(model)


def with_closed_seen(model: Any, graph: ModelGraph) -> ModelGraph:
    """The structure, from the model loaded where its file does not tell what layers hold."""
    if not (isinstance(model, (str, Path)) and any(layer.closed for layer in graph.every())):
        return graph
    from pytest_layercount.model import readers

    try:
        return readers.read_graph(readers.live_model(model))
    except ModelError:
        return graph  # which says itself what it does not tell


def source(model: Any) -> Source:
    """The structure of ``model``, and its weights where they can be read."""
    with framework_for(model):
        from pytest_layercount.compare.source import source_of

        return source_of(model)


def plan(model: Any) -> Plan:
    """What folds in ``model``; its values decide where the structure cannot."""
    with framework_for(model):
        if not _is_live(model):
            from pytest_layercount.folding import plan_fold

            return plan_fold(model, resolve=not isinstance(model, ModelGraph))
        from pytest_layercount.folding.cache import plan_of

        return plan_of(model)


def structural_plan(model: Any, graph: ModelGraph) -> Plan:
    """What folds in ``model``, which was read as ``graph``, for a report alone.

    Weights are read only where the structure cannot decide.
    """
    from pytest_layercount.folding.planner import plan_graph

    if graph.seen == "one call":
        return plan_graph(graph, passes=())
    if not _is_live(model):
        return plan_graph(graph)
    from pytest_layercount.folding.cache import structural_plan_of

    try:
        return structural_plan_of(model)
    except ModelError:  # What only counts layers must not fail for this.
        return plan_graph(graph)


def _is_live(model: object) -> bool:
    """Whether it is a Keras model, which is read once for as long as it stays as it is."""
    from pytest_layercount.model.keras.adapter import generation

    return generation(model) is not None
