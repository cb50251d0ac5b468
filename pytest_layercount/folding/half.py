"""Whether new weights fit the half precision in which a layer computes.

Under a mixed policy they are kept as float32 and cast when the layer is called: what is
larger than 65504 becomes infinite there, and what is smaller than 6e-5 loses its digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.model.keras.variables import computing_type

LARGEST: Mapping[str, float] = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38}
SMALLEST: Mapping[str, float] = {"float16": 2.0**-14, "bfloat16": 2.0**-126}
"""The smallest number with all its digits."""

_SHIFTS = ("beta", "bias", "mean")


def in_half(live: Any, names: Iterable[str]) -> bool:
    """Whether ``live`` computes in half precision with any of these weights."""
    return any(computing_type(live, name) in LARGEST for name in names)


def fits(before: Mapping[str, Array], after: Mapping[str, Array], live: Any) -> bool:
    """Whether ``live`` can compute with the weights ``after``, given as float64."""
    return all(
        _holds(name, before.get(name), array, computing_type(live, name))
        for name, array in after.items()
        if array is not before.get(name)
    )


def _holds(name: str, before: Array | None, after: Array, dtype: str) -> bool:
    if dtype not in LARGEST:
        return True
    most = float(np.abs(after).max(initial=0.0))
    if name.endswith(_SHIFTS):
        return most <= LARGEST[dtype] / 2  # the product, to which it is added, has the other half
    return most <= LARGEST[dtype] and not vanishes(before, after, dtype)


def vanishes(before: Array | None, after: Array, dtype: str) -> bool:
    """Whether all weights of a channel have got too small.

    A single one among larger ones loses no more than these do when they are rounded.
    """
    smallest = SMALLEST.get(dtype, 0.0)
    if before is None or before.shape != after.shape or not smallest:
        return False
    # The last two axes of a kernel are its input and output channels; a map scales along either.
    for axis in range(max(0, after.ndim - 2), after.ndim):
        others = tuple(place for place in range(after.ndim) if place != axis)
        old, new = (np.abs(array).max(axis=others, initial=0.0) for array in (before, after))
        # A channel that was zero, or too small before, has lost nothing by the fold.
        if bool(((old >= smallest) & (new > 0) & (new < smallest)).any()):
            return True
    return False
