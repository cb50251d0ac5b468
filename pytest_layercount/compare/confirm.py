"""Whether the weights of two models agree with the folds that their structures show.

Both models are folded as far as they go. Where the same weights are behind them, a
layer that took up a normalization then has the weights of its counterpart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from pytest_layercount.compare.causes import Cause, Concerned, cause
from pytest_layercount.compare.partition import WEIGHED
from pytest_layercount.compare.source import Source
from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.passes.kernels import Merge
from pytest_layercount.folding.passes.unshare import with_copies
from pytest_layercount.folding.plan import PASSES, Plan
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.folding.weights import absorbed_weights, merge_weights

_Pair = tuple[int, int]
"""A layer of either model."""
_Sides: TypeAlias = "tuple[_Side, _Side]"
_Verdicts = list[dict[_Pair, bool | None]]
_COPY = "\0"
"""Stands behind the path of a shared layer, before the number of the call."""

AGREE = 1e-4
"""Of the largest weight. Folding in float32 costs 1e-6, a training step far more than this."""


def confirmed(
    causes: Iterable[Cause], one: Source, two: Source, pairs: Iterable[tuple[int, int]]
) -> tuple[Cause, ...]:
    """The ``causes``, of which folds are confirmed or not by the weights. ``pairs`` are of nodes.

    Layers whose weights are not the folded ones are a cause of their own: who expects the
    fold does not expect these.
    """
    every = tuple(causes)
    if one.read is None or two.read is None or not any(item.code in WEIGHED for item in every):
        return every
    nodes = tuple(pairs)
    merged = any(item.code == "collapsed" for item in every)
    ways = [(_Side(one, merged), _Side(two, merged))]
    if any(len(calls) > 1 for side in ways[0] for calls in side.graph.calls.values()):
        # Only with layers of their own could the calls of a shared layer fold otherwise.
        ways.append((_Side(_unshared(one), merged), _Side(_unshared(two), merged)))
    tried = [(way, _verdicts(every, way, nodes)) for way in ways]
    # Shared or with copies of their own: what the weights agree with best is what was done.
    sides, verdicts = min(tried, key=_disagreement)
    judged = tuple(
        replace(item, confirmed=_verdict(by_layer)) if item.code in WEIGHED else item
        for item, by_layer in zip(every, verdicts, strict=True)
    )
    wrong = sorted(
        {pair for by_layer in verdicts for pair, agree in by_layer.items() if agree is False}
    )
    return (*judged, *[_other_weights(sides, wrong)] * bool(wrong))


def _verdicts(causes: Iterable[Cause], sides: _Sides, nodes: Iterable[_Pair]) -> _Verdicts:
    """What the weights say of each cause: nothing where it is no fold."""
    # For each layer of one model, those of the other that its calls are paired with.
    forth: dict[int, set[int]] = {}
    back: dict[int, set[int]] = {}
    for here, there in nodes:
        mine, other = sides[0].graph.nodes[here].layer, sides[1].graph.nodes[there].layer
        forth.setdefault(mine, set()).add(other)
        back.setdefault(other, set()).add(mine)
    return [_judged(item, sides, forth, back) if item.code in WEIGHED else {} for item in causes]


def _disagreement(way: tuple[_Sides, _Verdicts]) -> tuple[bool, int, int]:
    """Whether not all weights agree, how often nothing can be told, and how often they do not."""
    agreements = [agree for by_layer in way[1] for agree in by_layer.values()]
    return agreements.count(True) < len(agreements), agreements.count(None), agreements.count(False)


def _unshared(source: Source) -> Source:
    """``source`` with a layer for each call, all but the first with another path."""
    assert source.read is not None
    read = source.read
    graph, origins = with_copies(source.graph, source.graph.calls, _COPY)
    return replace(
        source,
        graph=graph,
        read=lambda number, names: read(origins[number], names),
        book=source.book.renumbered(origins),
    )


def _verdict(by_layer: Mapping[_Pair, bool | None]) -> bool | None:
    """Whether all agree; None if one does not say."""
    return None if None in by_layer.values() else all(by_layer.values())


def _other_weights(sides: _Sides, wrong: Iterable[_Pair]) -> Cause:
    before, after = (
        list(dict.fromkeys(side.concerned(pair[place]) for pair in wrong))
        for place, side in enumerate(sides)
    )
    return cause("other-weights", before, after)


class _Side:
    """A model folded as far as it goes, its linear layers ``merged`` or not."""

    def __init__(self, source: Source, merged: bool) -> None:
        assert source.read is not None
        self.graph, self.read, self.book = source.graph, source.read, source.book
        self.merged = merged

    @cached_property
    def plan(self) -> Plan:
        passes = (*PASSES, "padding", "collapse") if self.merged else PASSES
        return plan_graph(self.graph, self.read, passes=passes, book=self.book)

    @cached_property
    def absorbed(self) -> dict[int, dict[str, Array]]:
        # Merges begin with what layers have absorbed before.
        absorbed = absorbed_weights(self.plan, self.read)
        return absorbed | merge_weights(self.plan, absorbed, self.read)

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {layer.path: number for number, layer in enumerate(self.graph.layers)}

    @cached_property
    def into(self) -> dict[str, tuple[str, ...]]:
        """Where each layer that is gone went."""
        into = {fold.layer: fold.into for fold in self.plan.folds}
        for merge in self.plan.merges:
            if isinstance(merge, Merge):
                target = (self.graph.layers[merge.target].path,)
                into |= {self.graph.layers[number].path: target for number in merge.gone}
        return into

    @cached_property
    def calls(self) -> dict[str, list[str]]:
        """The paths of the layers that stand for the calls of each."""
        calls: dict[str, list[str]] = {}
        for layer in self.graph.layers:
            calls.setdefault(layer.path.partition(_COPY)[0], []).append(layer.path)
        return calls

    def keepers(self, path: str) -> Iterator[int]:
        """The layers into which the layer at ``path`` goes in the end, call by call."""
        for call in self.calls.get(path, ()):
            yield from self._keepers(call)

    def _keepers(self, path: str) -> Iterator[int]:
        for name in self.into.get(path, ()):
            if name in self.into:
                yield from self._keepers(name)
            else:
                yield self.numbers[name]

    def concerned(self, number: int) -> Concerned:
        layer = self.graph.layers[number]
        return Concerned(layer.path.partition(_COPY)[0], layer.type, 0)

    def weights(self, number: int) -> Mapping[str, Array] | None:
        """The weights of a layer after folding; None if they are not known."""
        # One that absorbs what cannot be computed is not as it was read, either.
        if number in self.absorbed or any(one.layer == number for one in self.plan.absorptions):
            return self.absorbed.get(number)
        rule = self.plan.rules[number]
        return None if rule is None else self.read(number, rule.weights)


def _judged(
    fold: Cause, sides: _Sides, forth: Mapping[int, set[int]], back: Mapping[int, set[int]]
) -> dict[_Pair, bool | None]:
    """Whether the weights agree with the folds of a cause, by layers; None if one cannot tell."""
    by_layer: dict[_Pair, bool | None] = {}
    for side, paths, partner in ((0, fold.before, forth), (1, fold.after, back)):
        mine, other = sides[side], sides[1 - side]
        for path in paths:
            keepers = list(mine.keepers(path))
            if not keepers:
                # No layer of either has this number: there is nothing to hold together.
                by_layer[-1, -1] = None
            for keeper in keepers:
                for there in partner.get(keeper, {-1}):
                    known = None if there < 0 else other.weights(there)
                    pair = (there, keeper) if side else (keeper, there)
                    by_layer[pair] = _agree(mine.weights(keeper), known)
    return by_layer


def _agree(one: Mapping[str, Array] | None, two: Mapping[str, Array] | None) -> bool | None:
    if not one or not two:
        return None
    for name in sorted({*one, *two}):
        both = name in one and name in two
        # A bias that a layer lacks is one of zeros. Any other weight must be in both.
        if (both and one[name].shape != two[name].shape) or not (both or name == "bias"):
            return None
        mine, other = one.get(name, np.zeros(1)), two.get(name, np.zeros(1))
        limit = max(AGREE, 4 * max(map(_rounding, (mine, other))))
        largest = max(np.abs(mine).max(initial=0), np.abs(other).max(initial=0))
        # ``not <=`` and not ``>``: NaN must not pass.
        if not np.abs(mine - other).max(initial=0) <= limit * largest:
            return False
    return True


def _rounding(array: Array) -> float:
    """How exact numbers are that were stored like these: in bfloat16 or float16, else enough."""
    bits = array.astype(np.float32).view(np.uint32)
    # A bfloat16 is the upper half of a float32. Round numbers are so in every type: their last
    # three bits, of the eight that it has, are zeros.
    if not (bits & 0xFFFF).any() and (bits & 0x70000).any():
        return 2.0**-8
    with np.errstate(over="ignore"):
        return 2.0**-11 if (array.astype(np.float16) == array).all() else 0.0
