"""How a model differs from its baseline, and whether that is more than was allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_layercount.checks.arguments import Allowance
from pytest_layercount.compare.explain import Explanation, explain
from pytest_layercount.kept.baseline import Baseline
from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import Layer

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.model.count import Count

_SPELLINGS = ("activation-layers", "hard-sigmoid", "hard-swish", "operations", "separable")
"""Causes that the other generation of Keras alone may be behind: it says the same otherwise."""


@dataclass(frozen=True)
class MetricGrowth:
    """One number of a model against its baseline, and how much it may be larger.

    ``spelling`` is the part of the difference that the other Keras makes, not the model.
    """

    metric: str
    before: int
    after: int
    allowed: int
    spelling: int = 0

    @property
    def delta(self) -> int:
        """How much larger the number is."""
        return self.after - self.before - self.spelling

    @property
    def kept(self) -> bool:
        """Whether that is allowed."""
        return self.delta <= self.allowed


@dataclass(frozen=True)
class BaselineComparison:
    """A model and its baseline.

    ``same`` says that the structures are; ``causes`` are those of the difference.
    ``growths`` are the numbers judged, none if the whole structure is.
    """

    before: Baseline
    after: Baseline
    explanation: Explanation
    causes: tuple[Cause, ...]
    growths: tuple[MetricGrowth, ...]

    @property
    def same(self) -> bool:
        """Whether the structures do not differ."""
        return not (self.causes or self.explanation.changed)

    @property
    def good(self) -> bool:
        """Whether the model may differ as it does."""
        return all(growth.kept for growth in self.growths) if self.growths else self.same


def compare(
    before: Baseline, after: Baseline, metrics: Sequence[str], allowance: Allowance
) -> BaselineComparison:
    """Hold ``after`` against ``before``: the ``metrics``, or if none the whole structure."""
    count: Count = "nodes" if "nodes" in metrics and "layers" not in metrics else "layers"
    explanation = _explain(before, after, count)
    spelling: tuple[Cause, ...] = ()
    if _generation(before) != _generation(after):
        spelling = tuple(cause for cause in explanation.causes if cause.code in _SPELLINGS)
    growths = []
    for metric in metrics:
        said = _delta(spelling, before, after, metric)
        numbers = before.numbers[metric], after.numbers[metric]
        growths.append(MetricGrowth(metric, *numbers, allowance.of(numbers[0]), said))
    causes = tuple(cause for cause in explanation.causes if cause not in spelling)
    return BaselineComparison(before, after, explanation, causes, tuple(growths))


def alike(one: Baseline, two: Baseline) -> bool:
    """Whether two baselines say the same but for names and the version of Keras."""
    return one.numbers == two.numbers and _nameless(one) == _nameless(two)


def _nameless(baseline: Baseline) -> tuple[object, ...]:
    graph = baseline.graph
    layers = tuple((replace(layer, path=""), _settings(layer)) for layer in graph.layers)
    return layers, graph.nodes, graph.inputs, graph.outputs, graph.sequential


def _settings(layer: Layer) -> tuple[object, ...]:
    """The settings of a layer and of those inside it, which two layers are not compared by."""
    inner = [part for part in layer.config.values() if isinstance(part, Layer)]
    return (layer.settings, *map(_settings, inner))


def _explain(before: Baseline, after: Baseline, count: Count) -> Explanation:
    if alike(before, after):  # the usual case, for which nothing needs to be aligned
        return Explanation(
            count_graph(before.graph, count), count_graph(after.graph, count), (), ()
        )
    return explain(before.graph, after.graph, count=count)


def _delta(spelling: tuple[Cause, ...], before: Baseline, after: Baseline, metric: str) -> int:
    if not spelling or metric not in ("layers", "nodes", "top"):
        return 0
    count: Count = "nodes" if metric == "nodes" else "layers"
    causes = explain(before.graph, after.graph, count=count).causes
    return sum(cause.delta for cause in causes if cause.code in _SPELLINGS)


def _generation(baseline: Baseline) -> str:
    return "3" if baseline.graph.keras.startswith("Keras 3") else "2"
