"""What rows of layer types are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from pytest_layercount.model.graph import Shape, leaves

T = TypeVar("T")


class Tensor:
    """A tensor of which only shape and data type are known. Each is itself only."""

    def __init__(self, shape: Shape, dtype: str = "") -> None:
        self.shape = shape
        self.dtype = dtype


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors in a nested structure, dictionaries by key."""
    return all_in(tree, Tensor)


def all_in(tree: Any, kind: type[T]) -> list[T]:
    """Whatever is of a ``kind`` in a nested structure, dictionaries by key."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, kind)]


class Described(Protocol):
    """A layer as a file describes it."""

    type: str
    config: Mapping[str, Any]
    generation: int
    version: tuple[int, ...]

    @property
    def inner(self) -> Described | None: ...
