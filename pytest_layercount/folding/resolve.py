"""A plan with weights: whatever the new weights turn out not to allow is planned anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.bounds import surely_finite
from pytest_layercount.folding.opened import explained
from pytest_layercount.folding.passes.unshare import unshare_where_it_helps
from pytest_layercount.folding.plan import Plan, plan_graph, weights_of
from pytest_layercount.folding.weights import folded_weights

if TYPE_CHECKING:
    from pytest_layercount.model.keras.variables import Look
    from pytest_layercount.model.readers.live import OpenModel


class Resolved(NamedTuple):
    """A plan that can be carried out: for which model, and the new weights by layer number."""

    opened: OpenModel
    plan: Plan
    weights: dict[int, dict[str, Array]]


def resolved(opened: OpenModel, *, passes: tuple[str, ...], unshare: bool = False) -> Resolved:
    """The plan for ``opened``, every condition on its weights decided.

    A layer whose weights are not finite, or would not be in their data type, keeps
    them: then the plan is made again without it. With ``unshare`` the model may
    become one in which calls of a shared layer have copies of their own.
    """
    sealed: dict[int, str] = {}

    def plan_of(opened: OpenModel) -> Plan:
        return plan_graph(opened.graph, weights_of(opened), passes=passes, sealed=sealed)

    while True:
        plan = plan_of(opened)
        if unshare:
            opened, plan = unshare_where_it_helps(opened, plan, plan_of)
        weights, unfit = folded_weights(opened, plan)
        if not unfit:
            return Resolved(opened, explained(plan, opened), weights)
        sealed.update(unfit)


def resolved_plan(opened: OpenModel, look: Look) -> Plan:
    """The plan alone: new weights that cannot but be finite are not computed."""
    sealed: dict[int, str] = {}
    while True:
        plan = plan_graph(opened.graph, weights_of(opened, look), sealed=sealed)
        sure = surely_finite(opened, plan, look)
        doubtful = tuple(one for one in plan.absorptions if one.layer not in sure)
        _, unfit = folded_weights(opened, replace(plan, absorptions=doubtful))
        if not unfit:
            return explained(plan, opened)
        sealed.update(unfit)
