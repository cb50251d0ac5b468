"""What authors of folding rules import; see :mod:`pytest_layercount.folding.rule`.

A rule answers for a layer class of the user's own, through the hook
``pytest_layercount_rule`` in a ``conftest.py``. The classes named after layers are our own
rules, for classes that compute what the layer computes.
"""

from __future__ import annotations

from pytest_layercount.folding.affine import Affine
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
from pytest_layercount.folding.rules.activation import Activation
from pytest_layercount.folding.rules.batch_norm import BatchNormalization
from pytest_layercount.folding.rules.einsum_dense import EinsumDense
from pytest_layercount.folding.rules.inert import Inert
from pytest_layercount.folding.rules.weighted import (
    Convolution,
    Dense,
    Depthwise,
    Separable,
    Transposed,
)

__all__ = [
    "NONNEGATIVE",
    "UNIT_SCALE",
    "ZERO_SHIFT",
    "Absorbs",
    "Activation",
    "Affine",
    "BatchNormalization",
    "Convolution",
    "Dense",
    "Depthwise",
    "EinsumDense",
    "Inert",
    "Need",
    "Route",
    "Rule",
    "Separable",
    "Site",
    "Stop",
    "Transposed",
]
