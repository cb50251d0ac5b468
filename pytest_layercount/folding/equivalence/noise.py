"""Move weights by as much as rounding does, to see how far that moves the outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pytest_layercount.folding.build import Copies
from pytest_layercount.model.keras.common import variables_of
from pytest_layercount.model.keras.tables import derive, learns_table

UNITS = {"float64": 2.0**-50, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Half the spacing, relative to 1, of the numbers of a type; of float64 eight roundings."""


class Movable:
    """A layer whose weights can be moved at random, and put back."""

    def __init__(self, layer: Any) -> None:
        import tensorflow as tf

        self.layer = layer
        # These share the memory of the variables until either is changed.
        self.weights = [] if learns_table(layer) else variables_of(layer)
        self.values = [tf.convert_to_tensor(weight) for weight in self.weights]
        rescales = type(layer).__name__ == "Rescaling"
        self.numbers = (layer.scale, layer.offset) if rescales else None

    def move(self, unit: float, seed: tuple[int, ...]) -> None:
        """Move each weight by up to ``unit`` of its size."""
        random = np.random.default_rng(seed)
        numbers = self.numbers and tuple(_moved(number, unit, random) for number in self.numbers)
        self._put((_moved(value, unit, random) for value in self.values), numbers)

    def put_back(self) -> None:
        """Give the layer the weights that it had."""
        self._put(self.values, self.numbers)

    def _put(self, values: Iterable[Any], numbers: tuple[Any, ...] | None) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)
        if numbers:
            self.layer.scale, self.layer.offset = numbers
        # A Normalization computes with tensors that it has made of its variables.
        derive(self.layer)


@contextmanager
def movable(copies: Copies, unit: float) -> Iterator[Callable[[int], None]]:
    """Yield a function that moves each weight by up to ``unit`` of its size, by a seed.

    Each layer draws for itself. Afterwards all weights are what they were.
    """
    layers = {
        number: Movable(layer)
        for number, layer in enumerate(copies.live)
        # Raw operations have no weights, and what is no copy is the user's.
        if hasattr(layer, "weights") and layer is not copies.original(number)
    }

    def move(seed: int) -> None:
        for number, layer in layers.items():
            layer.move(unit, (seed, number))

    try:
        yield move
    finally:
        for layer in layers.values():
            layer.put_back()


def _moved(value: Any, unit: float, random: np.random.Generator) -> Any:
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return value
    # value * (1 + u) with u uniform in -unit .. unit, for which float32 is exact enough
    part = np.asarray(random.random(value.shape, np.float32))
    part -= np.float32(0.5)
    part *= np.float32(2 * unit)
    moved = part.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of what is infinite
        moved *= value
        moved += value
    return moved.astype(value.dtype, copy=False)


def rounding_unit(model: Any) -> float:
    """Half the spacing, relative to 1, of the coarsest type that weights are stored in."""
    stored = {str(getattr(weight.dtype, "name", weight.dtype)) for weight in variables_of(model)}
    return max((UNITS[name] for name in stored if name in UNITS), default=2.0**-24)
