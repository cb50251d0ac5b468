"""What may be absent from a model that computes the same: found by the folding planner.

Everything that can fold, does nothing or is mere padding leaves the form, in both
models alike. Only where one has it and the other does not it becomes a cause.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_layercount.compare.form import Form
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.planner import plan_graph


def absorb(form: Form) -> None:
    """Take out what folds, what does nothing, and what only pads."""
    graph, callers = form.as_graph()
    plan = plan_graph(graph, passes=("affine", "identity", "padding"))
    _take_up_padding(form, plan, callers)
    into = {int(fold.layer): int(fold.into[0]) for fold in plan.folds if fold.into}
    for fold in plan.folds:
        folded = [node for number in callers[int(fold.layer)] for node in form.items[number].units]
        for other in fold.into[1:]:
            for number in callers[int(other)]:
                if number in form.items:
                    form.items[number].helped += folded
        normalizes = graph.layers[int(fold.layer)].is_a("BatchNormalization")
        code = "batch-norms-folded" if normalizes else "affine-folded"
        keeper = int(fold.layer)
        while keeper in into:
            keeper = into[keeper]
        _give(form, callers[int(fold.layer)], callers[keeper], code)
    for path in plan.removed:
        if not graph.layers[int(path)].type.startswith("ZeroPadding"):
            for number in callers[int(path)]:
                keeper = form.inputs(number)[0].node
                _give(form, [number], [keeper], "no-ops")


def _take_up_padding(form: Form, plan: Plan, callers: list[list[int]]) -> None:
    """Convolutions that pad as a layer before them did take over from it."""
    for after, before in enumerate(plan.sources):
        padding = plan.graph.layers[after].config.get("padding")
        for number in callers[before]:
            layer = form.items[number].layer
            if padding != layer.config.get("padding"):
                config = {**layer.config, "padding": padding}
                form.items[number].layer = replace(layer, config=config)
                _give(form, [form.inputs(number)[0].node], [number], "padding")


def _give(form: Form, gone: list[int], keepers: list[int], code: str) -> None:
    """Drop the items ``gone``; ``keepers`` answer for them."""
    alike = len(gone) == len(keepers)
    for place, number in enumerate(gone):
        keeper = form.items[keepers[place if alike else 0]]
        item = form.items[number]
        keeper.taken += [(unit, code) for unit in item.units] + item.taken
        form.drop(number)
