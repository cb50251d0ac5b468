"""How far two models are apart, as a whole and segment by segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pytest_layercount.folding.rewrite.copies import copies_of, movable
from pytest_layercount.folding.rewrite.run import Runner, Tensors, boundary, fed
from pytest_layercount.model.graph import Value, values_in
from pytest_layercount.model.readers.dialect import variables_of
from pytest_layercount.model.readers.live import OpenModel
from pytest_layercount.model.readers.weights import array_of

MARGIN = 4.0
ROUNDING = 2.0**-40  # of the largest value: what float64 itself may add, generously
DRAWS = 4  # how often the noise is measured at most: a single draw may be small by chance


class Gap(NamedTuple):
    """At one value: the largest difference, the largest noise and the largest magnitude."""

    difference: float
    noise: float
    magnitude: float

    @property
    def limit(self) -> float:
        """The largest difference that rounding explains."""
        tiny = float(np.finfo(np.float64).tiny)
        return max(MARGIN * self.noise, ROUNDING * self.magnitude, tiny)


@dataclass(frozen=True)
class Start:
    """The first model on ``inputs``: its outputs, and random tensors for values inside."""

    inputs: Sequence[Any]
    outputs: Tensors
    random: Tensors


class Bench:
    """Copies of the layers of two models, to be run on the same inputs.

    ``pairs`` and ``first`` are a :class:`Correspondence`. As a whole, both models run
    from the same inputs to their outputs. Segment by segment, every paired value is
    replaced by the same random tensor in both, so that each layer is compared on
    healthy inputs of its own: in an untrained network the signal fades with depth,
    and faults fade with it.
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
        self.ends = list(
            zip(values_in(self.one.graph.outputs), values_in(self.two.graph.outputs), strict=True)
        )
        entries = set(values_in(self.two.graph.inputs))
        returned = set(values_in(two.graph.outputs))  # those may be without their activation now
        pairs = {t: o for t, o in pairs.items() if t not in returned}
        pairs.update((t, first.get(o, o)) for o, t in self.ends)
        ordered = sorted(pairs.items(), key=_order)
        self.pairs = [(o, t) for t, o in ordered if t not in entries]
        self.copied = {t for _, t in self.pairs if self._is_copy(t, pairs, first)}
        self._runners = (Runner(self.one), Runner(self.two))

    @property
    def changed(self) -> list[tuple[Value, Value]]:
        """The pairs that are not made by the same layer, with the same weights, from pairs."""
        return [(o, t) for o, t in self.pairs if t not in self.copied]

    def start(self, inputs: Sequence[Any]) -> Start:
        """The first model's side of the measurement; raises whatever its layers raise."""
        read = self._read()
        seeds = {o: seed for seed, (o, _) in enumerate(self.pairs) if o in read}
        ends = [o for o, _ in self.ends]
        outputs, random = {}, {}
        runner = self._runners[0]
        for value, tensor in runner.run(fed(self.one, inputs), {*ends, *seeds}):
            if value in seeds:
                random[value] = _replaced(tensor, seeds[value])
            if value in ends:
                outputs[value] = tensor
        return Start(inputs, outputs, random)

    def measure(self, start: Start, unit: float, seed: int) -> tuple[list[Gap], list[Gap]]:
        """The gaps at the outputs, and at ``self.changed`` on random inputs of each.

        The noise is what the other model's outputs do when its weights are moved
        by up to ``unit`` of their size. It is measured until it explains every
        difference: a limit only grows with each draw.
        """
        (one, two), feeds = self._runners, fed(self.two, start.inputs)
        there = {t: start.random[o] for o, t in self.pairs if o in start.random}
        ends, changed = [t for _, t in self.ends], [t for _, t in self.changed]
        outputs = dict(two.run(feeds, ends))
        segments = dict(two.run(feeds, changed, there))
        gaps = {t: _gap(start.outputs[o], outputs[t]) for o, t in self.ends}
        parts: dict[Value, Gap] = {}
        twins: dict[Value, list[Value]] = {}
        for o, t in self.changed:
            twins.setdefault(o, []).append(t)
        for o, tensor in one.run(fed(self.one, start.inputs), twins, start.random):
            parts.update((t, _gap(tensor, segments[t])) for t in twins[o])
        with movable(self.two, unit) as move:
            for draw in range(DRAWS):
                left, parts_left = _open(gaps), _open(parts)
                if not (left or parts_left):
                    break
                move(seed + draw)
                _louder(gaps, outputs, two.run(feeds, left))
                _louder(parts, segments, two.run(feeds, parts_left, there))
        return [gaps[t] for t in ends], [parts[t] for t in changed]

    def _read(self) -> set[Value]:
        """The values of the first model that segments begin with."""
        origin = {t: o for o, t in self.pairs}
        read = boundary(self.one.graph, [o for o, _ in self.changed], set(origin.values()))
        there = boundary(self.two.graph, [t for _, t in self.changed], set(origin))
        return read | {origin[t] for t in there}

    def _is_copy(
        self, there: Value, pairs: Mapping[Value, Value], first: Mapping[Value, Value]
    ) -> bool:
        one, two = self.one.graph, self.two.graph
        a, b = one.nodes[pairs[there].node], two.nodes[there.node]
        layer, other = one.layers[a.layer], two.layers[b.layer]
        if [pairs.get(value) for value in b.inputs] != [first.get(v, v) for v in a.inputs]:
            return False
        if (layer.type, layer.config) != (other.type, other.config):
            return False
        return _same_weights(*(o.layers[n.layer] for o, n in zip(self.opened, (a, b), strict=True)))


def _same_weights(one: Any, two: Any) -> bool:
    weights, others = (variables_of(live) for live in (one, two))
    if [tuple(each.shape) for each in weights] != [tuple(each.shape) for each in others]:
        return False
    both = zip(weights, others, strict=True)
    return all(np.array_equal(array_of(weight), array_of(other)) for weight, other in both)


def _open(gaps: Mapping[Value, Gap]) -> set[Value]:
    """Where the noise measured so far does not explain the difference."""
    return {value for value, gap in gaps.items() if not gap.difference <= gap.limit}


def _louder(gaps: dict[Value, Gap], before: Tensors, moved: Iterator[tuple[Value, Any]]) -> None:
    """Raise the noise of ``gaps`` to what the ``moved`` values differ from those ``before``."""
    for value, tensor in moved:
        gap, array = gaps[value], np.asarray(tensor)
        if _is_number(array):
            noise = _apart(np.asarray(before[value]), array)
            gaps[value] = gap._replace(noise=max(gap.noise, noise))


def _gap(one: Any, two: Any) -> Gap:
    """The gap of two tensors; any difference between strings or truth values counts as 1."""
    a, b = np.asarray(one), np.asarray(two)
    if not _is_number(a):
        return Gap(float(np.any(a != b)), 0.0, 1.0)
    wide = _wide(a)
    return Gap(_apart(a, b), 0.0, _largest(wide, lambda: np.isnan(wide) & np.isnan(_wide(b))))


def _apart(one: Any, two: Any) -> float:
    a, b = _wide(one), _wide(two)
    with np.errstate(invalid="ignore"):
        return _largest(a - b, lambda: np.isnan(a) & np.isnan(b))


def _largest(array: Any, left_out: Callable[[], Any]) -> float:
    """The largest magnitude. NaN counts, except where ``left_out`` says.

    A random input may lie outside an operation's domain, in both models alike.
    """
    largest = float(np.abs(array).max(initial=0.0))
    if not np.isnan(largest):
        return largest
    return float(np.abs(np.where(left_out(), 0.0, array)).max(initial=0.0))


def _is_number(array: Any) -> bool:
    return array.dtype.kind not in "bOSU"


def _wide(array: Any) -> Any:
    return array.astype(np.float64, copy=False)


def _replaced(tensor: Any, seed: int) -> Any:
    """A random tensor like this one; integers and the like stay as they are."""
    import tensorflow as tf

    if not tensor.dtype.is_floating:
        return tensor
    replaced = tensor + tf.random.stateless_normal(tf.shape(tensor), (seed, 0), dtype=tensor.dtype)
    mask = getattr(tensor, "_keras_mask", None)
    if mask is not None:
        replaced._keras_mask = mask
    return replaced


def _order(pair: tuple[Value, Value]) -> tuple[int, int]:
    return pair[1].node, pair[1].index
