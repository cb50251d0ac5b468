"""Read a saved model's structure from its file alone.

Neither Keras nor TensorFlow is imported and nothing in the file is run, so a file
is read even where no installed Keras can load it. What is not in the file cannot be
seen: the graph of a subclassed model, and what a user's own class does. The weights
of such a class are counted from the HDF5 data, all of them as trainable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.model.graph import ModelGraph, Shape
from pytest_layercount.model.keras.adapter import Call
from pytest_layercount.model.keras.load import SAVED_MODEL
from pytest_layercount.model.readers.builder import GraphBuilder, Inner
from pytest_layercount.model.readers.files.calls import Malformed
from pytest_layercount.model.readers.files.config import NotInFile, Parser
from pytest_layercount.model.readers.files.container import Saved, read_configuration
from pytest_layercount.model.readers.files.describe import SavedDescriber
from pytest_layercount.model.readers.files.infer import is_masked
from pytest_layercount.model.readers.files.keras_metadata import saved_configuration
from pytest_layercount.model.readers.files.saved_layer import (
    Network,
    OpenFile,
    SavedLayer,
    SavedTensor,
)
from pytest_layercount.model.readers.files.weights import count_own_weights

MOST_CALLS = 200_000
# What a configuration with values of wrong types may raise anywhere below.
_NOT_A_MODEL = (
    ArithmeticError,
    AttributeError,
    LookupError,
    StopIteration,
    TypeError,
    ValueError,
)


def read_saved(path: Path) -> ModelGraph:
    """The structure of the model saved at ``path``: a ``.keras``, ``.h5``, ``.json`` or SavedModel.

    Raises:
        NotInFile: a subclassed model, whose graph no file holds.
        ModelError: the file cannot be read, or does not describe a model.
    """
    return _read_saved_model(path) if is_saved_model(path) else open_saved(path).graph


def open_saved(path: Path) -> OpenFile:
    """The structure of the model saved at ``path`` and what is said of its layers.

    Raises:
        ModelError: as :func:`read_saved`.
    """
    return _checked(read_configuration(path))


def graph_of(saved: Saved) -> ModelGraph:
    """The structure that a configuration describes."""
    return _checked(saved).graph


def is_saved_model(path: Path) -> bool:
    """Whether ``path`` is a directory that TensorFlow wrote a model to."""
    try:
        return (path / SAVED_MODEL).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _read_saved_model(path: Path) -> ModelGraph:
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


def _checked(saved: Saved) -> OpenFile:
    path = saved.path
    try:
        return _opened(saved)
    except NotInFile as error:
        raise NotInFile(f"{path}: {error}") from None
    except Malformed as malformed:
        raise ModelError(f"{path}: not a valid configuration: {malformed}") from None
    except RecursionError:
        raise ModelError(f"{path}: its configuration is nested too deeply") from None
    except _NOT_A_MODEL as error:
        reason = first_line(error)[:200]
        raise ModelError(f"{path}: not a valid configuration ({reason})") from error


def _opened(saved: Saved) -> OpenFile:
    parser = Parser(saved.config, saved.version)
    model = parser.model()
    assert model.network is not None
    # Before the layers are described, which counts their parameters.
    count_own_weights(saved.path, model)
    builder = GraphBuilder(_FileSource(parser.generation))
    inputs, outputs = builder.add_graph(model.network)
    graph = ModelGraph(
        name=model.name,
        keras=_label(saved.version, parser.generation),
        layers=tuple(SavedDescriber().described(model, builder.layers, builder.paths)),
        nodes=tuple(builder.nodes),
        inputs=inputs,
        outputs=outputs,
        top=tuple(
            layer.type
            for layer in model.network.layers
            if layer.counted and not (model.sequential and layer.type == "InputLayer")
        ),
        sequential=model.sequential,
    )
    return OpenFile(graph, tuple(builder.layers), model)


def _label(version: str, generation: int) -> str:
    """As ``keras_label`` says it of a live model; tf_keras counts on from Keras 2.15."""
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    library = "tf_keras" if (2, 16) <= tuple(numbers) < (3,) else "Keras"
    return f"{library} {version or generation}"


@dataclass
class _FileSource:
    """How a parsed configuration answers what the builder asks."""

    generation: int
    asked: int = 0

    def calls(self, graph: Network) -> list[Call]:
        return graph.calls

    def ends(self, graph: Network) -> tuple[Any, Any, list[Any]]:
        return graph.inputs, graph.outputs, graph.entries

    def inside(
        self, call: Call, path: str, training: bool | None, reads_mask: Callable[[], bool]
    ) -> Inner | None:
        # A small file can nest models that each call the next one twice.
        self.asked += 1
        if self.asked > MOST_CALLS:
            raise Malformed(f"it makes more than {MOST_CALLS:,} calls")
        if call.layer.network is None:
            return None
        return Inner(call.layer.network, call.first)

    def operation(self, layer: SavedLayer) -> str | None:
        return layer.operation

    def shape(self, tensor: SavedTensor) -> Shape:
        return tensor.shape

    def dtype(self, layer: SavedLayer, tensor: SavedTensor) -> str:
        return tensor.dtype

    def is_masked(self, leaf: Any) -> bool:
        return isinstance(leaf, SavedTensor) and leaf.masked

    def hands_mask_on(self, layer: SavedLayer) -> bool:
        return is_masked(layer, [SavedTensor(layer, None, masked=True)])

    def entry_name(self, tensor: SavedTensor) -> str:
        return tensor.layer.name

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        # A Keras 3 model hands its flag to every call inside, over theirs; in Keras 2 a call obeys
        # its own first.
        first, second = (outer, own) if self.generation == 3 else (own, outer)
        return second if first is None else first
