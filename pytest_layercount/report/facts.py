"""What there is to say of a model, from its graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import ModelGraph, once
from pytest_layercount.model.names import stable_paths
from pytest_layercount.report.judgement import Facts, Refused

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
