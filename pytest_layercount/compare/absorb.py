"""What may be absent from a model that computes the same: found by the folding planner.

Everything that can fold, does nothing or is mere padding leaves the form, in both models
alike, and where that does not explain all, what can be merged. Only where one has it and
the other does not it becomes a cause.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_layercount.compare.form import Form
from pytest_layercount.folding.passes.kernels import Merge
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.folding.rules import RuleBook
from pytest_layercount.model.graph import Value


def absorb(form: Form, book: RuleBook) -> None:
    """Take out what folds by the rules in ``book``, what does nothing, and what only pads."""
    plan, callers = _planned(form, book, "affine", "identity", "padding")
    # No-ops last: what they read then is an item that stays, and answers for them.
    _take_up_padding(form, plan, callers)
    _take_up_folds(form, plan, callers)
    for path in plan.removed:
        if not plan.before.layers[int(path)].type.startswith("ZeroPadding"):
            for number in callers[int(path)]:
                keeper = form.inputs(number)[0].node
                _give(form, [number], [keeper], "no-ops")


def merge_linear(form: Form, book: RuleBook) -> None:
    """Make linear layers in a row or side by side one, and take out what folds only then."""
    plan, callers = _planned(form, book, "affine", "collapse")
    _take_up_folds(form, plan, callers)
    for step in plan.merges:
        if isinstance(step, Merge):
            _merge(form, step, plan, callers)


def _planned(form: Form, book: RuleBook, *passes: str) -> tuple[Plan, list[list[int]]]:
    """What folding would do to the form, and the items that call each layer.

    The paths in the plan are numbers of layers.
    """
    # A plan names layers by path. Numbers are unique; paths are not, after unsharing and splitting.
    graph, callers = form.as_graph()
    own = book.renumbered([form.items[numbers[0]].call.layer for numbers in callers])
    return plan_graph(graph, passes=passes, book=own), callers


def _merge(form: Form, merge: Merge, plan: Plan, callers: list[list[int]]) -> None:
    """Let the layer that stays stand for those that it was merged with."""
    (target,) = callers[merge.target]  # what is merged is called once
    keeper = form.items[target]
    moves = plan.graph.layers[plan.sources.index(merge.target)].config
    config = {name: moves.get(name, value) for name, value in keeper.layer.config.items()}
    keeper.layer = replace(keeper.layer, config=config)
    for number in (caller for layer in merge.gone for caller in callers[layer]):
        item = form.items[number]
        keeper.taken += [(unit, "collapsed") for unit in item.units] + item.taken
        # In a row the layer gone is read by the one that stays; side by side that is read instead.
        form.drop(number, None if merge.first is not None else Value(target))


def _take_up_folds(form: Form, plan: Plan, callers: list[list[int]]) -> None:
    """Let layers answer for what folds into them."""
    # A map that folds into several layers is given to the first; the others are told that they
    # helped.
    into = {int(fold.layer): int(fold.into[0]) for fold in plan.folds if fold.into}
    for fold in plan.folds:
        folded = [node for number in callers[int(fold.layer)] for node in form.items[number].units]
        for other in fold.into[1:]:
            for number in callers[int(other)]:
                if number in form.items:
                    form.items[number].helped += folded
        normalizes = plan.before.layers[int(fold.layer)].is_a("BatchNormalization")
        code = "batch-norms-folded" if normalizes else "affine-folded"
        keeper = int(fold.layer)
        # A map may fold into another map, which then folds itself.
        while keeper in into:
            keeper = into[keeper]
        _give(form, callers[int(fold.layer)], callers[keeper], code)


def _take_up_padding(form: Form, plan: Plan, callers: list[list[int]]) -> None:
    """Let convolutions take over from a padding layer before them where they could pad."""
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
    # Call by call where both are called equally often; else the first call answers for all.
    alike = len(gone) == len(keepers)
    for place, number in enumerate(gone):
        keeper = form.items[keepers[place if alike else 0]]
        item = form.items[number]
        keeper.taken += [(unit, code) for unit in item.units] + item.taken
        form.drop(number)
