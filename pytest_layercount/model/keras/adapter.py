"""The two Keras generations, and how each says the same things about a graph.

Keras 3 is ``keras`` from 3.0; Keras 2 is ``keras`` up to 2.15 and ``tf_keras``.
Both are recognised by the classes of the object at hand, never by importing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple, Protocol

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import Layer, Node, Shape
from pytest_layercount.model.keras.origin import is_own, library_of


class Unseen(ModelError):
    """A ``call`` that cannot be followed; its text says what stopped it."""


class Call(NamedTuple):
    """One call as Keras recorded it, with Keras's own symbolic tensors in its arguments.

    ``training`` is taken out of ``kwargs``; None where the call was given no flag.
    """

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[Any]
    training: bool | None

    @property
    def first(self) -> Any:
        """The first argument, in which models take all tensors."""
        return self.args[0] if self.args else next(iter(self.kwargs.values()))


class Adapter(Protocol):
    """All that is asked of one Keras generation: reading its models, following calls, making."""

    def functional(self, model: Any) -> Any | None:
        """The functional graph that ``model`` runs, or None where it has a ``call`` of its own."""

    def is_tensor(self, leaf: Any) -> bool:
        """Whether ``leaf`` is a symbolic tensor of this Keras."""

    def is_masked(self, leaf: Any) -> bool:
        """Whether ``leaf`` is a tensor that carries a mask."""

    def source(self, tensor: Any) -> Any:
        """The layer or operation that returned a symbolic tensor."""

    def calls(self, functional: Any) -> Iterator[Call]:
        """The calls that belong to this graph, in topological order."""

    def ends(self, functional: Any) -> tuple[Any, Any, list[Any]]:
        """Input structure, output structure and flat list of inputs."""

    def shape(self, tensor: Any) -> tuple[int | None, ...] | None:
        """The shape of a symbolic tensor."""

    def operation(self, layer: Any) -> str | None:
        """The canonical name of a low-level operation, None for an ordinary layer."""

    def counted(self, layer: Any) -> bool:
        """Whether ``model.layers`` lists this object."""

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        """The flag in force for a call with ``own`` inside a model called with ``outer``."""

    def built_with(self, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """New symbolic arguments like those a subclassed model was first called with."""

    def placeholder(self, tensor: Any, shape: Shape) -> Any:
        """A new symbolic input like a symbolic tensor, of this shape."""

    def following(self) -> AbstractContextManager[None]:
        """Whatever this Keras needs while a call is followed on symbolic inputs."""

    def join(self, inputs: Any, outputs: Any) -> Any:
        """The functional graph between symbolic tensors."""

    def input(self, live: Any, name: str) -> Any:
        """A new input tensor like that of an InputLayer."""

    def copy(
        self, live: Any, layer: Layer, name: str, changes: Mapping[str, Any], dtype: str | None
    ) -> Any:
        """A new layer with the configuration of ``live`` and ``changes`` applied."""

    def call(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        """The output tensors of calling ``layer``, in order."""

    def connect(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        """As ``call`` on symbolic tensors, faster: ``node`` knows the output's shape and type."""

    def model(self, inputs: Any, outputs: Any, old: Any) -> Any:
        """A functional model between these tensors."""

    def sequential(self, inputs: Any, layers: list[Any], old: Any) -> Any:
        """A Sequential model of these layers."""


def generation(candidate: object) -> int | None:
    """The generation of a Keras model, 2 or 3 if it is known, None for anything else."""
    library = library_of(candidate)
    if library is None:
        return None
    # A Keras that does not say its version is taken for the older generation.
    major = version_of(library).partition(".")[0]
    return int(major) if major.isdecimal() else 2


def keras_label(candidate: object) -> str:
    """What a report calls this model's Keras: ``"Keras 3.15.1"``, ``"tf_keras 2.21.0"``."""
    library = library_of(candidate) or "keras"
    return f"{'Keras' if library == 'keras' else library} {version_of(library)}"


def version_of(library: str) -> str:
    """The version of a Keras that is imported, as it says itself."""
    return str(getattr(sys.modules.get(library), "__version__", "?"))


def replaces_call(layer: Any) -> bool:
    """Whether ``call`` was replaced on the instance, hiding that of its class."""
    call = vars(layer).get("call")
    # Keras 3 puts a layer's own method back as an attribute after it has quantized the layer.
    if getattr(call, "__self__", None) is layer:
        return call.__func__ is not getattr(type(layer), "call", None)
    return call is not None


def keras_call(layer: Any) -> Any:
    """The ``__call__`` that Keras gave a layer, whatever its class has put around it.

    What that adds to a graph stands in the graph, and happens again when the graph is run.
    """
    # The nearest class of Keras's own, past all overrides of the user's.
    base = next((cls for cls in type(layer).__mro__ if is_own(cls)), type(layer))
    return partial(base.__call__, layer)


def wraps_call(layer: Any) -> bool:
    """Whether the class has a ``__call__`` of its own, so that ``call`` is not all it computes."""
    cls: Any = type(layer)
    return cls.__call__ is not keras_call(layer).func


def snake(name: str) -> str:
    """``GetItem`` as ``get_item``, and ``RMSNorm`` as ``rmsnorm``.

    Baselines and records hold operations under these names, so they stay as they are.
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def snake_in_files(name: str) -> str:
    """``Conv2DTranspose`` as ``conv2d_transpose``: how Keras writes a class in its files."""
    # The substitutions of Keras's own to_snake_case: files name layers by them.
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def canonical_operation(name: str) -> str:
    """One name for an operation, whatever TensorFlow or Keras calls it."""
    return _OPERATIONS.get(name.lower(), name.lower())


_OPERATIONS: Mapping[str, str] = {
    "addv2": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "true_divide": "divide",
    "realdiv": "divide",
    "getitem": "get_item",
    "re_lu": "relu",
}
