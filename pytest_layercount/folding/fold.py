"""Fold a model: plan, compute the new weights, build the new model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.build import build_model
from pytest_layercount.folding.opened import open_to_fold
from pytest_layercount.folding.passes.outputs import keep_outputs
from pytest_layercount.folding.plan import PASSES, Plan
from pytest_layercount.folding.resolve import resolved
from pytest_layercount.folding.result import Fold, Refusal
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.search import runs_in_training
from pytest_layercount.model.count import LayerCount, count_graph
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.adapter import wraps_call
from pytest_layercount.model.readers import live_model
from pytest_layercount.model.readers.live import OpenModel, open_model
from pytest_layercount.model.readers.load import trusting_stored_code


@dataclass(frozen=True)
class FoldResult:
    """A folded model and how it came about.

    ``model`` is a new Keras model that shares nothing with the one folded.
    ``removed`` are the paths of layers that other passes took out, ``opened`` those
    of layers made of layers that were replaced by what is in them, ``plan`` is what was
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
        given = open_to_fold(open_model(live_model(model)), passes=passes)
    return fold_opened(given, outputs=outputs, passes=passes, unshare=unshare)


def fold_opened(
    given: OpenModel,
    *,
    outputs: Any = None,
    passes: tuple[str, ...] = PASSES,
    unshare: bool = False,
) -> FoldResult:
    """The same for a model that is open, whose paths the result keeps."""
    _require_call_kept(given)
    _require_flags_kept(given)
    opened = given if outputs is None else replace(given, graph=keep_outputs(given.graph, outputs))
    opened, plan, weights = resolved(opened, passes=passes, unshare=unshare)
    folded = build_model(opened, plan.graph, plan.sources, weights)
    return FoldResult(
        model=folded,
        folds=plan.folds,
        refusals=plan.refusals,
        removed=plan.removed,
        opened=given.opened,
        before=count_graph(given.counted),
        after=count_graph(open_model(folded).graph),
        plan=plan,
    )


def _require_call_kept(opened: OpenModel) -> None:
    """Refuse a model that computes something around a ``call`` that was followed.

    In a functional model what a layer adds stands in the graph; a graph that was made of code
    would run it once more than the code.
    """
    model, layers = opened.model, zip(opened.graph.layers, opened.layers, strict=True)
    subclassed = adapter_for(model).functional(model) is None
    called = [live for layer, live in layers if subclassed and layer.path == live.name]
    for live in filter(wraps_call, (model, *called)):
        raise ModelError(
            f"the class {type(live).__name__} of {live.name!r} has a __call__() of its own, which "
            f"cannot be followed in the model {opened.graph.name!r}; move what it does into call() "
            "to fold the model"
        )


def _require_flags_kept(opened: OpenModel) -> None:
    """Refuse a model whose ``call`` trains a layer whatever it is called with.

    A functional model of Keras 3 hands its own flag to its layers, over the one of their calls.
    """
    if opened.trained and opened.graph.keras.startswith("Keras 3"):
        for node in opened.graph.nodes:
            layer = opened.graph.layers[node.layer]
            if layer.path not in opened.trained or not runs_in_training(layer, node):
                continue
            rule = rule_for(layer)
            if rule is None or rule.training_matters:
                raise ModelError(
                    f"the call() of the model {opened.graph.name!r}, or of one in it, calls layer "
                    f"{layer.path!r} with training=True, which predict() of a folded model would "
                    "not do in Keras 3; leave that flag out to fold the model"
                )
