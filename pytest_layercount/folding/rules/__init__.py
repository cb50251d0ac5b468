"""The rules, one layer family a file, and the registry that finds them."""

from __future__ import annotations

from pytest_layercount.folding.rules.activation import Activation
from pytest_layercount.folding.rules.arithmetic import Divide
from pytest_layercount.folding.rules.base import Rule
from pytest_layercount.folding.rules.batch_norm import BatchNormalization
from pytest_layercount.folding.rules.inert import Inert
from pytest_layercount.folding.rules.merge import (
    Add,
    Average,
    Concatenate,
    Extremum,
    Multiply,
    Subtract,
)
from pytest_layercount.folding.rules.weighted import (
    Convolution,
    Dense,
    Depthwise,
    Separable,
    Transposed,
)
from pytest_layercount.model.graph import Layer

RULES: tuple[Rule, ...] = (
    Activation(),
    Add(),
    Average(),
    BatchNormalization(),
    Concatenate(),
    Convolution(),
    Dense(),
    Depthwise(),
    Divide(),
    Extremum(),
    Inert(),
    Multiply(),
    Separable(),
    Subtract(),
    Transposed(),
)

_BY_TYPE = {name: rule for rule in RULES for name in rule.types}
_BY_OPERATION = {name: rule for rule in RULES for name in rule.operations}


def rule_for(layer: Layer) -> Rule | None:
    """The rule for exactly this layer's type, or None: nothing is known about it."""
    if layer.operation is not None:
        return _BY_OPERATION.get(layer.operation)
    return _BY_TYPE.get(layer.type) if layer.builtin else None
