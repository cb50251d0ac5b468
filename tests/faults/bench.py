"""A bench that computes nothing twice, for one model and many folds of it that are nearly alike.

Its verdicts are those of :class:`Bench`: a call is left out only where the same layer was
called before on the same tensors with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from pytest_layercount.folding.equivalence import bench
from pytest_layercount.folding.equivalence.bench import Bench, Start
from pytest_layercount.folding.equivalence.gap import Gap
from pytest_layercount.folding.equivalence.noise import Movable
from pytest_layercount.folding.equivalence.run import Runner
from pytest_layercount.model.graph import Value, map_tree


class ThriftyBench(Bench):
    """Runs the first model once, and the other only from those layers on that are wrong."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._runners = (_Runner(self.one), _Runner(self.two))
        self._copied_if_right = self.copied
        self._begun: Start | None = None

    def restart(self) -> None:
        """Forget everything: all weights may be others now."""
        self._begun = None
        for runner in self._runners:
            runner.forget()

    def wrong(self, layers: Collection[Any]) -> None:
        """Note that these layers of the other model, and no others, are not as they should be."""
        numbers = {number for number, layer in enumerate(self.two.live) if layer in layers}
        nodes = self.two.graph.nodes
        self.copied = {t for t in self._copied_if_right if nodes[t.node].layer not in numbers}
        self._runners[1].wrong = numbers

    def start(self, inputs: Any) -> Start:
        self._begun = self._begun or super().start(inputs)
        return self._begun

    def measure(self, start: Start, unit: float, seed: int) -> tuple[list[Gap], list[Gap]]:
        with patch.object(bench, "movable", self._runners[1].movable):
            return super().measure(start, unit, seed)

    def _read(self) -> set[Value]:
        """All that segments can begin with, whichever layers will be wrong."""
        return {o for o, _ in self.pairs}


class _Runner(Runner):
    """Remembers what right layers made of what right layers made."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.wrong: Collection[int] = ()
        self.draw: tuple[float, int] | None = None
        self.movers: dict[int, tuple[Movable, Any]] = {}
        self.forget()

    def forget(self) -> None:
        self.known: dict[Any, tuple[Any, list[Any]]] = {}
        self.feeds: dict[Value, Any] = {}

    @contextmanager
    def movable(self, _: Any, unit: float) -> Iterator[Callable[[int], None]]:
        """As the function of this name; a layer's weights move when it is called."""

        def move(seed: int) -> None:
            self.draw = (unit, seed)

        yield move
        for mover, _draw in self.movers.values():
            mover.put_back()
        self.draw, self.movers = None, {}

    def run(self, feeds: Mapping[Value, Any], *args: Any) -> Iterator[tuple[Value, Any]]:
        same = {value: self.feeds.setdefault(value, tensor) for value, tensor in feeds.items()}
        return super().run(same, *args)

    def _call(self, number: int, args: Any, kwargs: Any) -> list[Any]:
        leaves: list[Any] = []
        map_tree((args, kwargs), leaves.append)
        wrong = any(hasattr(leaf, "wrong") for leaf in leaves)
        if wrong or self.graph.nodes[number].layer in self.wrong:
            tensors = self._called(number, args, kwargs)
            for tensor in tensors:
                tensor.wrong = True
            return tensors
        key = (number, self.draw, *map(id, leaves))
        if key not in self.known:  # kept with the leaves, or other objects could get their ids
            self.known[key] = leaves, self._called(number, args, kwargs)
        return self.known[key][1]

    def _called(self, number: int, args: Any, kwargs: Any) -> list[Any]:
        if self.draw is not None:
            self._move(self.graph.nodes[number].layer, *self.draw)
        return super()._call(number, args, kwargs)

    def _move(self, layer: int, unit: float, seed: int) -> None:
        live = self.copies.live[layer]
        if hasattr(live, "weights"):
            mover, draw = self.movers.get(layer) or (Movable(live), None)
            if draw != seed:
                mover.move(unit, (seed, layer))
                self.movers[layer] = mover, seed
