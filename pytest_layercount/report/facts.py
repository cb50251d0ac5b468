"""What there is to say of a model, from its graph."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.report.judgement import Facts, Refused
from pytest_layercount.report.names import stable_paths

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan


def facts(model: Any, graph: ModelGraph, plan: Plan | None = None) -> Facts:
    """What ``graph``, read from ``model``, has before and after folding."""
    planned = plan or _plan(model, graph)
    before, after = count_graph(graph), count_graph(planned.graph)
    stable = stable_paths(graph)
    return Facts(
        keras=graph.keras,
        layers=before.total,
        nodes=count_graph(graph, "nodes").total,
        parameters=before.parameters,
        trainable_parameters=before.trainable_parameters,
        folded_layers=after.total,
        types=before.by_type,
        folded_types=after.by_type,
        refusals=tuple(
            Refused(
                layer=stable.get(refusal.layer, refusal.layer),
                type=refusal.type,
                reason=refusal.reason,
                message=_renamed(refusal.message, stable),
            )
            for refusal in planned.refusals
        ),
    )


def _plan(model: Any, graph: ModelGraph) -> Plan:
    """What folds; weights are read only where the structure cannot decide."""
    from pytest_layercount.folding import plan_fold
    from pytest_layercount.folding.plan import plan_graph

    if isinstance(model, (ModelGraph, str, os.PathLike)):
        return plan_graph(graph)
    planned = plan_fold(model)
    return plan_fold(model, resolve=True) if planned.conditional else planned


def _renamed(sentence: str, stable: Mapping[str, str]) -> str:
    return re.sub(r"[^\s;,]+", lambda word: stable.get(word[0], word[0]), sentence)
