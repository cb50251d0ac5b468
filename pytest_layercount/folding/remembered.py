"""One graph and one plan for each live model, for as long as it lives and stays as it is."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_layercount.folding.plan import Plan, plan_graph, weights_of
from pytest_layercount.folding.rules.base import Weights
from pytest_layercount.folding.rules.custom import with_custom_rules
from pytest_layercount.hookspecs import callers
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.readers.fingerprint import Fingerprint
from pytest_layercount.model.readers.live import OpenModel, open_model
from pytest_layercount.model.readers.weights import read_weights


@dataclass
class _Memory:
    """What was found out about a model. It refers to layers weakly, and so to the model."""

    graph: ModelGraph
    layers: tuple[weakref.ref[Any], ...]
    fingerprint: Fingerprint
    hooks: tuple[Any, ...]
    plan: Plan | None = None
    read: dict[tuple[int, tuple[str, ...]], Weights | None] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> _Memory:
        opened = open_model(model)
        layers = tuple(map(weakref.ref, opened.layers))
        return cls(opened.graph, layers, Fingerprint(model), tuple(callers))

    def opened(self, model: Any) -> OpenModel:
        """The model with its layers. Operations may be gone: they have no weights to read."""
        return OpenModel(self.graph, tuple(layer() for layer in self.layers), model)

    def weights_stand(self) -> bool:
        """Whether the weights that the plan was made by are what they were."""
        return all(
            _same(read_weights(self.layers[layer](), names), weights)
            for (layer, names), weights in self.read.items()
        )


_memories: dict[int, tuple[weakref.ref[Any], _Memory]] = {}


def graph_of(model: Any) -> ModelGraph:
    """The structure of a live model, read again only if it changed.

    Raises:
        ModelError: as ``open_model``.
    """
    return _memory(model).graph


def plan_of(model: Any) -> Plan:
    """The plan for folding a live model, made again only if its structure or weights changed.

    Only the weights that a plan depends on count, those of batch normalizations
    and the like.

    Raises:
        ModelError: as ``open_model``.
    """
    memory = _memory(model)
    if memory.plan is None or not memory.weights_stand():
        memory.read.clear()
        opened = with_custom_rules(memory.opened(model))
        read = weights_of(opened)

        def noted(layer: int, names: tuple[str, ...]) -> Weights | None:
            memory.read[layer, names] = found = read(layer, names)
            return found

        memory.plan = plan_graph(opened.graph, noted)
    return memory.plan


def _memory(model: Any) -> _Memory:
    key = id(model)
    _, memory = _memories.get(key, (None, None))
    stands = memory is not None and memory.fingerprint.fits(model)
    if memory is None or not stands or memory.hooks != tuple(callers):
        memory = _Memory.of(model)
        _memories[key] = weakref.ref(model, lambda _: _memories.pop(key, None)), memory
    return memory


def _same(one: Weights, two: Weights | None) -> bool:
    return (
        two is not None
        and one.keys() == two.keys()
        and all(np.array_equal(one[name], two[name], equal_nan=True) for name in one)
    )
