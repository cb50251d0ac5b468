"""Read the weights of a live layer as float64 arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OTHER_NAMES = {"depthwise_kernel": "kernel"}  # Keras 3's DepthwiseConv calls it kernel


def variable(layer: Any, name: str) -> Any | None:
    """The variable ``layer`` keeps under ``name``, a dotted path into its parts."""
    *owners, last = name.split(".")
    for owner in owners:
        layer = getattr(layer, owner, None)
    found = getattr(layer, last, None)
    return getattr(layer, _OTHER_NAMES.get(last, last), None) if found is None else found


def read_weights(layer: Any, names: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """The weights called ``names`` that ``layer`` has, as float64."""
    found = {name: variable(layer, name) for name in names}
    return {
        name: np.asarray(value.numpy() if hasattr(value, "numpy") else value).astype(np.float64)
        for name, value in found.items()
        if value is not None
    }
