"""Names of classes, operations and weights."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """The words of ``text``."""
    return frozenset(text.split())


WEIGHTS_OTHERWISE = {"depthwise_kernel": "kernel"}
"""What else a weight is called: Keras 3's DepthwiseConv calls its own kernel."""
