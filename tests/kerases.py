"""The Keras that the tests use: the one installed, or tf_keras when the environment says so."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def load_keras() -> Any:
    """``tf_keras`` where LAYERCOUNT_TEST_KERAS names it, else what ``tf.keras`` means.

    Clearing a session collects garbage, which takes longer than most tests if it has
    to look through all of TensorFlow: nothing that is here by now will ever be garbage.
    """
    keras = importlib.import_module(os.environ.get("LAYERCOUNT_TEST_KERAS", "keras"))
    gc.freeze()
    return keras


def generation(keras: Any) -> int:
    """2 or 3."""
    return 3 if keras.__version__.startswith("3.") else 2


def is_keras_3_3() -> bool:
    """Whether this is the first Keras 3 that is tested, which lacks what later ones can."""
    return str(load_keras().__version__).startswith("3.3.")


def skip_in_keras_3_3(lacks: str) -> None:
    """Skip a test of what Keras 3.3 itself cannot do, and say what it ``lacks``."""
    if is_keras_3_3():
        import pytest

        pytest.skip(f"Keras 3.3 {lacks}")


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Layers made inside compute in ``dtype`` unless they say otherwise.

    Keras 3 makes its policy of the type that it finds when it first needs one, and
    keeps it until the session is cleared: before, for this test, and after, for the next.
    """
    backend = load_keras().backend
    before = backend.floatx()
    backend.set_floatx(dtype)
    backend.clear_session()
    try:
        yield
    finally:
        backend.set_floatx(before)
        backend.clear_session()
