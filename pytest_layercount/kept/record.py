"""What is recorded of a model, and of all models of a test suite. Plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_layercount.model.count import Count, count_graph
from pytest_layercount.model.graph import ModelGraph

NOT_FINITE = "the outputs are not finite, so nothing can be compared"


@dataclass(frozen=True)
class Numbers:
    """One output of a model for the seeded inputs.

    ``values`` are all of its values, or a seeded sample if there are more than a few.
    ``noise`` is how far the output moved, at most, when the weights were moved at random
    by a rounding error of the type they are stored in.
    """

    shape: tuple[int, ...]
    dtype: str
    values: tuple[Any, ...]
    smallest: float = 0.0
    largest: float = 0.0
    mean: float = 0.0
    noise: float = 0.0

    @property
    def magnitude(self) -> float:
        """The largest absolute value."""
        return max(abs(self.smallest), abs(self.largest))


@dataclass(frozen=True)
class ModelRecord:
    """A model, or the ``problem`` that there was instead of one.

    ``weights`` are the shapes of the weights in the order of ``get_weights()``, each with
    the number of its layer in ``graph``. ``numbers`` are the outputs, ``computed`` the
    data type they were computed in; where the model cannot be run ``unrun`` says why.
    ``where`` is the test file whose fixture returned the model.
    """

    graph: ModelGraph | None = None
    weights: tuple[tuple[int, tuple[int, ...]], ...] = ()
    numbers: tuple[Numbers, ...] = ()
    computed: str = ""
    unrun: str = ""
    problem: str = ""
    where: str = ""

    def count(self, count: Count) -> int:
        """How many layers or nodes the model has."""
        return 0 if self.graph is None else count_graph(self.graph, count).total

    @cached_property
    def parameters(self) -> int:
        """How many parameters the model has."""
        return 0 if self.graph is None else sum(one.parameters for one in self.graph.layers)


@dataclass(frozen=True)
class Record:
    """The models of a test suite, by fixture name and parameter id.

    ``own_weights`` says that the models were run with the weights they had, not with
    seeded ones; ``tensorflow`` is its version, empty if no model was read.
    """

    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    tensorflow: str = ""
    own_weights: bool = False
    seed: int = 0

    def find(self, name: str, where: str) -> ModelRecord | None:
        """The model ``name`` of the fixtures of ``where``."""
        return self.models.get(self.find_name(name, where))

    def find_name(self, name: str, where: str) -> str:
        """What that model is called here, empty if it is not."""
        return next((one for one in (qualified(name, where), name) if one in self.models), "")

    @property
    def keras(self) -> tuple[str, ...]:
        """Every Keras that the models are of."""
        graphs = [one.graph for one in self.models.values() if one.graph is not None]
        return tuple(sorted({graph.keras for graph in graphs}))

    @property
    def label(self) -> str:
        """``TensorFlow 2.15.1, Keras 2.15.0``."""
        known = [f"TensorFlow {self.tensorflow}"] if self.tensorflow else []
        return ", ".join([*known, *self.keras]) or "no model"


def by_name(found: Sequence[tuple[str, ModelRecord]]) -> dict[str, ModelRecord]:
    """Models by their names, with their files where several fixtures have one name."""
    times = Counter(name for name, _ in found)
    return {qualified(name, one.where) if times[name] > 1 else name: one for name, one in found}


def qualified(name: str, where: str) -> str:
    """A model whose name alone could mean another."""
    return f"{name} of {where}"
