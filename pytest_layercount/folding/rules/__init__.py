"""The rules, one layer family a file, and the registry that finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from pytest_layercount.folding.rule import Rule
from pytest_layercount.folding.rules.activation import Activation
from pytest_layercount.folding.rules.arithmetic import Divide, Negative
from pytest_layercount.folding.rules.attention import Attention
from pytest_layercount.folding.rules.batch_norm import BatchNormalization
from pytest_layercount.folding.rules.einsum_dense import EinsumDense
from pytest_layercount.folding.rules.embedding import Embedding
from pytest_layercount.folding.rules.inert import AlwaysInert, Inert
from pytest_layercount.folding.rules.merge import (
    Add,
    Average,
    Concatenate,
    Extremum,
    Multiply,
    Subtract,
)
from pytest_layercount.folding.rules.nonlinear import Nonlinear
from pytest_layercount.folding.rules.normalization import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
)
from pytest_layercount.folding.rules.padding import Cropping, Padding
from pytest_layercount.folding.rules.pooling import (
    GlobalMaxPooling,
    GlobalPooling,
    MaxPooling,
    Pooling,
)
from pytest_layercount.folding.rules.product import Product
from pytest_layercount.folding.rules.recurrent import Bidirectional, ConvRecurrent, Recurrent
from pytest_layercount.folding.rules.reduction import Extreme, Mean
from pytest_layercount.folding.rules.resampling import Resampling
from pytest_layercount.folding.rules.reshape import Flatten, Permute, RepeatVector, Reshape
from pytest_layercount.folding.rules.scaling import LayerScale, Normalization, Rescaling
from pytest_layercount.folding.rules.slicing import GetItem, OfShape, Split
from pytest_layercount.folding.rules.weighted import (
    Convolution,
    Dense,
    Depthwise,
    Separable,
    Transposed,
)
from pytest_layercount.folding.rules.wrapper import TimeDistributed
from pytest_layercount.model.graph import Layer
from pytest_layercount.model.layers import row_of

RULES: tuple[Rule, ...] = (
    Activation(),
    AlwaysInert(),
    Add(),
    Attention(),
    Average(),
    BatchNormalization(),
    Concatenate(),
    ConvRecurrent(),
    Convolution(),
    Cropping(),
    Dense(),
    Depthwise(),
    Divide(),
    EinsumDense(),
    Embedding(),
    Extreme(),
    Extremum(),
    Flatten(),
    GetItem(),
    GlobalMaxPooling(),
    GlobalPooling(),
    GroupNormalization(),
    Inert(),
    LayerNormalization(),
    LayerScale(),
    MaxPooling(),
    Mean(),
    Multiply(),
    Negative(),
    Nonlinear(),
    Normalization(),
    OfShape(),
    Padding(),
    Permute(),
    Pooling(),
    Product(),
    RMSNormalization(),
    Recurrent(),
    RepeatVector(),
    Resampling(),
    Rescaling(),
    Reshape(),
    Separable(),
    Split(),
    Subtract(),
    Transposed(),
)

_BY_TYPE = {name: rule for rule in RULES for name in rule.types}
_BY_OPERATION = {name: rule for rule in RULES for name in rule.operations}
_WRAPPERS: Mapping[str, Callable[..., Rule]] = {
    "Bidirectional": Bidirectional,
    "TimeDistributed": TimeDistributed,
}
"""The rules of layers that hold others, made from the rules of these."""


def rule_for(layer: Layer) -> Rule | None:
    """The rule for exactly this layer's type, or None: nothing is known about it."""
    if layer.rule is not None:
        return cast("Rule", layer.rule)
    if layer.operation is not None:
        return _BY_OPERATION.get(layer.operation)
    if not layer.builtin:
        return None
    if layer.type not in _WRAPPERS:
        return _BY_TYPE.get(layer.type)
    rules = [rule_for(inner) for inner in layer.wrapped]
    whole = len(rules) == len(row_of(layer.type).inner)  # a record may hold a part of it
    return _WRAPPERS[layer.type](*rules) if whole and None not in rules else None


def without_rule(layer: Layer) -> Layer:
    """The layer for which there is no rule: this one, or one that it wraps."""
    inner = (each for each in layer.wrapped if rule_for(each) is None)
    return next(map(without_rule, inner), layer)
