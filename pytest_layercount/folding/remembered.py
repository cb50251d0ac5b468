"""One graph and one plan for each live model, for as long as it lives and stays as it is."""

from __future__ import annotations

import weakref
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_layercount.folding.opened import open_to_fold
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.resolve import resolved_plan
from pytest_layercount.hookspecs import callers
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.keras.common import variables_of
from pytest_layercount.model.keras.variables import Snapshot
from pytest_layercount.model.readers.fingerprint import Fingerprint
from pytest_layercount.model.readers.live import OpenModel, open_model


@dataclass
class _Memory:
    """What was found out about a model. It refers to layers weakly, and so to the model."""

    graph: ModelGraph
    layers: tuple[weakref.ref[Any], ...]
    fingerprint: Fingerprint
    hooks: tuple[Any, ...]
    plan: Plan | None = None
    weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, model: Any) -> _Memory:
        opened = open_model(model)
        layers = tuple(map(weakref.ref, opened.layers))
        return cls(opened.graph, layers, Fingerprint(model), tuple(callers))

    def stands(self, model: Any) -> bool:
        """Whether the model still is what was read."""
        return self.hooks == tuple(callers) and self.fingerprint.fits(model)

    def read(self, model: Any) -> OpenModel:
        """The model with its layers. Operations may be gone: they have no weights to read."""
        return OpenModel(self.graph, tuple(layer() for layer in self.layers), model)


_memories: dict[int, tuple[weakref.ref[Any], _Memory]] = {}


def graph_of(model: Any) -> ModelGraph:
    """The structure of a live model, read again only if it changed.

    Raises:
        ModelError: as ``open_model``.
    """
    return _memory(model).graph


def plan_of(model: Any) -> Plan:
    """The plan for folding a live model, made again only if its structure or weights changed.

    Raises:
        ModelError: as ``open_model``.
    """
    memory, look = _memory(model), Snapshot()
    weights = tuple(_checksum(look(weight)) for weight in variables_of(model))
    if memory.plan is None or memory.weights != weights:
        opened = open_to_fold(memory.read(model))
        memory.plan, memory.weights = resolved_plan(opened, look), weights
    return memory.plan


def _memory(model: Any) -> _Memory:
    key = id(model)
    _, memory = _memories.get(key, (None, None))
    if memory is None or not memory.stands(model):
        memory = _Memory.of(model)
        _memories[key] = weakref.ref(model, lambda _: _memories.pop(key, None)), memory
    return memory


def _checksum(array: NDArray[Any]) -> float:
    """Every bit counts; but of a kernel rules of our own ask only whether it is finite."""
    if array.ndim > 1 and array.dtype == np.float32 and not callers:
        return float(np.dot(array.ravel(), array.ravel()))
    return zlib.crc32(array.tobytes())
