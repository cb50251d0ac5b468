"""What is large in a model that costs more than it may."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_layercount.checks.measures import MEASURES
from pytest_layercount.criteria import Violation
from pytest_layercount.model.count import largest, longest_way
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.text import some

LARGEST = 5
"""How many of the largest layers are named."""

WAY = 3
"""How many layers of the longest way are named at either end."""


def large(graph: ModelGraph, violations: Sequence[Violation]) -> list[str]:
    """A line for each number that is beyond its limit: what in ``graph`` has the most of it."""
    lines = []
    for measure in (MEASURES[one.keyword] for one in violations if one.keyword in MEASURES):
        if measure.attribute == "depth":
            way = [layer.path for layer in longest_way(graph)]
            shown = way if len(way) <= 2 * WAY else [*way[:WAY], "...", *way[-WAY:]]
            lines.append(f"{measure.most}: {' > '.join(shown)}")
        elif shares := largest(graph, measure.attribute):
            parts = [f"{measure.written(number)} {layer.path}" for layer, number in shares]
            lines.append(f"{measure.most}: {some(parts, LARGEST)}")
    return lines
