"""How far two models are apart, as a whole and segment by segment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.equivalence.copies import copies_of
from pytest_layercount.folding.equivalence.gap import (
    Gap,
    apart,
    channel_axis,
    gap_of,
    is_number,
    worse,
)
from pytest_layercount.folding.equivalence.noise import movable
from pytest_layercount.folding.equivalence.run import Runner, Tensors, boundary, fed, leading_to
from pytest_layercount.model.graph import Value, values_in
from pytest_layercount.model.keras.common import mask_of, states_of, variables_of, with_mask
from pytest_layercount.model.keras.variables import array_of
from pytest_layercount.model.readers.live import OpenModel

ROUNDINGS = 2.0  # of a result that is computed in several steps, in halves of its last place
DRAWS = 8  # how often the noise is measured at most: a single draw may be small by chance
ROWS = 2**16  # of an embedding at a time

Pair = tuple[Value, Value]
"""A value of the first model, and the one of the other that should equal it."""


@dataclass(frozen=True)
class Start:
    """The first model on ``inputs``: its outputs, and random tensors for values inside."""

    inputs: Sequence[Any]
    outputs: Tensors
    random: Tensors


class Measurement(NamedTuple):
    """The gaps at the ends and at the changed pairs of a bench, and the other model's outputs."""

    ends: list[Gap]
    segments: list[Gap]
    outputs: Tensors


class Bench:
    """Copies of the layers of two models, to be run on the same inputs.

    ``pairs`` and ``first`` are a :class:`Correspondence`. As a whole, both models run
    from the same inputs to their outputs, which are compared before a last activation and
    after it. Segment by segment, every paired value is replaced by the same random tensor
    in both, so that each layer is compared on healthy inputs of its own: in an untrained
    network the signal fades with depth, and faults fade with it.

    ``places`` are the numbers of the outputs that ``ends`` belong to.
    """

    def __init__(
        self,
        one: OpenModel,
        two: OpenModel,
        pairs: Mapping[Value, Value],
        first: Mapping[Value, Value],
        dtype: str | None,
    ) -> None:
        self.dtype = dtype
        self.opened = (one, two)
        self.one, self.two = (copies_of(opened, dtype=dtype) for opened in (one, two))
        self.ends: list[Pair] = []
        self.places: list[int] = []
        # The last entry of a place is the output itself, also where it is compared before a last
        # activation too.
        for place, (a, b) in enumerate(zip(self.one.ends, self.two.ends, strict=True)):
            if a.before is not None and b.before is not None and a.activation == b.activation:
                self.ends.append((a.before, b.before))
                self.places.append(place)
            self.ends.append((a.value, b.value))
            self.places.append(place)
        entries = set(values_in(self.two.graph.inputs))
        # What stands before a last activation is known to no plan, but it must agree as the ends
        # do.
        pairs = {**pairs, **{t: first.get(o, o) for o, t in self.ends}}
        ordered = sorted(pairs.items(), key=_order)
        self.pairs = [(o, t) for t, o in ordered if t not in entries]
        self.copied = {t for _, t in self.pairs if self._is_copy(t, pairs, first)}
        self._runners = (Runner(self.one), Runner(self.two))

    @property
    def changed(self) -> list[Pair]:
        """The pairs to be measured: those that no copy of a layer makes of values that are paired.

        A copy with the same weights makes the same of the same.
        """
        return [(o, t) for o, t in self.pairs if t not in self.copied]

    @property
    def compared(self) -> int:
        """How many values are compared, not counting those within a layer."""
        nodes = self.opened[1].graph.nodes
        return sum(t.index < max(1, len(nodes[t.node].shapes)) for _, t in self.pairs)

    def start(self, inputs: Sequence[Any]) -> Start:
        """Run the first model for its side of the measurement; raises whatever its layers raise."""
        # A random tensor is made only of what a segment begins with: one for each value fills
        # memory.
        read = self._read()
        seeds = {o: seed for seed, (o, _) in enumerate(self.pairs) if o in read}
        ends = {o for o, _ in self.ends}
        outputs, random = {}, {}
        runner = self._runners[0]
        for value, tensor in runner.run(fed(self.one, inputs), ends | seeds.keys()):
            if value in seeds:
                random[value] = _replaced(tensor, seeds[value])
            if value in ends:
                outputs[value] = tensor
        return Start(inputs, outputs, random)

    def measure(self, start: Start, unit: float, seed: int) -> Measurement:
        """Measure the gaps at ``self.ends``, and at ``self.changed`` on random inputs of each.

        The noise is what the other model's outputs do when its weights are moved
        by up to ``unit`` of their size. It is measured until it explains every
        difference: a limit only grows with each draw.
        """
        (one, two), feeds = self._runners, fed(self.two, start.inputs)
        # Both models see the same random tensor r wherever a segment begins:
        #
        #     one:   r ── conv ── BN ── o        two:   r ── conv' ── t        (o, t) is a pair
        #
        # so a fault shows at its own segment, and does not spread to the next.
        there = {t: start.random[o] for o, t in self.pairs if o in start.random}
        changed = self.changed
        outputs = dict(two.run(feeds, {t for _, t in self.ends}))
        segments = dict(two.run(feeds, [t for _, t in changed], there))
        # In the models' own types every result is rounded, which no weight that moves shows.
        rounds = 0.0 if self.dtype else ROUNDINGS * unit
        gaps = {
            (o, t): _rounded(gap_of(start.outputs[o], outputs[t], self._channels(t)), rounds)
            for o, t in self.ends
        }
        parts: dict[Pair, Gap] = {}
        # Values of the other model that should equal the same one.
        twins: dict[Value, list[Value]] = {}
        for o, t in changed:
            twins.setdefault(o, []).append(t)
        for o, tensor in one.run(fed(self.one, start.inputs), twins, start.random):
            for t in twins[o]:
                gap = gap_of(tensor, segments[t], self._channels(t))
                parts[o, t] = _rounded(gap, rounds)
        # Of the two models the other is the one whose weights a fold has rounded.
        with movable(self.two, unit) as move:
            for draw in range(DRAWS):
                left, parts_left = _open(gaps), _open(parts)
                if not (left or parts_left):
                    break
                move(seed + draw)
                self._louder(gaps, outputs, two.run(feeds, left))
                self._louder(parts, segments, two.run(feeds, parts_left, there))
        for pair in changed:
            if parts[pair].explained:
                # Random inputs leave rows of a large table unseen, in which a fold may have gone
                # wrong.
                for gap in self._rows(pair, start, there, unit, parts[pair].noise):
                    parts[pair] = worse(parts[pair], gap)
        return Measurement(
            [gaps[pair] for pair in self.ends], [parts[pair] for pair in changed], outputs
        )

    def _louder(
        self, gaps: dict[Pair, Gap], before: Tensors, moved: Iterable[tuple[Value, Any]]
    ) -> None:
        """Raise the noise of ``gaps`` to how far the ``moved`` values are from those ``before``."""
        for value, tensor in moved:
            array = np.asarray(tensor)
            if is_number(array):
                noise = apart(np.asarray(before[value]), array, self._channels(value))
                for pair in [pair for pair in gaps if pair[1] == value]:
                    gaps[pair] = gaps[pair].louder(noise)

    def _channels(self, there: Value) -> int:
        """The axis of the channels of a value of the other model."""
        return channel_axis(self.two.graph, there)

    def _rows(
        self, pair: Pair, start: Start, there: Tensors, unit: float, noise: Array
    ) -> Iterator[Gap]:
        """The gaps of a segment that looks up rows of a table, on all rows of the table."""
        table = _lookup(self._runners[0], fed(self.one, start.inputs), start.random, pair[0])
        two = _lookup(self._runners[1], fed(self.two, start.inputs), there, pair[1])
        if table is None or two is None or table.rows != two.rows or table.all_seen():
            return
        axis = self._channels(pair[1])
        for first in range(0, table.rows, ROWS):
            rows = np.arange(first, min(first + ROWS, table.rows))
            theirs = two.run(rows)
            # The noise of rows that were seen is mostly enough; else these rows are moved as well.
            gap = gap_of(table.run(rows), theirs, axis).louder(noise)
            with movable(self.two, unit) as move:
                for draw in range(0 if gap.explained else DRAWS):
                    move(draw)
                    gap = gap.louder(apart(np.asarray(theirs), np.asarray(two.run(rows)), axis))
            yield gap

    def _read(self) -> set[Value]:
        """The values of the first model with which segments of either begin."""
        # Where segments of either model begin: a fold may have put the beginning elsewhere.
        origin = {t: o for o, t in self.pairs}
        read = boundary(self.one.graph, [o for o, _ in self.changed], set(origin.values()))
        there = boundary(self.two.graph, [t for _, t in self.changed], set(origin))
        return read | {origin[t] for t in there}

    def _is_copy(
        self, there: Value, pairs: Mapping[Value, Value], first: Mapping[Value, Value]
    ) -> bool:
        one, two = (opened.graph for opened in self.opened)
        a, b = one.nodes[pairs[there].node], two.nodes[there.node]
        layer, other = one.layers[a.layer], two.layers[b.layer]
        # Made of the same values first of all; then type, settings and weights of the layers
        # decide.
        if [pairs.get(value) for value in b.inputs] != [first.get(v, v) for v in a.inputs]:
            return False
        if (layer.type, layer.config) != (other.type, other.config):
            return False
        return _same_weights(*(o.layers[n.layer] for o, n in zip(self.opened, (a, b), strict=True)))


@dataclass(frozen=True)
class _Lookup:
    """A segment of one model that looks up rows of one table by the integers ``ids``.

    ``feeds`` and ``forced`` are the tensors that it runs on, see :meth:`Runner.run`; ``wanted``
    is the value in which it ends and ``rows`` the number of rows of the table.
    """

    runner: Runner
    feeds: Tensors
    forced: Tensors
    wanted: Value
    ids: Value
    rows: int

    def all_seen(self) -> bool:
        """Whether the inputs look up every row as it is."""
        return np.unique(self._present()).size >= self.rows

    def run(self, rows: Any) -> Any:
        """What the segment makes of ``rows``, integers in one axis."""
        import tensorflow as tf

        present = self._present()
        # As many samples as it takes to ask for all rows at once, of the shape that the table is
        # asked in; the last sample is filled up with rows from the beginning.
        batch = -(-rows.size // max(1, math.prod(present.shape[1:])))
        ids = np.resize(rows, (batch, *present.shape[1:])).astype(present.dtype)
        forced: Tensors = {self.ids: tf.convert_to_tensor(ids)}
        known = self.feeds | self.forced
        # Other values that the segment reads must have as many samples: theirs are repeated in
        # turn.
        for value in boundary(self.runner.graph, [self.wanted], known.keys() | {self.ids}):
            if value != self.ids:
                tensor = known[value]
                forced[value] = tf.gather(tensor, np.arange(batch) % max(1, tensor.shape[0]))
        return dict(self.runner.run(self.feeds, [self.wanted], forced))[self.wanted]

    def _present(self) -> Any:
        made = dict(self.runner.run(self.feeds, [self.ids], self.forced))
        return np.asarray(made[self.ids])


def _lookup(runner: Runner, feeds: Tensors, forced: Tensors, wanted: Value) -> _Lookup | None:
    """The segment that ends in ``wanted``, if it looks up one table and only once."""
    graph = runner.graph
    numbers = leading_to(graph, [wanted], feeds.keys() | forced.keys())
    tables = [n for n in numbers if graph.layer_of(n).type == "Embedding"]
    if len(tables) != 1 or len(graph.nodes[tables[0]].inputs) != 1:
        return None
    [ids] = graph.nodes[tables[0]].inputs
    rows = getattr(runner.copies.original(graph.nodes[tables[0]].layer), "input_dim", None)
    return _Lookup(runner, feeds, forced, wanted, ids, rows) if isinstance(rows, int) else None


def _same_weights(layer: Any, copy: Any) -> bool:
    weights, others = ([*variables_of(live), *states_of(live)] for live in (layer, copy))
    if [tuple(each.shape) for each in weights] != [tuple(each.shape) for each in others]:
        return False
    both = zip(weights, others, strict=True)
    return all(np.array_equal(array_of(weight), array_of(other)) for weight, other in both)


def _open(gaps: Mapping[Pair, Gap]) -> set[Value]:
    """The values of the other model where the noise so far does not explain the difference."""
    return {there for (_, there), gap in gaps.items() if not gap.explained}


def _replaced(tensor: Any, seed: int) -> Any:
    """A random tensor like this one; integers and the like stay as they are."""
    import tensorflow as tf

    # Indices and truth values mean something, and a random one may be out of range.
    if not tensor.dtype.is_floating:
        return tensor
    replaced = tensor + tf.random.stateless_normal(tf.shape(tensor), (seed, 0), dtype=tensor.dtype)
    return with_mask(replaced, mask_of(tensor))


def _order(pair: tuple[Value, Value]) -> tuple[int, int]:
    return pair[1].node, pair[1].index


def _rounded(gap: Gap, unit: float) -> Gap:
    """The gap with the noise of values that are rounded by ``unit`` of their size."""
    return gap.louder(unit * gap.magnitude)
