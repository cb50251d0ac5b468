"""Load a saved model through the Keras that is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError

SUFFIXES = (".keras", ".h5", ".hdf5")


def load_model(path: Path) -> Any:
    """The model saved at ``path``, loaded with safe mode on and not compiled.

    Raises:
        ModelError: no such file, a suffix that is not a model's, no Keras
            installed, or a file that this Keras cannot load.
    """
    if path.suffix not in SUFFIXES:
        raise ModelError(f"{path}: expected a model saved as {', '.join(SUFFIXES)}")
    if not path.exists():
        raise ModelError(f"{path}: no such file")
    keras = _keras(path)
    try:
        # Keras 2.15 and 3 both know safe_mode; for .h5 files it guards Lambda layers.
        return keras.models.load_model(str(path), compile=False, safe_mode=True)
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{path}: Keras {keras.__version__} cannot load this file: {first}"
        ) from error


def _keras(path: Path) -> Any:
    """The Keras of this process: the one already imported, or what ``tf.keras`` means."""
    if "keras" not in sys.modules and "tf_keras" in sys.modules:
        return sys.modules["tf_keras"]
    if importlib.util.find_spec("keras") is None:
        raise ModelError(
            f"{path}: loading a model needs TensorFlow, which is not installed: "
            'pip install "pytest-layercount[tensorflow]"'
        )
    import keras

    return keras
