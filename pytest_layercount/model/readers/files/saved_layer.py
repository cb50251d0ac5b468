"""A saved model as data: layers, tensors and networks, as a file describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_layercount.model.graph import ModelGraph, Shape
from pytest_layercount.model.keras.adapter import Call
from pytest_layercount.model.layers.arguments import attended
from pytest_layercount.model.layers.attention import PROJECTING
from pytest_layercount.model.layers.base import Tensor, all_in


class SavedTensor(Tensor):
    """A tensor of a saved model: the layer that returns it, and whether it carries a mask."""

    def __init__(
        self, layer: SavedLayer, shape: Shape, dtype: str = "", *, masked: bool = False
    ) -> None:
        super().__init__(shape, dtype)
        self.layer = layer
        self.masked = masked


@dataclass(eq=False)
class SavedLayer:
    """A layer, model or operation. ``config`` is what the file says of it, as it stands there.

    ``built`` are the shapes that its first call takes, empty before that. A model has a
    ``network``, a wrapper an ``inner`` layer; ``pending`` makes the network of a Sequential that
    was saved without an input shape, once it is called. ``parts`` are the layers that the
    configuration nests. ``bases`` are those of the class if it is loaded, else None. ``noted`` is
    the input shape that the file says it was built with. ``stored`` counts the weights in the
    file, where the configuration does not tell how many there are; None if unknown.
    """

    name: str
    type: str
    config: Mapping[str, Any]
    builtin: bool = True
    counted: bool = True
    operation: str | None = None
    sequential: bool = False
    network: Network | None = None
    inner: SavedLayer | None = None
    parts: tuple[SavedLayer, ...] = ()
    bases: tuple[str, ...] | None = None
    pending: Callable[[Shape, str], Network] | None = None
    built: tuple[Shape, ...] = ()
    noted: Any = None
    stored: int | None = None
    generation: int = 3
    version: tuple[int, ...] = ()

    @property
    def model(self) -> bool:
        """Whether it is a model, which is opened wherever it stands."""
        return self.network is not None or self.sequential


@dataclass(eq=False)
class Network:
    """A functional graph. ``inputs`` and ``outputs`` keep their structure.

    ``seen`` remembers what it returns for inputs of other shapes than its own.
    """

    layers: list[SavedLayer]
    calls: list[Call]
    inputs: Any
    outputs: Any
    entries: list[SavedTensor] = field(default_factory=list)
    seen: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenFile:
    """A graph and what the file says of each of ``graph.layers``."""

    graph: ModelGraph
    layers: tuple[SavedLayer, ...]
    model: SavedLayer


def tensors_in(tree: Any) -> list[SavedTensor]:
    """The tensors in a nested structure, dictionaries by key."""
    return all_in(tree, SavedTensor)


def tensors_of_call(
    layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> list[SavedTensor]:
    """The tensors that a call takes, in the order of its arguments.

    Of attention only query, value and key: a mask is no input that weights depend on.
    """
    if layer.builtin and layer.type in PROJECTING:
        return tensors_in(attended(args, kwargs))
    return tensors_in((args, tuple(kwargs.values())))
