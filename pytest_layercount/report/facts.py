"""What there is to say of a model, from its graph."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.report.judgement import Facts, Refused

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan


def facts(graph: ModelGraph, plan: Plan) -> Facts:
    """What ``graph`` has, before and after folding as ``plan`` says."""
    before, after = count_graph(graph), count_graph(plan.graph)
    return Facts(
        keras=graph.keras,
        layers=before.total,
        nodes=count_graph(graph, "nodes").total,
        depth=before.depth,
        parameters=before.parameters,
        trainable_parameters=before.trainable_parameters,
        weight_bytes=before.weight_bytes,
        macs=before.macs,
        folded_layers=after.total,
        types=before.by_type,
        folded_types=after.by_type,
        uncounted=before.uncounted,
        refusals=tuple(
            Refused(refusal.layer, refusal.type, refusal.reason, refusal.message)
            for refusal in plan.refusals
        ),
    )


def structural_plan(model: Any, graph: ModelGraph) -> Plan:
    """What folds; weights are read only where the structure cannot decide."""
    from pytest_layercount.folding import plan_fold
    from pytest_layercount.folding.planner import plan_graph

    if graph.seen == "one call":
        return plan_graph(graph, passes=())
    if isinstance(model, (ModelGraph, str, os.PathLike)):
        return plan_graph(graph)
    try:
        planned = plan_fold(model)
        return plan_fold(model, resolve=True) if planned.conditional else planned
    except ModelError:  # What only counts layers must not fail for this.
        return plan_graph(graph)
