"""Which values of two models should be equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from pytest_layercount.folding.build import unique_names
from pytest_layercount.folding.opened import book_of
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.planner import plan_graph, weights_of
from pytest_layercount.model.graph import ModelGraph, Value, map_tree, values_in
from pytest_layercount.model.readers.live import OpenModel


class Correspondence(NamedTuple):
    """For values of one model, the values of another that they should equal.

    Of several that are equal, with layers between them that do nothing at inference,
    ``pairs`` has the first, and ``first`` maps the others to it: whoever puts something
    in place of the first has put it in place of all.
    """

    pairs: dict[Value, Value]
    first: Mapping[Value, Value]


def corresponding(one: OpenModel, two: OpenModel, plan: Plan | None = None) -> Correspondence:
    """Which values of ``two`` should equal which of ``one``.

    If ``two`` has the structure that ``plan`` (without it, the plan for folding
    ``one``) leaves, they are paired through the plan: a convolution that absorbed
    a normalization is paired with the normalization's output. If it has the
    structure of ``one``, they are paired as they stand. Otherwise nothing is
    known of what lies between inputs and outputs, and only these are paired.
    """
    pairs = dict(
        zip(
            [*values_in(two.graph.inputs), *values_in(two.graph.outputs)],
            [*values_in(one.graph.inputs), *values_in(one.graph.outputs)],
            strict=False,
        )
    )
    plan = plan_graph(one.graph, weights_of(one), book=book_of(one)) if plan is None else plan
    # Ends go by their place, whatever makes them, and over what is found inside.
    after = _matched(plan.graph, two.graph)
    if after is None:
        return Correspondence((_matched(one.graph, two.graph) or {}) | pairs, {})
    olds = sorted(plan.values, key=_place)
    # Reversed: of several old values that became one, the first is set last, and stays.
    origin = {plan.values[old]: old for old in reversed(olds)}
    # Values that a fold has altered equal none of the old ones, and are left out.
    moved = {there: origin[here] for there, here in after.items() if here in origin}
    return Correspondence(moved | pairs, {old: origin[plan.values[old]] for old in olds})


def kept(one: OpenModel, plan: Plan) -> OpenModel:
    """``one`` with only the inputs and outputs that ``plan`` keeps."""
    origin = {plan.values[old]: old for old in sorted(plan.values, key=_place)}

    def back(leaf: object) -> object:
        return origin[leaf] if isinstance(leaf, Value) else leaf

    graph = replace(
        one.graph,
        inputs=map_tree(plan.graph.inputs, back),
        outputs=map_tree(plan.graph.outputs, back),
    )
    return replace(one, graph=graph)


def _place(value: Value) -> tuple[int, int]:
    return value.node, value.index


def _matched(one: ModelGraph, two: ModelGraph) -> dict[Value, Value] | None:
    """Each value of ``two`` with the value of ``one`` made by the same layers, if all have one."""
    known = dict(zip(values_in(two.inputs), values_in(one.inputs), strict=False))
    names, other_names = unique_names(one), unique_names(two)
    # A layer that is called twice makes two values, told apart by what it is called on.
    made = {(names[node.layer], node.inputs): number for number, node in enumerate(one.nodes)}
    for number, node in enumerate(two.nodes):
        if Value(number) in known:
            continue
        inputs = tuple(known.get(value) for value in node.inputs)
        there = made.get((other_names[node.layer], inputs))  # type: ignore[arg-type]
        if there is None:
            return None
        for index in range(len(node.shapes)):
            known[Value(number, index)] = Value(there, index)
    return known if len(one.nodes) == len(two.nodes) else None
