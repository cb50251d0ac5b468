"""What differs between two records of one model, and whether it was expected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_layercount.compare.causes import CODES as CAUSES
from pytest_layercount.compare.causes import Cause
from pytest_layercount.compare.explain import Explanation, explain
from pytest_layercount.compare.partition import Change
from pytest_layercount.folding.equivalence.gap import MARGIN, ROUNDING
from pytest_layercount.kept.record import NOT_FINITE, ModelRecord, Numbers
from pytest_layercount.text import short, some

_LAYERS = 3
"""How many layers of a cause are named."""

CODES = (*CAUSES, "missing", "not-run", "values", "weight-order", "weights")
"""What a difference may be: a cause of another count, or one of these."""


@dataclass(frozen=True)
class Finding:
    """One difference: its stable code, and a sentence about it."""

    code: str
    message: str


@dataclass(frozen=True)
class Gap:
    """How far one output of two records is apart, and how far rounding explains."""

    difference: float
    limit: float
    magnitude: float

    @property
    def equal(self) -> bool:
        """Whether rounding explains the difference."""
        return self.difference <= self.limit


@dataclass(frozen=True)
class Pair:
    """Two records of one model. ``gaps`` are empty where outputs were not compared."""

    before: ModelRecord
    after: ModelRecord
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...] = ()

    @property
    def delta(self) -> int:
        """How many more layers the second has."""
        return self.after.count("layers") - self.before.count("layers")


def pair(before: ModelRecord, after: ModelRecord) -> Pair:
    """Compare two records of one model, the first of which has a graph."""
    assert before.graph is not None
    if after.graph is None:
        return Pair(before, after, (Finding("missing", after.problem),))
    explanation = explain(before.graph, after.graph)
    found = [*_structure(explanation), *_weights(before, after, explanation)]
    gaps, differ = _outputs(before, after)
    return Pair(before, after, (*found, *differ), gaps)


def _structure(explanation: Explanation) -> list[Finding]:
    return [
        *(Finding(cause.code, _cause(cause)) for cause in explanation.causes),
        *(Finding("changed", _changed(change)) for change in explanation.changed),
    ]


def _cause(cause: Cause) -> str:
    """A cause of another layer count."""
    named = some([path for path in cause.before or cause.after if path], _LAYERS)
    return f"{cause.message} ({cause.delta:+d}{': ' if named else ''}{named})"


def _changed(change: Change) -> str:
    """A layer that both models have, configured or connected otherwise."""
    attributes = (
        f"{name} {short(before)} -> {short(after)}"
        for name, (before, after) in change.attributes.items()
    )
    return f"{change.after or change.before or change.type}: {', '.join(attributes)}"


def _weights(one: ModelRecord, two: ModelRecord, explanation: Explanation) -> list[Finding]:
    """Weights that other causes do not explain, or that stand in another order."""
    before, after = ([shape for _, shape in each.weights] for each in (one, two))
    if sorted(before) != sorted(after):
        if not explanation.same:
            return []
        numbers = f"{one.parameters:,} -> {two.parameters:,} parameters"
        return [Finding("weights", f"the weights have other shapes: {numbers}")]
    # Where all is the same the layers have the same numbers; elsewhere only shapes tell.
    orders = (one.weights, two.weights) if explanation.same else (before, after)
    differ = [place for place, (a, b) in enumerate(zip(*orders, strict=True)) if a != b]
    if not differ:
        return []
    first = differ[0]
    was, now = (
        f"{record.weights[first][1]} of {_owner(record, first) or 'the model'}"
        for record in (one, two)
    )
    other = "the weights stand in another order"
    return [Finding("weight-order", f"get_weights()[{first}] is {now}, was {was}: {other}")]


def _owner(record: ModelRecord, place: int) -> str:
    number = record.weights[place][0]
    assert record.graph is not None
    return record.graph.layers[number].path if number >= 0 else ""


def _outputs(one: ModelRecord, two: ModelRecord) -> tuple[tuple[Gap, ...], list[Finding]]:
    """How far the outputs are apart; they say nothing where the weights are not the same."""
    if bool(one.unrun) != bool(two.unrun) or NOT_FINITE in (one.unrun, two.unrun):
        return (), [Finding("not-run", one.unrun or two.unrun)]
    shapes = [sorted(shape for _, shape in each.weights) for each in (one, two)]
    if one.unrun or shapes[0] != shapes[1]:
        return (), []
    sizes = [[output.shape for output in each.numbers] for each in (one, two)]
    if sizes[0] != sizes[1]:
        shapes_differ = f"the outputs have the shapes {sizes[1]}, they had {sizes[0]}"
        return (), [Finding("values", shapes_differ)]
    gaps = tuple(map(gap, one.numbers, two.numbers))
    worst = max(gaps, key=_excess, default=None)
    if worst is None or worst.equal:
        return gaps, []
    return gaps, [Finding("values", _apart(worst))]


def _apart(gap: Gap) -> str:
    """Outputs that are further apart than rounding explains."""
    return (
        f"outputs up to {gap.difference:.3g} apart, their largest being {gap.magnitude:.3g}; "
        f"float32 noise explains {gap.limit:.2g}"
    )


def _excess(each: Gap) -> float:
    return each.difference / each.limit


def gap(one: Numbers, two: Numbers) -> Gap:
    """How far two records of an output are apart.

    The limit is measured, as in :mod:`pytest_layercount.folding.equivalence`: how far
    the output moves when the weights move by a rounding error of theirs.
    """
    magnitude = max(one.magnitude, two.magnitude)
    noise = MARGIN * max(one.noise, two.noise)
    limit = max(noise, ROUNDING * magnitude, math.ulp(0.0))
    if "string" in (one.dtype, two.dtype):
        return Gap(float(one.values != two.values), limit, 1.0)
    values = zip(one.values, two.values, strict=True)
    statistics = zip(_statistics(one), _statistics(two), strict=True)
    return Gap(max(abs(a - b) for a, b in [*values, *statistics]), limit, magnitude)


def _statistics(output: Numbers) -> Sequence[float]:
    return (output.smallest, output.largest, output.mean)
