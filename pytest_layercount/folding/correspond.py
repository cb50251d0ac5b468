"""Which values of two models should be equal."""

from __future__ import annotations

from pytest_layercount.folding.plan import plan_graph, weights_of
from pytest_layercount.folding.rewrite.build import unique_names
from pytest_layercount.model.graph import ModelGraph, Value, values_in
from pytest_layercount.model.readers.live import OpenModel


def corresponding(one: OpenModel, two: OpenModel) -> dict[Value, Value]:
    """For values of ``two``, the values of ``one`` that they should equal.

    If ``two`` has the structure that folding ``one`` leaves, they are paired
    through the plan: a convolution that absorbed a normalization is paired with
    the normalization's output. Otherwise the two are taken as copies of each
    other, as far as that goes; only inputs and outputs are always paired.
    """
    plan = plan_graph(one.graph, weights_of(one))
    origin = {new: old for old, new in sorted(plan.values.items(), key=_last)}
    after = _matched(plan.graph, two.graph)
    if len(after) == sum(len(node.shapes) for node in two.graph.nodes):
        pairs = {there: origin[here] for there, here in after.items() if here in origin}
    else:
        pairs = _matched(one.graph, two.graph)
    ends = zip(values_in(two.graph.outputs), values_in(one.graph.outputs), strict=False)
    return pairs | dict(ends)


def _matched(one: ModelGraph, two: ModelGraph) -> dict[Value, Value]:
    """Values of ``two`` made by the same layer from the same values as one of ``one``."""
    known = dict(zip(values_in(two.inputs), values_in(one.inputs), strict=False))
    names, other_names = unique_names(one), unique_names(two)
    made = {(names[node.layer], node.inputs): number for number, node in enumerate(one.nodes)}
    for number, node in enumerate(two.nodes):
        if Value(number) in known or not all(value in known for value in node.inputs):
            continue
        inputs = tuple(known[value] for value in node.inputs)
        there = made.get((other_names[node.layer], inputs))
        if there is not None:
            for index in range(len(node.shapes)):
                known[Value(number, index)] = Value(there, index)
    return known


def _last(pair: tuple[Value, Value]) -> tuple[int, int]:
    return pair[0].node, pair[0].index
