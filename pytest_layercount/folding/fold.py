"""Fold a model: plan, compute the new weights, build the new model."""

from __future__ import annotations

from typing import Any

from pytest_layercount.folding.plan import PASSES, plan_graph, weights_of
from pytest_layercount.folding.result import FoldResult
from pytest_layercount.folding.rewrite.build import build_model
from pytest_layercount.folding.rewrite.weights import folded_weights
from pytest_layercount.model.count import count_graph
from pytest_layercount.model.readers import live_model
from pytest_layercount.model.readers.live import open_model


def fold(model: Any, *, passes: tuple[str, ...] = PASSES) -> FoldResult:
    """Fold every affine layer of ``model`` that can go, leaving its outputs as they are.

    ``model`` is a live Keras model or the path of a saved one; it is not
    changed, and the new model shares nothing with it. Arithmetic is done in
    float64 and cast once to each variable's own type.

    Raises:
        ModelError: ``model`` is not a model, its graph cannot be seen, or one of
            its layers cannot be copied.
    """
    opened = open_model(live_model(model))
    sealed: dict[int, str] = {}
    while True:
        plan = plan_graph(opened.graph, weights_of(opened), passes=passes, sealed=sealed)
        weights, unfit = folded_weights(opened, plan)
        if not unfit:
            break
        sealed.update(unfit)  # these layers keep their weights: plan again without them
    folded = build_model(opened, plan.graph, plan.sources, weights).model
    return FoldResult(
        model=folded,
        folds=plan.folds,
        refusals=plan.refusals,
        removed=plan.removed,
        before=count_graph(opened.graph),
        after=count_graph(open_model(folded).graph),
        plan=plan,
    )
