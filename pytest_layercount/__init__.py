"""A pytest plugin that tests the structure of TensorFlow/Keras models.

The public names are imported on first use: importing this package, which
pytest does in every process of every test run, imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_layercount.checks.arguments import ArgumentError
    from pytest_layercount.checks.growth import BaselineComparison
    from pytest_layercount.compare.explain import Explanation, explain
    from pytest_layercount.errors import LayercountError, ModelError
    from pytest_layercount.fixtures import (
        AssertEquivalentAfterFold,
        AssertFoldable,
        AssertLayerCount,
        AssertMatchesBaseline,
        AssertSameStructure,
    )
    from pytest_layercount.folding import fold, plan_fold
    from pytest_layercount.folding.equivalence import (
        Equivalence,
        FoldCheck,
        check_equivalence,
        check_fold,
    )
    from pytest_layercount.folding.fold import FoldResult
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.kept.comparison import RecordComparison, compare_records
    from pytest_layercount.kept.record import Record
    from pytest_layercount.kept.recording import record
    from pytest_layercount.model import count_layers, model_metrics
    from pytest_layercount.model.count import LayerCount, Metrics
    from pytest_layercount.model.readers import read_graph
    from pytest_layercount.model.readers.files.stored_weights import read_weights
    from pytest_layercount.model.stored import StoredWeights

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "AssertEquivalentAfterFold",
    "AssertFoldable",
    "AssertLayerCount",
    "AssertMatchesBaseline",
    "AssertSameStructure",
    "BaselineComparison",
    "Equivalence",
    "Explanation",
    "FoldCheck",
    "FoldResult",
    "LayerCount",
    "LayercountError",
    "Metrics",
    "ModelError",
    "Plan",
    "Record",
    "RecordComparison",
    "StoredWeights",
    "check_equivalence",
    "check_fold",
    "compare_records",
    "count_layers",
    "explain",
    "fold",
    "model_metrics",
    "plan_fold",
    "read_graph",
    "read_weights",
    "record",
]

_HOMES = {
    "checks.growth": ("BaselineComparison",),
    "compare.explain": ("Explanation", "explain"),
    "checks.arguments": ("ArgumentError",),
    "errors": ("LayercountError", "ModelError"),
    "fixtures": (
        "AssertEquivalentAfterFold",
        "AssertFoldable",
        "AssertLayerCount",
        "AssertMatchesBaseline",
        "AssertSameStructure",
    ),
    "folding": ("fold", "plan_fold"),
    "folding.equivalence": ("Equivalence", "FoldCheck", "check_equivalence", "check_fold"),
    "folding.fold": ("FoldResult",),
    "folding.plan": ("Plan",),
    "model": ("count_layers", "model_metrics"),
    "model.count": ("LayerCount", "Metrics"),
    "model.readers": ("read_graph",),
    "model.readers.files.stored_weights": ("read_weights",),
    "model.stored": ("StoredWeights",),
    "kept.comparison": ("RecordComparison", "compare_records"),
    "kept.record": ("Record",),
    "kept.recording": ("record",),
    # Names of these two modules that stood here at first: no conftest.py has to be rewritten.
    "graph": ("Layer", "ModelGraph", "Node", "Value"),
    "rules": (
        *("NONNEGATIVE", "UNIT_SCALE", "ZERO_SHIFT", "Absorbs", "Affine"),
        *("Need", "Route", "Rule", "Site", "Stop"),
    ),
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
