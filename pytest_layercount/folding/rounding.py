"""Products of a kernel in its own type: exact as in float64, and rounded once.

NumPy converts a few thousand numbers at a time, so the kernel is never in memory
as a whole in float64. The product begins at an address from which TensorFlow
can use an array as it is: a variable made with it takes it over uncopied.
"""

from __future__ import annotations

import math

import numpy as np

from pytest_layercount.folding.affine import Array

_ALIGNMENT = 64  # bytes


def scaled(kernel: Array, scale: Array) -> Array:
    """``kernel * scale`` as a new array of the type and shape of ``kernel``."""
    # ``dtype`` has the product computed in float64 whatever ``out`` is, and ``same_kind`` allows it
    # to be rounded to a smaller float.
    return np.multiply(
        kernel, scale, out=_empty_like(kernel), dtype=np.float64, casting="same_kind"
    )


def _empty_like(array: Array) -> Array:
    size = math.prod(array.shape) * array.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    # The distance to the next multiple of the alignment.
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(array.dtype).reshape(array.shape)
