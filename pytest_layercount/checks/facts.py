"""What there is to say of a model, with names that depend on nothing but the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_layercount.checks.judgement import Facts, Refused
from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import ModelGraph, once
from pytest_layercount.model.names import stable_paths

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan


@once
def facts(graph: ModelGraph) -> Facts:
    """What ``graph`` has as it is, with paths that depend on nothing but the model."""
    counted = count_graph(graph)
    paths = stable_paths(graph) if counted.uncounted else {}
    return Facts(
        keras=graph.keras,
        layers=counted.total,
        nodes=count_graph(graph, "nodes").total,
        depth=counted.depth,
        parameters=counted.parameters,
        trainable_parameters=counted.trainable_parameters,
        weight_bytes=counted.weight_bytes,
        macs=counted.macs,
        types=counted.by_type,
        uncounted={paths.get(path, path): why for path, why in counted.uncounted.items()},
    )


def with_plan(facts: Facts, plan: Plan) -> Facts:
    """``facts`` and what is left after folding as ``plan`` says."""
    counted = count_graph(plan.graph)
    return replace(
        facts,
        folded_layers=counted.total,
        folded_types=counted.by_type,
        refusals=tuple(
            Refused(refusal.layer, refusal.type, refusal.reason, refusal.message)
            for refusal in plan.refusals
        ),
    )


def renamed(graph: ModelGraph, plan: Plan, name: str) -> tuple[ModelGraph, Plan]:
    """A model and its plan with stable paths; the model is called ``name``."""
    paths = stable_paths(graph)

    def new(path: str) -> str:
        return paths.get(path, path)

    def said(sentence: str) -> str:
        return re.sub(r"[^\s;,]+", lambda word: new(word[0]), sentence)

    folds = (
        replace(each, layer=new(each.layer), into=tuple(map(new, each.into))) for each in plan.folds
    )
    refusals = (
        replace(each, layer=new(each.layer), blocker=new(each.blocker), message=said(each.message))
        for each in plan.refusals
    )
    return _relabelled(graph, paths, name), replace(
        plan,
        folds=tuple(folds),
        refusals=tuple(refusals),
        removed=tuple(map(new, plan.removed)),
        graph=_relabelled(plan.graph, paths, name),
    )


def _relabelled(graph: ModelGraph, paths: Mapping[str, str], name: str) -> ModelGraph:
    layers = (replace(layer, path=paths.get(layer.path, layer.path)) for layer in graph.layers)
    return replace(graph, name=name, layers=tuple(layers))
