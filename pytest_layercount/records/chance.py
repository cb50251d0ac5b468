"""Leave the random numbers of a test suite as they would be without us.

Building a copy of a model draws initial weights. A suite that sets a seed would then
build its next model with other ones.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put the global generators back to where they were."""
    restores = [_python(random), _numpy(), *map(_python, _tensorflow())]
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


def _tensorflow() -> Iterator[random.Random]:
    """TensorFlow's generator of seeds for eager operations, and those of Keras 2."""
    context = sys.modules.get("tensorflow.python.eager.context")
    made = getattr(context, "context_safe", lambda: None)()
    yield from (one for one in (getattr(made, "_rng", None),) if one is not None)
    for library in ("keras.src.backend", "tf_keras.src.backend"):
        holder = getattr(sys.modules.get(library), "_SEED_GENERATOR", None)
        generator = getattr(holder, "generator", None)
        if isinstance(generator, random.Random):
            yield generator
