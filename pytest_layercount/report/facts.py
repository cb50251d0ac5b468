"""What there is to say of a model, from its graph."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.names import stable_paths
from pytest_layercount.report.judgement import Facts, Refused

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan

_known: dict[int, tuple[weakref.ref[ModelGraph], Facts]] = {}
"""Those of the graphs that are there: a suite judges one model in many tests."""


def facts(graph: ModelGraph) -> Facts:
    """What ``graph`` has as it is, with paths that depend on nothing but the model."""
    key = id(graph)
    if key not in _known:
        _known[key] = weakref.ref(graph, lambda _: _known.pop(key, None)), _facts(graph)
    return _known[key][1]


def _facts(graph: ModelGraph) -> Facts:
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
