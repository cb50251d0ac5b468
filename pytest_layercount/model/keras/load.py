"""Load a saved model through the Keras that is installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError, first_line, needs_tensorflow
from pytest_layercount.files import NOT_REGULAR, irregular
from pytest_layercount.model.keras.origin import LIBRARIES

SAVED_MODEL, KERAS_METADATA = "saved_model.pb", "keras_metadata.pb"
SUFFIXES = (".keras", ".h5", ".hdf5")

Guard = Callable[[Path, bool], None]
"""Refuses, before any Keras sees a file, what loading it would run; told if that is trusted."""

_TRUSTED: ContextVar[bool] = ContextVar("trusted", default=False)


@contextmanager
def trusting_stored_code(trust: bool = True) -> Iterator[None]:
    """Let models that are loaded meanwhile run what is stored in their files, if ``trust``."""
    before = _TRUSTED.set(trust or _TRUSTED.get())
    try:
        yield
    finally:
        _TRUSTED.reset(before)


def load_model(path: Path, guard: Guard) -> Any:
    """The model saved at ``path``, loaded with safe mode on and not compiled.

    Not before ``guard`` has looked into the file.

    Raises:
        ModelError: no such file, a suffix that is not a model's, stored code that is not
            trusted, no Keras installed, or a file that this Keras cannot load.
    """
    if (path / SAVED_MODEL).is_file() and not (path / KERAS_METADATA).is_file():
        raise ModelError(
            f"{path}: a SavedModel is counted and explained, but it holds TensorFlow's operations "
            "and no Keras model to fold, copy or run: give the model itself or its .keras file"
        )
    if path.suffix not in SUFFIXES and not (path / KERAS_METADATA).is_file():
        raise ModelError(f"{path}: expected a model saved as {', '.join(SUFFIXES)}")
    if not path.exists():
        raise ModelError(f"{path}: no such file")
    # Opening a pipe or a device could wait for ever.
    held = irregular(path) if path.is_dir() else None if path.is_file() else path
    if held is not None:
        raise ModelError(f"{held}: {NOT_REGULAR}, so it is not opened")
    trusted = _TRUSTED.get()
    guard(path, trusted)
    failed: list[tuple[str, Exception]] = []
    for keras in _installed(path):
        try:
            return keras.models.load_model(str(path), compile=False, safe_mode=not trusted)
        except Exception as error:  # noqa: BLE001  whatever a damaged or foreign file causes
            failed.append((f"{keras.__name__} {keras.__version__}", error))
            if "safe_mode" in str(error):
                break  # what one Keras holds to be unsafe, another may run
    said = "; ".join(f"{name} cannot load this file: {first_line(e)}" for name, e in failed)
    raise ModelError(f"{path}: {said}") from failed[0][1]


def _installed(path: Path) -> list[Any]:
    """Every Keras that is installed; those that are imported come first."""
    names = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    if not names:
        raise ModelError(needs_tensorflow(f"{path}: loading a model"))
    # The sort is stable: of two that are imported, or two that are not, keras comes first.
    names.sort(key=lambda name: name not in sys.modules)
    return [importlib.import_module(name) for name in names]
