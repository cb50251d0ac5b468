"""From what people have (live models, saved files) to a ModelGraph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.keras.adapter import Unseen, generation
from pytest_layercount.model.keras.origin import imported
from pytest_layercount.model.readers.tensorflow import is_function, is_untraced, read_function


def is_model(candidate: object) -> bool:
    """Whether ``candidate`` is a Keras model, a concrete function or a ModelGraph.

    Imports nothing: where Keras was never imported, nothing can be its model.
    """
    if isinstance(candidate, ModelGraph) or is_function(candidate):
        return True
    return generation(candidate) is not None


def read_graph(model: Any, *, inputs: Any = None) -> ModelGraph:
    """The structure of ``model``: a live Keras model, a saved one's path or a ModelGraph.

    A path may be that of a SavedModel, and a concrete function of TensorFlow is read as
    well: what their operations amount to (``seen`` is then ``"traced function"``). A
    subclassed model whose call cannot be followed symbolically runs once, with ``inputs``
    or ones like those it was built with, and is read as what is seen of that (``"one
    call"``): enough to count and explain it, not to fold it.

    Raises:
        ModelError: ``model`` is none of these, or its graph cannot be seen.
    """
    if isinstance(model, ModelGraph):
        return model
    if isinstance(model, (str, Path)):
        return _read_file(Path(model))
    if generation(model) is None and is_function(model):
        return read_function(model)
    from pytest_layercount.model.readers.live import open_model
    from pytest_layercount.model.readers.saved_model_layers import with_reloaded_opened

    live = live_model(model)
    try:
        return with_reloaded_opened(open_model(live))
    except Unseen as refused:
        from pytest_layercount.model.readers.watch import watch_call

        return watch_call(live, inputs, refused)


def is_traced(model: object) -> bool:
    """Whether ``model`` holds operations of TensorFlow alone: a function or SavedModel."""
    from pytest_layercount.model.readers.files.open import is_saved_model

    if isinstance(model, (str, Path)):
        return is_saved_model(Path(model))
    return is_function(model)


def _read_file(path: Path) -> ModelGraph:
    """From the file alone; where it does not hold the graph, from a Keras that is imported."""
    from pytest_layercount.model.readers.files.config import NotInFile
    from pytest_layercount.model.readers.files.open import read_saved

    try:
        return read_saved(path)
    # Only where a Keras is imported already: loading a file is no reason to import one.
    except NotInFile as unseen:
        if not imported():
            raise
        from pytest_layercount.model.readers.live import open_model

        try:
            return open_model(live_model(path)).graph
        except ModelError as refused:
            reason = str(refused).removeprefix(f"{path}: ").partition(". ")[0][:150]
            raise NotInFile(f"{unseen}; {reason}") from refused


def live_model(model: Any) -> Any:
    """``model`` itself if it is live, or loaded with Keras's safe mode on if it is a path."""
    if isinstance(model, (str, Path)):
        from pytest_layercount.model.keras.load import load_model
        from pytest_layercount.model.readers.files.stored_code import check_stored_code

        return load_model(Path(model), check_stored_code)
    if generation(model) is not None:
        return model
    if is_function(model):
        raise ModelError(
            f"{getattr(model, 'name', model)!r} is a traced function of TensorFlow: it is counted "
            "and explained, but there is no Keras model in it to fold, copy or run"
        )
    if is_untraced(model):
        raise ModelError(
            "a tf.function stands for a graph for each kind of arguments: give one of them, "
            "function.get_concrete_function(...)"
        )
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise ModelError(
        f"expected a Keras model or the path of a saved one, got an object of type {kind}"
    )
