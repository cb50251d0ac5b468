"""The models that a command line names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount import opening
from pytest_layercount.cli.quiet import quiet
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.opening import framework_for
from pytest_layercount.target import parse_target

if TYPE_CHECKING:
    from pytest_layercount.compare.source import Source
    from pytest_layercount.folding.plan import Plan


MODEL = "a saved model (detector.keras) or code (package.module:build(depth=3))"
HOW = "every layer, every call of one, or what model.layers lists (default: %(default)s)"
"""What two commands take, as their help says it."""


def named(text: str) -> Any:
    """What ``text`` names: a live model, or the path of a saved one.

    Modules are found from the current folder, as ``python -m`` finds them.
    """
    target = parse_target(text)
    if target.module and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    with quiet():
        return target.model()


def structure(text: str) -> ModelGraph:
    """The structure of the model that ``text`` names."""
    model = named(text)
    with quiet():
        return opening.structure(model)


def source(text: str) -> Source:
    """The structure of the model that ``text`` names, and its weights where they can be read."""
    model = named(text)
    with quiet():
        return opening.source(model)


def planned(model: Any, text: str) -> Plan:
    """What folds in ``model``; where its structure does not decide, its weights do."""
    from pytest_layercount.folding import plan_fold

    with quiet(), framework_for(text):
        plan = plan_fold(model)
        undecided = plan.conditional and not isinstance(model, ModelGraph)
        return plan_fold(model, resolve=True) if undecided else plan
