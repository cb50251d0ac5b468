"""A model, its fold, and mistakes planted in it.

Copies are made once for a model; between two checks only weights are exchanged, and only what
they change is computed. ``check_equivalence`` itself is what judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np

from pytest_layercount import check_equivalence, fold
from pytest_layercount.folding import equivalence
from pytest_layercount.folding.build import unique_names
from pytest_layercount.folding.equivalence.randomise import _random_statistics
from pytest_layercount.folding.planner import plan_graph, weights_of
from pytest_layercount.folding.rules import OURS
from pytest_layercount.folding.weights import folded_weights
from pytest_layercount.model.keras.variables import read_weights, variable
from pytest_layercount.model.readers.live import open_model
from tests.faults.bench import ThriftyBench
from tests.faults.mistakes import MISTAKES, PADDING, READING, WRITING, Absorber, Arrays

Weights = Mapping[int, Arrays]
SMALLEST = 1e-6
"""A mistake that moves no weight by more than this part of the largest makes no difference."""


@dataclass(frozen=True)
class Verdict:
    """What ``check_equivalence`` said: ``ratio`` is the largest difference, in limits."""

    equivalent: bool
    first: str
    ratio: float


@dataclass(frozen=True)
class Planted:
    """A mistake in one fold, and the layers that may be named for it."""

    layer: str
    suspects: frozenset[str]
    verdict: Verdict


class Subject:
    """``model`` is changed: its batch norms get other statistics with every seed."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.opened = open_model(model)
        self.result = fold(model)
        self.plan = self.result.plan
        self.numbers = {layer.path: n for n, layer in enumerate(self.opened.graph.layers)}
        names = unique_names(self.plan.graph)
        self.folded = {
            source: self.result.model.get_layer(name)
            for source, name in zip(self.plan.sources, names, strict=True)
            if self.opened.graph.layers[source].kind == "layer"
        }
        self.right: Weights = {}
        self.bench: Any = None
        self.seed = 0

    def reseed(self, seed: int) -> None:
        """Give all batch norms new statistics, and fold them anew."""
        self.seed = seed
        random = np.random.default_rng(seed)
        for number, layer in enumerate(self.opened.graph.layers):
            if layer.type == "BatchNormalization":
                live = self.opened.layers[number]
                self._put(live, _random_statistics(live, random))
                if self.bench is not None:
                    _copy(live, self.bench.one.live[number])
                if number in self.folded and number not in self.right:
                    self._install({number: read_weights(live, OURS.rule_for(layer).weights)})
        plan = plan_graph(self.opened.graph, weights_of(self.opened))
        assert plan.folds == self.result.folds
        self.plan = plan
        self.right, unfit = folded_weights(self.opened, plan)
        assert not unfit
        self._install(self.right)
        if self.bench is not None:
            self.bench.restart()

    def check(self) -> Verdict:
        """:meth:`judged`, without computing anything twice."""

        def bench(*args: Any) -> Any:
            self.bench = self.bench or ThriftyBench(*args)
            return self.bench

        with patch.object(equivalence, "Bench", bench):
            return self.judged()

    def judged(self) -> Verdict:
        """``check_equivalence`` of the model and what its fold is now."""
        seen: list[Any] = []

        def difference(name: str, gap: Any) -> Any:
            seen.append(judge(name, gap))
            return seen[-1]

        judge = equivalence._difference
        with patch.object(equivalence, "_difference", difference):
            found = check_equivalence(self.model, self.result, seed=self.seed)
        assert found.dtype == "float64"
        ratio = max(each.difference / each.limit for each in seen)
        return Verdict(found.equivalent, found.first, ratio)

    def plant(self, mistake: str) -> Planted | None:
        """Make the mistake in one fold, chosen at random, where it makes a difference."""
        random = np.random.default_rng([self.seed, MISTAKES.index(mistake)])
        for index in random.permutation(len(self.result.folds)):
            done = self.result.folds[index]
            wrong = self._wrong(mistake, done, random) if done.type == "BatchNormalization" else {}
            if any(_differs(wrong[number], self.right[number]) for number in wrong):
                with self._installed(wrong):
                    suspects = frozenset().union(*map(self._downstream, wrong))
                    return Planted(done.layer, suspects, self.check())
        return None

    def _wrong(self, mistake: str, done: Any, random: Any) -> Weights:
        if mistake in READING:
            return self._misread(self.numbers[done.layer], READING[mistake])
        if mistake == PADDING:
            return self._through_padding(done)
        layer = self._absorber(done)
        wrong = None if layer is None else WRITING[mistake](layer, random)
        return {} if wrong is None else {self.numbers[done.into[0]]: wrong}

    def _misread(self, number: int, mistake: Callable[[Arrays, float], Arrays]) -> Weights:
        """What the layers would absorb if this batch norm had been read wrongly."""
        epsilon = float(self.opened.graph.layers[number].config["epsilon"])
        right = weights_of(self.opened)

        known = dict(right(number, OURS.rule_for(self.opened.graph.layers[number]).weights))
        wrong = mistake(known, epsilon)
        if all(np.array_equal(wrong[name], known[name]) for name in known):
            return {}

        def read(layer: int, names: tuple[str, ...]) -> Any:
            return wrong if layer == number else right(layer, names)

        plan = plan_graph(self.opened.graph, read)
        if plan.folds != self.result.folds:
            return {}  # without these numbers it would fold otherwise
        into = {self.numbers[path] for path in self._fold_of(number).into}
        only = tuple(one for one in plan.absorptions if one.layer in into)
        return folded_weights(self.opened, replace(plan, absorptions=only))[0]

    def _fold_of(self, number: int) -> Any:
        path = self.opened.graph.layers[number].path
        return next(done for done in self.result.folds if done.layer == path)

    def _absorber(self, done: Any) -> Absorber | None:
        """The layer behind this fold, if it absorbed this batch norm alone and directly."""
        number = self.numbers[done.into[0]]
        taken = [one for one in self.plan.absorptions if one.layer == number]
        if len(done.into) > 1 or len(taken) > 1:
            return None
        layer = self.opened.graph.layers[number]
        scale, shift = taken[0].affine.arrays()
        before = read_weights(self.opened.layers[number], OURS.rule_for(layer).weights)
        return Absorber(
            layer.type, layer.config, taken[0].side, scale, shift, before, self.right[number]
        )

    def _through_padding(self, done: Any) -> Weights:
        """The batch norm in the padded convolution after it, not in the layer before it."""
        graph, number = self.opened.graph, self.numbers[done.layer]
        layer = self._absorber(done)
        readers = [n for n in graph.nodes if any(v.node in graph.calls[number] for v in n.inputs)]
        after = readers[0].layer if len(readers) == 1 else number
        config = graph.layers[after].config
        if layer is None or layer.side != "after" or graph.layers[after].type != "Conv2D":
            return {}
        if config["padding"] != "same" or after in self.right or not config["use_bias"]:
            return {}
        own = read_weights(self.opened.layers[after], ("kernel", "bias"))
        taps = own["kernel"].sum(axis=(0, 1))
        zero = np.zeros_like(layer.after["bias"])
        self.right = {**self.right, after: own}
        return {
            self.numbers[done.into[0]]: {"bias": zero, **layer.before},
            after: {
                "kernel": own["kernel"] * layer.scale[:, None],
                "bias": own["bias"] + layer.shift @ taps,
            },
        }

    def _downstream(self, number: int) -> frozenset[str]:
        """The layers whose output is the first to be compared after this layer of the fold."""
        two, one = self.bench.two.graph, self.opened.graph
        pairs = {there: here for here, there in self.bench.pairs}
        name = self.folded[number].name
        pending = [n for n, node in enumerate(two.nodes) if two.layers[node.layer].name == name]
        found: set[str] = set()
        for node in pending:
            values = {v for v in pairs if v.node == node}
            found |= {one.layer_of(pairs[v].node).path for v in values}
            if not values:
                pending += [
                    n for n, o in enumerate(two.nodes) if any(v.node == node for v in o.inputs)
                ]
        return frozenset(found)

    @contextmanager
    def _installed(self, weights: Weights) -> Iterator[None]:
        self._install(weights)
        names = {self.folded[number].name for number in weights}
        self.bench.wrong([live for live in filter(None, self.bench.two.live) if live.name in names])
        yield
        self._install({number: self.right[number] for number in weights})
        self.bench.wrong(())

    def _install(self, weights: Weights) -> None:
        copies = () if self.bench is None else filter(None, self.bench.two.live)
        twins = {live.name: live for live in copies}
        for number, arrays in weights.items():
            live = self.folded[number]
            self._put(live, arrays)
            if live.name in twins:
                _copy(live, twins[live.name])

    @staticmethod
    def _put(live: Any, arrays: Arrays) -> None:
        for name, array in arrays.items():
            variable(live, name).assign(array)


def _copy(live: Any, twin: Any) -> None:
    for source, target in zip(live.weights, twin.weights, strict=True):
        target.assign(source.numpy().astype(np.float64))


def _differs(wrong: Arrays, right: Arrays) -> bool:
    return any(
        np.abs(wrong[name] - right[name]).max() > SMALLEST * np.abs(right[name]).max()
        for name in wrong
    )
