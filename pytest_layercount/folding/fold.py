"""Fold a model: plan until its weights allow the plan, compute new ones, build the new model.

Plans of what users have are made here as well: of live models, saved ones, and graphs that
were read before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.bounds import surely_finite
from pytest_layercount.folding.build import build_model
from pytest_layercount.folding.opened import Taught, explained, open_to_fold
from pytest_layercount.folding.passes.outputs import keep_outputs
from pytest_layercount.folding.passes.unshare import unshare_where_it_helps
from pytest_layercount.folding.plan import PASSES, Fold, Plan, Refusal
from pytest_layercount.folding.planner import plan_graph, weights_of
from pytest_layercount.folding.search import runs_in_training
from pytest_layercount.folding.weights import folded_weights
from pytest_layercount.model.count import LayerCount, count_graph
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.adapter import wraps_call
from pytest_layercount.model.keras.load import trusting_stored_code
from pytest_layercount.model.keras.variables import Snapshot
from pytest_layercount.model.quick import quick
from pytest_layercount.model.readers import is_traced, live_model, read_graph
from pytest_layercount.model.readers.files.config import NotInFile
from pytest_layercount.model.readers.files.open import open_saved
from pytest_layercount.model.readers.files.weights import stored_weights
from pytest_layercount.model.readers.live import OpenModel, open_model


@dataclass(frozen=True)
class FoldResult:
    """A folded model and how it came about.

    ``model`` is a new Keras model that shares nothing with the one folded.
    ``removed`` are the paths of layers that other passes took out, ``opened`` those of
    composite layers that were replaced by the layers in them, and ``plan`` is what was
    carried out.
    """

    model: Any
    folds: tuple[Fold, ...]
    refusals: tuple[Refusal, ...]
    removed: tuple[str, ...]
    before: LayerCount
    after: LayerCount
    plan: Plan
    opened: tuple[str, ...] = ()


def fold(
    model: Any,
    *,
    outputs: Any = None,
    passes: tuple[str, ...] = PASSES,
    unshare: bool = False,
    trust_stored_code: bool = False,
) -> FoldResult:
    """Fold every affine layer of ``model`` that can go, leaving its outputs as they are.

    ``model`` is a live Keras model or the path of a saved one; it is not
    changed, and the new model shares nothing with it. Arithmetic is done in
    float64 and cast once to each variable's own type.

    ``passes`` chooses what is done, each of it exact at inference: ``affine``
    (batch normalizations and other affine maps), ``identity`` (dropout, noise
    and the like), and, when asked for, ``activation`` (an Activation layer into
    ``activation=`` of the layer before), ``padding`` (ZeroPadding into the
    convolution after it) and ``collapse`` (linear layers in a row or side by side
    into one). ``outputs`` names the outputs to keep, by name or position;
    everything that only the others need goes. ``unshare`` gives the calls of a
    shared layer copies of their own where that lets more fold. A file whose layers hold
    Python code is loaded, which runs that code, only with ``trust_stored_code``.

    Raises:
        ModelError: ``model`` is not a model, its graph cannot be seen, or one of
            its layers cannot be copied, or trains in predict() as the copy would not.
    """
    with trusting_stored_code(trust_stored_code):
        opened = open_to_fold(open_model(live_model(model)), passes=passes)
    return fold_opened(opened, outputs=outputs, passes=passes, unshare=unshare)


def fold_opened(
    whole: Taught,
    *,
    outputs: Any = None,
    passes: tuple[str, ...] = PASSES,
    unshare: bool = False,
) -> FoldResult:
    """Fold a model that is open; the result names layers by its paths.

    Raises:
        ModelError: as :func:`fold`, or ``outputs`` names none of the model's.
    """
    _require_call_kept(whole)
    _require_flags_kept(whole)
    # First of all: what only other outputs need must not stop a map.
    opened = whole if outputs is None else replace(whole, graph=keep_outputs(whole.graph, outputs))
    opened, plan, weights = resolved(opened, passes=passes, unshare=unshare)
    folded = build_model(opened, plan.graph, plan.sources, weights)
    return FoldResult(
        model=folded,
        folds=plan.folds,
        refusals=plan.refusals,
        removed=plan.removed,
        opened=whole.opened,
        # Counted with composite layers closed, as the user's model has them.
        before=count_graph(whole.counted),
        after=count_graph(open_model(folded).graph),
        plan=plan,
    )


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
    # Neither has live layers, so there are no weights and no layers of a user's own to ask hooks
    # about.
    if isinstance(model, ModelGraph) or is_traced(model):
        return plan_graph(read_graph(model))
    if isinstance(model, (str, Path)):
        with trusting_stored_code(trust_stored_code):
            return _plan_file(Path(model), resolve=resolve)
    opened = open_to_fold(open_model(live_model(model)))
    if not resolve:
        return explained(plan_graph(opened.graph, book=opened.book), opened)
    return resolved_plan(opened, Snapshot()).plan


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


class Resolved(NamedTuple):
    """A plan that can be carried out: for which model, and the new weights by layer number."""

    opened: Taught
    plan: Plan
    weights: dict[int, dict[str, Array]]


def resolved(opened: Taught, *, passes: tuple[str, ...], unshare: bool = False) -> Resolved:
    """The plan for ``opened``, every condition on its weights decided.

    A layer whose weights are not finite, or would not be in their data type, keeps
    them: then the plan is made again without it. With ``unshare`` the model may
    become one in which calls of a shared layer have copies of their own.
    """
    # Numbers of layers stay valid over the turns: un-sharing appends copies behind the others.
    sealed: dict[int, str] = {}

    def plan_of(opened: Taught) -> Plan:
        read = weights_of(opened)
        return plan_graph(opened.graph, read, passes=passes, sealed=sealed, book=opened.book)

    while True:
        plan = plan_of(opened)
        if unshare:
            opened, plan = unshare_where_it_helps(opened, plan, plan_of)
        weights, unfit = folded_weights(opened, plan)
        if not unfit:
            return Resolved(opened, explained(plan, opened), weights)
        # A sealed layer absorbs no more, so every turn seals another one and the turns end.
        sealed.update(unfit)


class Judged(NamedTuple):
    """A plan, and what it was judged by of the layers that absorb.

    Of ``bounded`` ones that was a bound, of ``computed`` ones their new weights.
    """

    plan: Plan
    bounded: set[int]
    computed: set[int]


def resolved_plan(opened: Taught, look: Snapshot) -> Judged:
    """The plan alone: new weights that cannot but be finite are not computed."""
    sealed: dict[int, str] = {}
    computed: set[int] = set()
    while True:
        read = weights_of(opened, look)
        plan = plan_graph(opened.graph, read, sealed=sealed, book=opened.book)
        # The weights are computed only to see whether they fit their types, and then dropped. Where
        # a bound says that they do there is nothing to see.
        sure = surely_finite(opened, plan, look) if quick() else set()
        doubtful = tuple(taken for taken in plan.absorptions if taken.layer not in sure)
        _, unfit = folded_weights(opened, replace(plan, absorptions=doubtful))
        computed.update(taken.layer for taken in doubtful)
        if not unfit:
            return Judged(explained(plan, opened), sure, computed)
        sealed.update(unfit)


def _require_call_kept(opened: OpenModel) -> None:
    """Refuse a model that computes something around a ``call`` that was followed.

    In a functional model what a layer adds stands in the graph; a graph that was made of code
    would run it once more than the code.
    """
    model, layers = opened.model, zip(opened.graph.layers, opened.layers, strict=True)
    subclassed = adapter_for(model).functional(model) is None
    # A path of one name is that of a layer which the followed ``call`` itself calls.
    called = [live for layer, live in layers if subclassed and layer.path == live.name]
    for live in filter(wraps_call, (model, *called)):
        raise ModelError(
            f"the class {type(live).__name__} of {live.name!r} has a __call__() of its own, which "
            f"cannot be followed in the model {opened.graph.name!r}; move what it does into call() "
            "to fold the model"
        )


def _require_flags_kept(opened: Taught) -> None:
    """Refuse a model whose ``call`` trains a layer whatever it is called with.

    A functional model of Keras 3 hands its own flag to its layers, over the one of their calls.
    """
    if opened.trained and opened.graph.keras.startswith("Keras 3"):
        for node in opened.graph.nodes:
            layer = opened.graph.layers[node.layer]
            if layer.path not in opened.trained or not runs_in_training(layer, node):
                continue
            rule = opened.book.rule_for(layer, node.layer)
            # What is not known to ignore the flag may mind it.
            if rule is None or rule.training_matters:
                raise ModelError(
                    f"the call() of the model {opened.graph.name!r}, or of one in it, calls layer "
                    f"{layer.path!r} with training=True, which predict() of a folded model would "
                    "not do in Keras 3; leave that flag out to fold the model"
                )
