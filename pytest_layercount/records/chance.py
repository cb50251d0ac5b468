"""Leave the random numbers of a test suite as they would be without us.

Building a copy of a model draws initial weights. A suite that sets a seed would then
build its next model with other ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pytest_layercount.model.keras.common import seed_generators


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
