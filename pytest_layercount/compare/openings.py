"""What opening layers made of layers does to a count."""

from __future__ import annotations

from pytest_layercount.compare.causes import Cause, Concerned, cause
from pytest_layercount.model.count import Count
from pytest_layercount.model.graph import Layer, ModelGraph


def openings(
    whole: ModelGraph, opened: ModelGraph, count: Count, *, gathered: bool = False
) -> tuple[Cause, ...]:
    """The cause for counting ``whole`` and comparing ``opened``, the same model.

    ``gathered`` turns it round: the layers of ``opened`` are gathered in those of ``whole``.
    """
    if whole is opened or count == "top":  # the same list, in which layers inside do not stand
        return ()
    closed, inside = _units(whole, opened, count), _units(opened, whole, count)
    if gathered:
        return (cause("opened", inside, closed, "gathered in"),)
    return (cause("opened", closed, inside, "opened into"),)


def _units(graph: ModelGraph, other: ModelGraph, count: Count) -> list[Concerned]:
    """What is counted in ``graph`` and has no place in ``other``."""
    known = {layer.path for layer in other.layers}
    if count == "nodes":
        layers = [graph.layer_of(number) for number in range(len(graph.nodes))]
    else:
        layers = list(graph.layers)
    return [
        Concerned(layer.path, layer.type, _weight(layer, count))
        for layer in layers
        if layer.path not in known
    ]


def _weight(layer: Layer, count: Count) -> int:
    return int(layer.kind == "layer" or count == "nodes")
