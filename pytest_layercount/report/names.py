"""Names that depend on nothing but the model.

Keras numbers the layers it has to name itself as they are made: ``conv2d_17`` is
``conv2d_3`` when the tests run in another order. Here they are numbered anew, within
the model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_layercount.model.graph import Layer, ModelGraph

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan

_MODEL = re.compile(r"(functional|sequential|model)(_\d+)?")
_NUMBER = re.compile(r"_\d+$")
_OPERATIONS = ("TFOpLambda", "SlicingOpLambda")


def model_name(graph: ModelGraph) -> str:
    """The name that a user gave ``graph``, empty if it was Keras."""
    return "" if _MODEL.fullmatch(graph.name) else graph.name


def stable_paths(graph: ModelGraph) -> Mapping[str, str]:
    """For the path of each layer, one that the order of construction has no part in."""
    numbers: Counter[str] = Counter()
    prefixes: dict[str, str] = {}
    found = {}
    for layer in graph.layers:
        *models, own = layer.path.split("/")
        path = ""
        outer = ""
        for name in models:
            outer += f"{name}/"
            if outer not in prefixes:
                generated = _MODEL.fullmatch(name) is not None
                prefixes[outer] = path + (_next(name, path, numbers) if generated else name) + "/"
            path = prefixes[outer]
        found[layer.path] = path + (_next(own, path, numbers) if _generated(own, layer) else own)
    return found


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


def _next(name: str, path: str, numbers: Counter[str]) -> str:
    base = _NUMBER.sub("", name)
    number = numbers[path + base]
    numbers[path + base] += 1
    return f"{base}_{number}" if number else base


def _generated(name: str, layer: Layer) -> bool:
    """Whether Keras made ``name`` of the layer's type, as in ``re_lu_3``."""
    base = _NUMBER.sub("", name)
    if layer.type in _OPERATIONS or layer.kind == "operation":
        return True
    if layer.kind == "input":
        return base in ("input", "input_layer", "keras_tensor")
    return base.replace("_", "") == layer.type.lower().replace("_", "")
