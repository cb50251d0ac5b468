"""How far two models are apart, as a whole and segment by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pytest_layercount.folding.rewrite.copies import copy_model, measurable, perturb
from pytest_layercount.folding.rewrite.run import Tensors, compiled, fed, run
from pytest_layercount.model.graph import Value, values_in
from pytest_layercount.model.readers.live import OpenModel


class Gap(NamedTuple):
    """At one value: the largest difference, the largest noise and the largest magnitude."""

    difference: float
    noise: float
    magnitude: float


class Bench:
    """A model, another one, and a copy of the other with its weights moved by rounding errors.

    ``pairs`` maps values of the other to the values of the model they should
    equal. As a whole, both models run from the same inputs to their outputs.
    Segment by segment, every paired value is replaced by the same random tensor
    in both, so that each layer is compared on healthy inputs of its own: in an
    untrained network the signal fades with depth, and faults fade with it.
    """

    def __init__(
        self, one: OpenModel, two: OpenModel, pairs: Mapping[Value, Value], dtype: str | None
    ) -> None:
        self.dtype = dtype
        self.one = copy_model(one, measurable(one.graph), dtype=dtype)
        self.two = copy_model(two, measurable(two.graph), dtype=dtype)
        self.moved = copy_model(two, measurable(two.graph), dtype=dtype)
        self.ends = list(
            zip(values_in(self.one.graph.outputs), values_in(self.two.graph.outputs), strict=True)
        )
        entries = set(values_in(self.two.graph.inputs))
        returned = set(values_in(two.graph.outputs))  # those may be without their activation now
        pairs = {t: o for t, o in pairs.items() if t not in returned}
        pairs.update((t, o) for o, t in self.ends)
        ordered = sorted(pairs.items(), key=_order)
        self.pairs = [(o, t) for t, o in ordered if t not in entries]
        self.copied = {t for _, t in self.pairs if self._is_copy(t, pairs)}
        self._run = compiled(self._outputs)
        self._measure = compiled(self._trace)

    def measure(self, inputs: Sequence[Any], unit: float, seed: int) -> tuple[list[Gap], list[Gap]]:
        """The gaps at the outputs, and at ``self.changed`` on random inputs of each."""
        perturb(self.moved.model, self.two.model, unit, seed)
        outputs, segments = self._measure(inputs)
        return [Gap(*map(float, gap)) for gap in outputs], [Gap(*map(float, g)) for g in segments]

    def refusal(self, inputs: Sequence[Any]) -> Exception | None:
        """Why the model cannot be run on ``inputs``, None if it can."""
        try:
            self._run(inputs)
        except Exception as error:  # noqa: BLE001  whatever its layers raise
            return error
        return None

    @property
    def changed(self) -> list[tuple[Value, Value]]:
        """The pairs that are not made by the same layer, with the same weights, from pairs."""
        return [(o, t) for o, t in self.pairs if t not in self.copied]

    def _is_copy(self, there: Value, pairs: Mapping[Value, Value]) -> bool:
        one, two = self.one.graph, self.two.graph
        a, b = one.nodes[pairs[there].node], two.nodes[there.node]
        layer, other = one.layers[a.layer], two.layers[b.layer]
        if tuple(pairs.get(value) for value in b.inputs) != a.inputs:
            return False
        if (layer.type, layer.config) != (other.type, other.config):
            return False
        weights, others = (
            getattr(live, "weights", [])
            for live in (self.one.layers[a.layer], self.two.layers[b.layer])
        )
        return len(weights) == len(others) and all(
            np.array_equal(w.numpy(), v.numpy()) for w, v in zip(weights, others, strict=True)
        )

    def _outputs(self, inputs: Sequence[Any]) -> Any:
        ends = [value for value, _ in self.ends]
        values = run(self.one, fed(self.one, inputs), ends)
        return [values[value] for value in ends]

    def _trace(self, inputs: Sequence[Any]) -> Any:
        builds = (self.one, self.two, self.moved)
        feeds = [fed(built, inputs) for built in builds]
        ends = ([o for o, _ in self.ends], [t for _, t in self.ends])
        seen = [*ends[0], *(o for o, _ in self.pairs)]
        whole = [
            run(self.one, feeds[0], seen),
            run(self.two, feeds[1], ends[1]),
            run(self.moved, feeds[2], ends[1]),
        ]
        outputs = [_gap(whole, o, t) for o, t in self.ends]
        noise = {o: _replaced(whole[0][o], index) for index, (o, _) in enumerate(self.pairs)}
        there = {t: noise[o] for o, t in self.pairs}
        targets = ([o for o, _ in self.changed], [t for _, t in self.changed])
        forced = [
            run(self.one, feeds[0], targets[0], noise),
            run(self.two, feeds[1], targets[1], there),
            run(self.moved, feeds[2], targets[1], there),
        ]
        return outputs, [_gap(forced, o, t) for o, t in self.changed]


def _gap(runs: list[Tensors], one: Value, two: Value) -> Any:
    import tensorflow as tf

    a, b, c = runs[0][one], runs[1][two], runs[2][two]
    if a.dtype in (tf.string, tf.bool):
        differ = tf.cast(tf.not_equal(a, b), tf.float64)
        return tf.reduce_max(differ), tf.zeros((), tf.float64), tf.ones((), tf.float64)
    a, b, c = (tf.cast(tensor, tf.float64) for tensor in (a, b, c))
    same = tf.math.is_nan(a) & tf.math.is_nan(b)  # a random input outside an operation's domain
    return tuple(_largest(tf.where(same, tf.zeros_like(a), tensor)) for tensor in (a - b, b - c, a))


def _largest(tensor: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_max(tf.concat([tf.reshape(tf.abs(tensor), [-1]), [0.0]], 0))


def _replaced(tensor: Any, seed: int) -> Any:
    """A random tensor like this one; integers and the like stay as they are."""
    import tensorflow as tf

    if not tensor.dtype.is_floating:
        return tensor
    noise = tf.random.stateless_normal(tf.shape(tensor), (seed, 0), dtype=tensor.dtype)
    replaced = tf.stop_gradient(tensor + noise)
    mask = getattr(tensor, "_keras_mask", None)
    if mask is not None:
        replaced._keras_mask = mask
    return replaced


def _order(pair: tuple[Value, Value]) -> tuple[int, int]:
    return pair[1].node, pair[1].index
