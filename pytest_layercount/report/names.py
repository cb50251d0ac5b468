"""A model and its plan with names that depend on nothing but the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.names import stable_paths

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan


def renamed(graph: ModelGraph, plan: Plan, name: str) -> tuple[ModelGraph, Plan]:
    """Both with stable paths; the model is called ``name``."""
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
