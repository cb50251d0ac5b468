"""The weights that a file holds: plain data, a list of layers.

A file of weights says of a layer which weights it has and of which shapes, and not what it
computes. In what order the layers stand depends on the format: HDF5 files of Keras 1 and 2 and
checkpoints keep the order of the model, files of Keras 3 that of the alphabet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Format = Literal["keras-3", "hdf5", "checkpoint"]
"""``keras-3``: by the places of the layers in the model. ``hdf5``: by their names, in order.
``checkpoint``: TensorFlow's own, by the attributes of the objects."""

_BITS = {"bool": 8, "bfloat16": 16, "half": 16}


@dataclass(frozen=True)
class StoredWeight:
    """One array in a file; ``place`` is where it stands there.

    ``name`` is its number in the layer where the file gives it no name.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    place: str

    @property
    def size(self) -> int:
        """The number of scalars."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """The memory that it takes; 0 of text, whose length varies."""
        digits = "".join(filter(str.isdecimal, self.dtype))
        return self.size * (_BITS.get(self.dtype) or int(digits or 0)) // 8


@dataclass(frozen=True)
class StoredLayer:
    """A layer that has weights in the file.

    ``path`` names it as the model does, if the file knows the names, and else as the file does;
    ``place`` is always the latter. ``type`` is its class as files of Keras 3 spell it, ``conv2d``,
    and empty of others.
    """

    path: str
    weights: tuple[StoredWeight, ...]
    place: str = ""
    type: str = ""

    @property
    def parameters(self) -> int:
        """The number of scalars in its weights."""
        return sum(weight.size for weight in self.weights)

    @property
    def bytes(self) -> int:
        """The memory that its weights take."""
        return sum(weight.bytes for weight in self.weights)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of its weights."""
        return tuple(weight.shape for weight in self.weights)


def _nothing_to_read(weight: StoredWeight) -> Any:
    raise LookupError(f"there is no file to read {weight.place} from")


@dataclass(frozen=True)
class StoredWeights:
    """What a file holds.

    ``writer`` is the Keras that wrote it, as far as the file says. ``saved`` is the number of
    "saved layers" in the messages of Keras, which counts a nested model as one: None where no
    message has such a number. ``states`` are arrays that belong to no layer, of optimizers, metrics
    and generators of random numbers.
    """

    source: str
    format: Format
    writer: str
    layers: tuple[StoredLayer, ...]
    states: tuple[StoredWeight, ...] = ()
    saved: int | None = None
    read: Callable[[StoredWeight], NDArray[np.generic]] = field(
        default=_nothing_to_read, compare=False, repr=False
    )

    @property
    def parameters(self) -> int:
        """The number of scalars in all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def bytes(self) -> int:
        """The memory that all layers take."""
        return sum(layer.bytes for layer in self.layers)


def in_order(place: str) -> tuple[tuple[int, str], ...]:
    """What to sort places by: ``conv2d`` before ``conv2d_1``, and that before ``conv2d_10``."""
    parts = re.split(r"(\d+)", place)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
