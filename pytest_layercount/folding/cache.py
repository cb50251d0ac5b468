"""One graph and one plan for each live model, for as long as it lives and stays as it is."""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from pytest_layercount.folding.fold import Judged, resolved_plan
from pytest_layercount.folding.opened import explained, open_to_fold
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.hookspecs import callers
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.keras.common import parts, spellings, variables_of
from pytest_layercount.model.keras.origin import is_model, is_own
from pytest_layercount.model.keras.variables import Snapshot
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.plain_settings import read_attributes
from pytest_layercount.model.readers.live import OpenModel, open_model


@dataclass
class _Memory:
    """What was found out about a model.

    It refers to the layers weakly: a layer leads to its model, which must be able to go.
    ``weights`` are the checksums of those that ``plan`` was made by, taken in these ``ways``.
    """

    graph: ModelGraph
    layers: tuple[weakref.ref[Any], ...]
    fingerprint: Fingerprint
    # The hooks that were asked for rules: with others the plan may be another.
    hooks: tuple[Any, ...]
    structural: Plan | None = None
    plan: Plan | None = None
    weights: tuple[float, ...] = ()
    ways: tuple[Way, ...] = ()

    @classmethod
    def of(cls, model: Any) -> _Memory:
        opened = open_model(model)
        layers = tuple(map(weakref.ref, opened.layers))
        return cls(opened.graph, layers, Fingerprint(model), tuple(callers))

    def stands(self, model: Any) -> bool:
        """Whether the model is still what was read."""
        return self.hooks == tuple(callers) and self.fingerprint.fits(model)

    def read(self, model: Any) -> OpenModel:
        """The model with its layers. Operations may be gone: they have no weights to read."""
        return OpenModel(self.graph, tuple(layer() for layer in self.layers), model)

    def plan_with(self, model: Any, weights: Sequence[Any], look: Snapshot) -> Plan:
        """Plan anew, by what ``look`` sees of the ``weights`` of the model."""
        opened = open_to_fold(self.read(model))
        judged = resolved_plan(opened, look)
        # Users' rules, which are asked of layers of their own, may look at any weight.
        own = any(layer.own for layer in self.graph.layers)
        ways = {} if own else _ways(opened, judged)
        self.ways = tuple(ways.get(id(weight), _bits) for weight in weights)
        self.plan, self.weights = judged.plan, self.checksums(weights, look)
        return judged.plan

    def checksums(self, weights: Sequence[Any], look: Snapshot) -> tuple[float, ...]:
        """Numbers that change with what the plan depends on."""
        # A layer may have gained weights since.
        known = zip(self.ways, weights, strict=False)
        return (len(weights), *(way(weight, look) for way, weight in known))


Way = Callable[[Any, Snapshot], float]
"""A number that changes with what matters of a weight."""


def _ways(opened: OpenModel, judged: Judged) -> dict[int, Way]:
    """How to tell by less than every bit that kernels are what they were, by their ids.

    Our rules ask linear layers for their kernels only when they absorb something.
    """
    linear = [n for n, rule in enumerate(judged.plan.rules) if isinstance(rule, Weighted)]
    ways: dict[int, Way] = {}
    # The strictest last: two layers may share a kernel.
    for way, layers in ((_nothing, linear), (_length, judged.bounded), (_bits, judged.computed)):
        held = [weight for number in layers for weight in variables_of(opened.layers[number])]
        ways.update((id(weight), way) for weight in held if len(weight.shape) > 1)
    return ways


def _bits(weight: Any, look: Snapshot) -> float:
    return zlib.crc32(look(weight).tobytes())


def _length(weight: Any, look: Snapshot) -> float:
    """All that the bound takes from a kernel."""
    return look.length(weight)


def _nothing(*_: Any) -> float:
    return 0.0


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
    # One snapshot for the checksums and the plan: both see the same numbers, read once.
    memory, look = _memory(model), Snapshot()
    weights = variables_of(model)
    if memory.plan is None or memory.weights != memory.checksums(weights, look):
        return memory.plan_with(model, weights, look)
    return memory.plan


def structural_plan_of(model: Any) -> Plan:
    """The plan from structure alone; that from its weights as well where they decide.

    Raises:
        ModelError: as ``open_model``.
    """
    memory = _memory(model)
    if memory.structural is None:
        opened = open_to_fold(memory.read(model))
        memory.structural = explained(plan_graph(opened.graph, book=opened.book), opened)
    return plan_of(model) if memory.structural.conditional else memory.structural


def _memory(model: Any) -> _Memory:
    key = id(model)
    _, memory = _memories.get(key, (None, None))
    if memory is None or not memory.stands(model):
        memory = _Memory.of(model)
        # An ``id`` may be given to another object once the model is gone; by then its entry is too.
        _memories[key] = weakref.ref(model, lambda _: _memories.pop(key, None)), memory
    return memory


ATOMS = (bool, int, float, str, bytes, tuple, type(None))
_READ_OF_ALL = frozenset(
    ("built", "dtype_policy", "lora_enabled", "name", "quantization_mode", "trainable")
)


class Fingerprint:
    """What a reader looks at in a model and in every layer of it, each as the object it is.

    A layer that was added, exchanged or configured otherwise changes it; weights
    that were trained do not. Numbers and the like are kept, lest a new one be
    taken for the old one whose place in memory it got; nothing that might hold
    the model itself is.
    """

    def __init__(self, model: Any) -> None:
        parts = _parts(model)
        self._looks = [_look(part) for part in parts]
        self._print = self._now(parts)
        # Of what lives on in the model the ``id`` is enough. Atoms may be replaced by others at the
        # same address, unless they are kept alive.
        self._kept = [
            value
            for look, part in zip(self._looks, parts, strict=True)
            for value in look(vars(part))
            if type(value) in ATOMS
        ]

    def fits(self, model: Any) -> bool:
        """Whether the model is as it was."""
        parts = _parts(model)
        try:
            return len(parts) == len(self._looks) and self._now(parts) == self._print
        except KeyError:  # an attribute is gone
            return False

    def _now(self, parts: list[Any]) -> int:
        kept = [vars(part) for part in parts]
        seen = chain.from_iterable([look(own) for look, own in zip(self._looks, kept, strict=True)])
        # The number of attributes tells of one that was added, at which no look was taken.
        return hash((*map(id, parts), *map(len, kept), *map(id, seen)))


def _look(part: Any) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """A function that takes what matters out of the attributes of ``part``.

    That is all of them in a model and in a layer of the user's own.
    """
    own: dict[str, Any] = vars(part)
    cls: Any = type(part)
    kinds: Iterator[Any] = map(type, own.values())
    read = _read_of(cls)
    # Of a layer of Keras's the attributes that somebody reads, and variables and arrays of any
    # name: another object there holds other numbers.
    names = [name for name, kind in zip(own, kinds, strict=True) if name in read or _is_array(kind)]
    # With a single name, ``itemgetter`` returns the value itself, not a tuple.
    return itemgetter(*(names if read and len(names) > 1 else own))


@lru_cache
def _read_of(cls: Any) -> frozenset[str]:
    """The names of attributes that are read of a built-in layer, private spellings too.

    Empty for a class of which all attributes count.
    """
    others = read_attributes(cls)
    if others is None or not is_own(cls) or is_model(cls):
        return frozenset()
    read = {*_READ_OF_ALL, *row_of(cls.__name__).attributes, *others}
    return frozenset(spelling for name in read for spelling in spellings(name))


@lru_cache
def _is_array(cls: Any) -> bool:
    return hasattr(cls, "shape") and hasattr(cls, "dtype")


def _parts(model: Any) -> list[Any]:
    return list(parts(model))
