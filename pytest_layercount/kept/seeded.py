"""Weights and samples made from a seed alone, the same with every NumPy and Keras.

Numbers come from the raw bits of PCG64, whose stream NumPy guarantees; that of its
distributions it does not. A weight depends on the seed, on its position among the
weights of the model and on its shape, not on what Keras calls it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_layercount.model.keras.common import seed_generators

Array = NDArray[np.float64]

INPUTS = 1
"""Tells the stream of the inputs from those of the weights."""

_SCALES = ("gamma", "scale")
_VARIANCES = ("moving_variance", "variance", "adapt_variance")
"""What layers call them, and layers of a user's own name their weights."""


class Stable:
    """The methods of a NumPy generator that inputs are made with, from stable numbers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def random(self, size: Sequence[int]) -> Array:
        """From 0 to 1."""
        self._drawn += 1
        return uniform((self._seed, INPUTS, self._drawn), math.prod(size)).reshape(tuple(size))

    def uniform(self, low: float, high: float, size: Sequence[int]) -> Array:
        """From ``low`` to ``high``."""
        return low + (high - low) * self.random(size)

    def normal(self, size: Sequence[int]) -> Array:
        """Of mean 0 and deviation 1, though not normal: only bits are the same everywhere."""
        return self.uniform(-math.sqrt(3), math.sqrt(3), size)

    def integers(self, low: int, high: int, size: Sequence[int]) -> NDArray[np.int64]:
        """From ``low`` to below ``high``."""
        return np.floor(self.uniform(low, high, size)).astype(np.int64)

    def choice(self, options: NDArray[Any], size: Sequence[int]) -> NDArray[Any]:
        """One of ``options`` each."""
        return np.asarray(options[self.integers(0, len(options), size)])


def uniform(seed: Sequence[int], size: int) -> Array:
    """``size`` numbers from 0 to 1, each exact in float32."""
    bits = np.random.PCG64(list(seed)).random_raw(size)
    return np.asarray(bits >> np.uint64(40), dtype=np.float64) * 2.0**-24


def seeded_weight(layer: Any, variable: Any, seed: int, position: int) -> Array | None:
    """A value for ``variable`` of ``layer``; None for what is not made of real numbers.

    Kernels keep the size of a signal through a ReLU. A scale is never near zero and a
    third of the time negative, a variance positive: with the initial statistics of
    Keras (mean 0, variance 1) half of what may go wrong in a batch norm does not show.
    """
    shape = tuple(int(size) for size in variable.shape)
    if "float" not in _dtype(variable):
        return None
    drawn = uniform((seed, position), math.prod(shape)).reshape(shape)
    if _is(layer, variable, _VARIANCES):
        return np.asarray(0.5 + 1.5 * drawn)
    if _is(layer, variable, _SCALES):
        return np.asarray(np.where(drawn < 1 / 3, -1, 1) * (0.5 + 3 * drawn % 1))
    if len(shape) < 2:
        return np.asarray(0.6 * drawn - 0.3)
    return np.asarray((2 * drawn - 1) * math.sqrt(6 / _fan_in(layer, shape)))


def sample(seed: int, size: int, most: int) -> list[int]:
    """The places of at most ``most`` out of ``size`` numbers, in order."""
    if size <= most:
        return list(range(size))
    drawn = uniform((seed, size), 2 * most)
    places = dict.fromkeys((drawn * size).astype(np.int64).tolist())
    return sorted(list(places)[:most])


def _fan_in(layer: Any, shape: tuple[int, ...]) -> int:
    """How many numbers are added up for each number of the result."""
    depthwise = len(shape) > 2 and shape[-1] == getattr(layer, "depth_multiplier", None)
    return max(1, math.prod(shape[:-2] if depthwise else shape[:-1]))


def _is(layer: Any, variable: Any, names: Sequence[str]) -> bool:
    called = str(getattr(variable, "name", "")).rpartition("/")[2].partition(":")[0]
    return called in names or any(getattr(layer, name, None) is variable for name in names)


def _dtype(variable: Any) -> str:
    return str(getattr(variable.dtype, "name", variable.dtype))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put the global generators back to where they were."""
    restores = [_python(random), _numpy(), *map(_python, seed_generators())]
    try:
        yield
    finally:
        for restore in restores:
            restore()


def _python(generator: Any) -> Callable[[], None]:
    state = generator.getstate()
    return lambda: generator.setstate(state)


def _numpy() -> Callable[[], None]:
    state = np.random.get_state()  # noqa: NPY002 -- the global one is the suite's
    return lambda: np.random.set_state(state)  # noqa: NPY002
