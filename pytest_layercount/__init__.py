"""A pytest plugin that tests the structure of TensorFlow/Keras models.

The public names are imported on first use: importing this package, which
pytest does in every process of every test run, imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.compare.explain import Explanation, explain
    from pytest_layercount.compare.partition import Change
    from pytest_layercount.criteria import ArgumentError
    from pytest_layercount.errors import LayercountError, ModelError
    from pytest_layercount.fixtures import (
        AssertEquivalentAfterFold,
        AssertFoldable,
        AssertLayerCount,
        AssertMatchesBaseline,
        AssertSameStructure,
    )
    from pytest_layercount.folding import fold, plan_fold
    from pytest_layercount.folding.affine import Affine
    from pytest_layercount.folding.equivalence import (
        Equivalence,
        FoldCheck,
        OutputDifference,
        check_equivalence,
        check_fold,
    )
    from pytest_layercount.folding.fold import FoldResult
    from pytest_layercount.folding.plan import Fold, Plan, Refusal
    from pytest_layercount.folding.rule import (
        NONNEGATIVE,
        UNIT_SCALE,
        ZERO_SHIFT,
        Absorbs,
        Need,
        Route,
        Rule,
        Site,
        Stop,
    )
    from pytest_layercount.model import count_layers, model_metrics
    from pytest_layercount.model.count import LayerCount, Metrics, Share
    from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
    from pytest_layercount.model.readers import read_graph
    from pytest_layercount.records.comparison import Comparison, compare_records
    from pytest_layercount.records.record import ModelRecord, Record
    from pytest_layercount.records.recording import record

__version__ = "0.1.0"

__all__ = [
    "NONNEGATIVE",
    "UNIT_SCALE",
    "ZERO_SHIFT",
    "Absorbs",
    "Affine",
    "ArgumentError",
    "AssertEquivalentAfterFold",
    "AssertFoldable",
    "AssertLayerCount",
    "AssertMatchesBaseline",
    "AssertSameStructure",
    "Cause",
    "Change",
    "Comparison",
    "Equivalence",
    "Explanation",
    "Fold",
    "FoldCheck",
    "FoldResult",
    "Layer",
    "LayerCount",
    "LayercountError",
    "Metrics",
    "ModelError",
    "ModelGraph",
    "ModelRecord",
    "Need",
    "Node",
    "OutputDifference",
    "Plan",
    "Record",
    "Refusal",
    "Route",
    "Rule",
    "Share",
    "Site",
    "Stop",
    "Value",
    "check_equivalence",
    "check_fold",
    "compare_records",
    "count_layers",
    "explain",
    "fold",
    "model_metrics",
    "plan_fold",
    "read_graph",
    "record",
]

_HOMES = {
    "compare.causes": ("Cause",),
    "compare.explain": ("Explanation", "explain"),
    "compare.partition": ("Change",),
    "criteria": ("ArgumentError",),
    "errors": ("LayercountError", "ModelError"),
    "fixtures": (
        "AssertEquivalentAfterFold",
        "AssertFoldable",
        "AssertLayerCount",
        "AssertMatchesBaseline",
        "AssertSameStructure",
    ),
    "folding": ("fold", "plan_fold"),
    "folding.fold": ("FoldResult",),
    "folding.affine": ("Affine",),
    "folding.equivalence": (
        "Equivalence",
        "FoldCheck",
        "OutputDifference",
        "check_equivalence",
        "check_fold",
    ),
    "folding.plan": ("Fold", "Plan", "Refusal"),
    "folding.rule": (
        "NONNEGATIVE",
        "UNIT_SCALE",
        "ZERO_SHIFT",
        "Absorbs",
        "Need",
        "Route",
        "Rule",
        "Site",
        "Stop",
    ),
    "model": ("count_layers", "model_metrics"),
    "model.count": ("LayerCount", "Metrics", "Share"),
    "model.graph": ("Layer", "ModelGraph", "Node", "Value"),
    "model.readers": ("read_graph",),
    "records.comparison": ("Comparison", "compare_records"),
    "records.record": ("ModelRecord", "Record"),
    "records.recording": ("record",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
