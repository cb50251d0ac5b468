"""Plans of what users have: live models, saved ones, and graphs that were read before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.opened import explained, open_to_fold
from pytest_layercount.folding.plan import Plan, plan_graph
from pytest_layercount.folding.resolve import resolved_plan
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.keras.variables import Snapshot
from pytest_layercount.model.readers import is_traced, live_model, read_graph
from pytest_layercount.model.readers.arrays import stored_weights
from pytest_layercount.model.readers.live import open_model
from pytest_layercount.model.readers.load import trusting_stored_code
from pytest_layercount.model.readers.saved import NotInFile, open_saved


def plan_fold(model: Any, *, resolve: bool = False, trust_stored_code: bool = False) -> Plan:
    """Plan what :func:`pytest_layercount.fold` would do, without building anything.

    ``model`` is anything that ``read_graph`` reads. By default no weight is
    read, and folds that depend on values carry a ``condition``; with ``resolve``
    the weights of a live or saved model decide these, as they do for ``fold``, and
    of a live model also whether the new weights fit their data type. A file
    is loaded only where it has layers of a user's own, and if an installed Keras can and
    no Python code is stored in it or ``trust_stored_code`` is given; else its weights are
    read with h5py.

    Raises:
        ModelError: ``model`` is not a model, or its graph cannot be seen.
    """
    if isinstance(model, ModelGraph) and model.seen == "one call":
        raise ModelError(
            f"{model.name!r} was seen by watching one call, which does not show all that reads a "
            "value: it is counted and explained, but no fold of it can be known to be right"
        )
    if isinstance(model, ModelGraph) or is_traced(model):
        return plan_graph(read_graph(model))
    if isinstance(model, (str, Path)):
        with trusting_stored_code(trust_stored_code):
            return _plan_file(Path(model), resolve=resolve)
    opened = open_to_fold(open_model(live_model(model)))
    if not resolve:
        return explained(plan_graph(opened.graph), opened)
    return resolved_plan(opened, Snapshot())


def _plan_file(path: Path, *, resolve: bool) -> Plan:
    """Plan the model in a file; what depends on values is decided by those in the file."""
    try:
        opened = open_saved(path)
    except NotInFile:
        graph = read_graph(path)
        loaded = _loaded(path) if resolve else None
        return plan_graph(graph) if loaded is None else plan_fold(loaded, resolve=True)
    own = any(layer.own for layer in opened.graph.layers)
    if resolve and own and (loaded := _loaded(path)):
        return plan_fold(loaded, resolve=True)  # a hook may answer for layers of the user's own
    read = stored_weights(path, opened) if resolve else None
    plan = plan_graph(opened.graph, read)
    if resolve and read is None and plan.conditional:
        raise ModelError(
            f"{path}: what folds depends on weights, and reading them needs h5py: pip install h5py"
        )
    return plan


def _loaded(path: Path) -> Any | None:
    """The live model saved at ``path``, None where no installed Keras can load it."""
    try:
        return live_model(path)
    except ModelError:
        return None
