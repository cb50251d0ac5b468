"""A SavedModel's directory: what Keras 2 says of the model in it, or what TensorFlow traced."""

from __future__ import annotations

from pathlib import Path

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.readers.files.keras_metadata import saved_configuration
from pytest_layercount.model.readers.files.open import graph_of
from pytest_layercount.model.readers.load import SAVED_MODEL


def is_saved_model(path: Path) -> bool:
    """Whether ``path`` is a directory that TensorFlow wrote a model to."""
    try:
        return (path / SAVED_MODEL).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def read_saved_model(path: Path) -> ModelGraph:
    """The structure of the model in a SavedModel's directory.

    Where Keras 2 wrote the model's configuration beside it, from that, without
    TensorFlow; else from the operations of the signature that it serves with.

    Raises:
        ModelError: there is no such signature, the file is damaged, or TensorFlow is missing.
    """
    saved = saved_configuration(path)
    if saved is not None:
        try:
            return graph_of(saved)
        except ModelError:  # a subclassed model, whose graph only its operations show
            pass
    from pytest_layercount.model.readers.tensorflow.build import graph_of_function
    from pytest_layercount.model.readers.tensorflow.functions import saved_function

    return graph_of_function(saved_function(path))
