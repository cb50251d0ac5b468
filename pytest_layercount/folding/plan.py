"""What folding would do to a model, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_layercount.folding.passes.kernels import Merge
from pytest_layercount.folding.rule import Rule, Weights
from pytest_layercount.folding.search import Absorption
from pytest_layercount.model.graph import ModelGraph, Value

ReadWeights = Callable[[int, tuple[str, ...]], Weights | None]
"""Called with a layer's number and names of weights: the weights, None if they are not known."""
PASSES = ("affine", "identity")
ALL_PASSES = (*PASSES, "activation", "padding", "collapse")


@dataclass(frozen=True)
class Fold:
    """An affine layer that disappears.

    ``layer`` is its path and ``type`` its class name; ``into`` are the paths of
    the layers that absorb it (several below a Concatenate). ``rule`` says how:
    ``"after"`` when they stand before it, ``"before"`` when it stands before
    them. ``condition`` is empty, or says what its values must satisfy.
    """

    layer: str
    type: str
    into: tuple[str, ...]
    rule: str
    condition: str = ""


@dataclass(frozen=True)
class Refusal:
    """An affine layer left in place, and why.

    ``reason`` is a stable code (see :mod:`pytest_layercount.folding.reasons`),
    ``blocker`` the path of the layer that stopped it and ``message`` the
    sentence that says how.
    """

    layer: str
    type: str
    reason: str
    blocker: str
    message: str


@dataclass(frozen=True)
class Plan:
    """What folding would do to a model: ``graph`` is the structure that is left of ``before``.

    The rest is for whoever carries it out. ``absorptions`` stand before the first merge;
    ``merges`` are that merge and all that follows it, in order. ``sources`` are the original
    numbers of the layers of ``graph``, ``values`` the place in it of each value that stays
    what it was, and ``rules`` those for the layers of ``before``.
    """

    folds: tuple[Fold, ...]
    refusals: tuple[Refusal, ...]
    removed: tuple[str, ...]
    graph: ModelGraph
    absorptions: tuple[Absorption, ...]
    merges: tuple[Merge | Absorption, ...]
    sources: tuple[int, ...]
    values: Mapping[Value, Value]
    before: ModelGraph
    rules: Sequence[Rule | None] = field(default=(), repr=False, compare=False)

    @property
    def conditional(self) -> bool:
        """Whether any fold depends on weights that were not read."""
        return any(fold.condition for fold in self.folds)

    def rule(self, layer: int) -> Rule:
        """The rule for a layer that absorbs or is merged, by its number."""
        rule = self.rules[layer]
        assert rule is not None
        return rule

    def by_layer(self) -> dict[int, list[Absorption]]:
        """What each layer that absorbs takes up, in order."""
        taken: dict[int, list[Absorption]] = {}
        for absorption in self.absorptions:
            taken.setdefault(absorption.layer, []).append(absorption)
        return taken
