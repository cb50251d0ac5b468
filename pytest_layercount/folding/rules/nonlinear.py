"""Built-in layers that are known, and known to let no per-channel map through.

They answer "no" to every question. Being listed makes the reason "nonlinear"
instead of "unknown-layer", which would ask the user to describe Keras's own layers.
"""

from __future__ import annotations

from pytest_layercount.folding.rule import Rule


class Nonlinear(Rule):
    """Attention without weights, curved activations."""

    types = (
        "AdditiveAttention",
        "Attention",
        "ELU",
        "Masking",
        "Softmax",
        "ThresholdedReLU",
        "UnitNormalization",
    )
    operations = (
        "elu",
        "exp",
        "gelu",
        "hard_sigmoid",
        "hard_swish",
        "log",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "softmax",
        "softplus",
        "sqrt",
        "square",
        "swish",
        "tanh",
    )
