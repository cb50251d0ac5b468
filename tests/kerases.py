"""The Keras that the tests use: the one installed, or tf_keras when the environment says so."""

from __future__ import annotations

import importlib
import os
from typing import Any


def load_keras() -> Any:
    """``tf_keras`` where LAYERCOUNT_TEST_KERAS names it, else what ``tf.keras`` means."""
    return importlib.import_module(os.environ.get("LAYERCOUNT_TEST_KERAS", "keras"))


def generation(keras: Any) -> int:
    """2 or 3."""
    return 3 if keras.__version__.startswith("3.") else 2
