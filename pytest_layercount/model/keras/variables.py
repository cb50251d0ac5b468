"""Read the weights of a live layer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_layercount.model.keras.common import attribute
from pytest_layercount.model.layers.names import WEIGHTS_OTHERWISE
from pytest_layercount.model.quick import quick

Look = Callable[[Any], NDArray[Any]]
"""How to get the values of a variable."""


def variable(layer: Any, name: str) -> Any | None:
    """The variable ``layer`` keeps under ``name``, a dotted path into its parts."""
    *owners, last = name.split(".")
    for owner in owners:
        layer = attribute(layer, owner)
    # A weight may have another name in the layer than in the rules (WEIGHTS_OTHERWISE).
    value = getattr(layer, last, None)
    return getattr(layer, WEIGHTS_OTHERWISE.get(last, last), None) if value is None else value


def computing_type(layer: Any, name: str) -> str:
    """The data type in which the part of ``layer`` computes that keeps ``name``."""
    *owners, _ = name.split(".")
    dtype = getattr(layer, "compute_dtype", None)
    for owner in owners:
        layer = attribute(layer, owner)
        dtype = getattr(layer, "compute_dtype", None) or dtype
    return str(dtype)


def array_of(value: Any) -> NDArray[Any]:
    """The present values of a variable or tensor, to be read only.

    NumPy copies them; TensorFlow lets its memory be looked at, and writes new
    values elsewhere while somebody does.
    """
    tensorflow = sys.modules.get("tensorflow")
    # Only TensorFlow's tensors show their memory so.
    if quick() and tensorflow is not None and hasattr(value, "numpy"):
        try:
            return np.asarray(memoryview(tensorflow.convert_to_tensor(value)))
        except (BufferError, TypeError, ValueError):  # bfloat16, another backend
            pass
    return np.asarray(value)


class Snapshot:
    """The values of variables as they were when first asked for.

    Each variable is kept with its values: its id would be used again if it were gone.
    """

    def __init__(self) -> None:
        self._read: dict[int, tuple[Any, NDArray[Any]]] = {}
        self._lengths: dict[int, float] = {}

    def __call__(self, variable: Any) -> NDArray[Any]:
        """As :func:`array_of`."""
        if id(variable) not in self._read:
            self._read[id(variable)] = variable, array_of(variable)
        return self._read[id(variable)][1]

    def length(self, variable: Any) -> float:
        """The length of a variable as a vector, not finite where that overflows its type."""
        if id(variable) not in self._lengths:
            numbers = self(variable).ravel()
            # The product of two arguments that are one array is computed by BLAS, at the pace at
            # which memory can be read.
            self._lengths[id(variable)] = float(np.sqrt(np.dot(numbers, numbers)))
        return self._lengths[id(variable)]


def read_weights(
    layer: Any, names: Iterable[str], look: Look = array_of
) -> dict[str, NDArray[np.float64]]:
    """The weights called ``names`` that ``layer`` has, as float64."""
    variables = {name: variable(layer, name) for name in names}
    return {
        name: look(value).astype(np.float64)
        for name, value in variables.items()
        if value is not None
    }


def short_name(source: Any) -> str:
    """The name of a variable without those of the layers it is in."""
    return str(source.name).rpartition("/")[2].partition(":")[0]


def read_tensor(source: Any) -> Any:
    """The value as a tensor. It shares the variable's memory until either is changed."""
    import tensorflow as tf

    return tf.convert_to_tensor(source)


def tensor_of(source: Any, dtype: Any) -> Any:
    """The value of a variable, or of an array that nobody else has, as a tensor of ``dtype``."""
    import tensorflow as tf

    # Converted, an array would be copied: it might be changed later. Not so these.
    own = isinstance(source, np.ndarray)
    value = tf.raw_ops.Identity(input=source) if own else read_tensor(source)
    return value if value.dtype == dtype else tf.cast(value, dtype)
