"""Which values of two models should be equal."""

from __future__ import annotations

from dataclasses import replace

from pytest_layercount.folding.plan import Plan, plan_graph, weights_of
from pytest_layercount.folding.rewrite.layers import unique_names
from pytest_layercount.model.graph import ModelGraph, Value, map_tree, values_in
from pytest_layercount.model.readers.live import OpenModel


def corresponding(one: OpenModel, two: OpenModel, plan: Plan | None = None) -> dict[Value, Value]:
    """For values of ``two``, the values of ``one`` that they should equal.

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
    plan = plan_graph(one.graph, weights_of(one)) if plan is None else plan
    after = _matched(plan.graph, two.graph)
    if after is not None:
        origin = origins(plan)
        return {there: origin[here] for there, here in after.items() if here in origin} | pairs
    return (_matched(one.graph, two.graph) or {}) | pairs


def origins(plan: Plan) -> dict[Value, Value]:
    """For each value that ``plan`` leaves, the last value of the model that it equals."""
    ordered = sorted(plan.values.items(), key=lambda pair: (pair[0].node, pair[0].index))
    return {new: old for old, new in ordered}


def kept(one: OpenModel, plan: Plan) -> OpenModel:
    """``one`` with only the inputs and outputs that ``plan`` keeps."""
    origin = origins(plan)

    def back(leaf: object) -> object:
        return origin[leaf] if isinstance(leaf, Value) else leaf

    graph = replace(
        one.graph,
        inputs=map_tree(plan.graph.inputs, back),
        outputs=map_tree(plan.graph.outputs, back),
    )
    return replace(one, graph=graph)


def _matched(one: ModelGraph, two: ModelGraph) -> dict[Value, Value] | None:
    """Each value of ``two`` with the value of ``one`` made by the same layers, if all have one."""
    known = dict(zip(values_in(two.inputs), values_in(one.inputs), strict=False))
    names, other_names = unique_names(one), unique_names(two)
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
