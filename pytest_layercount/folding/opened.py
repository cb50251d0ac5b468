"""A live model as it is folded: composite layers opened where something in them folds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from pytest_layercount.folding.plan import PASSES, Plan, Refusal
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.folding.rules import OURS, RuleBook
from pytest_layercount.folding.rules.custom import ask_hooks
from pytest_layercount.model.keras.common import is_composite
from pytest_layercount.model.readers.live import Inside, OpenModel, open_model


@dataclass(frozen=True)
class Taught(OpenModel):
    """A model and the rules for its layers, users' among them.

    Where layers that could be opened stay whole, because nothing in them folds, ``refusals``
    are those of a plan for the model with all of them opened.
    """

    book: RuleBook = OURS
    refusals: tuple[Refusal, ...] = ()


def book_of(opened: OpenModel) -> RuleBook:
    """The rules for the layers of a model; ours alone where no user was asked."""
    return opened.book if isinstance(opened, Taught) else OURS


def taught(read: OpenModel) -> Taught:
    """Add users' rules to a model that was read.

    Raises:
        ModelError: a hook answers with something other than a Rule.
    """
    graph, book = ask_hooks(read)
    return Taught(graph, read.layers, read.model, read.opened, read.whole, read.trained, book)


def open_to_fold(read: OpenModel, *, passes: tuple[str, ...] = PASSES) -> Taught:
    """Give a model that was read the users' rules, and open what something folds in.

    A composite layer stays whole where a user's rule answers for it, where its call cannot
    be followed and where nothing in it folds: that changes least. What is opened depends on
    the structure alone, so that a plan and the fold carried out agree on it.
    """
    whole = taught(read)
    every = open_wide(whole)
    if not every.opened:
        return whole
    # First as if every layer were open, to see in which of them something folds; then only these.
    plan = plan_graph(every.graph, passes=passes, book=every.book)
    needed = _touched(plan, every)
    if len(needed) == len(every.opened):
        return every
    some = _opened(whole, needed.__contains__) if needed else whole
    if len(plan_graph(some.graph, passes=passes, book=some.book).folds) < len(plan.folds):
        return every  # a map has to pass through a layer to fold elsewhere
    return replace(some, refusals=plan.refusals)


def explained(plan: Plan, opened: Taught) -> Plan:
    """Give the reason that keeps a normalization inside a layer that could have been opened.

    ``inside-layer`` would tell the user to make the layer such that it can be.
    """
    known = {no.layer: no for no in opened.refusals}
    inside = [no for no in plan.refusals if no.reason == "inside-layer" and no.layer in known]
    if not inside:
        return plan
    followed = {no: known[no.layer] for no in inside}
    return replace(plan, refusals=tuple(followed.get(no, no) for no in plan.refusals))


def open_wide(whole: Taught) -> Taught:
    """Open every composite layer of a model that users' rules do not answer for."""
    layers = enumerate(whole.graph.layers)
    # A place of one number is a layer of the graph; longer ones are of layers in a wrapper.
    known = {layer.path for number, layer in layers if (number,) in whole.book.users}
    return _opened(whole, lambda path: path not in known)


def open_as(read: OpenModel, opened: Collection[str]) -> Taught:
    """Give a model the users' rules, and open just the composite layers with these paths."""
    whole = taught(read)
    return _opened(whole, opened.__contains__) if opened else whole


def _opened(whole: Taught, inside: Inside) -> Taught:
    if not any(map(is_composite, whole.layers)):
        return whole
    return replace(taught(open_model(whole.model, inside=inside)), whole=whole.graph)


def _touched(plan: Plan, opened: OpenModel) -> frozenset[str]:
    """The opened layers in which a layer folds, takes a map up or is merged."""
    paths = {path for fold in plan.folds for path in (fold.layer, *fold.into)}
    merged = {number for merge in plan.merges for number in merge.layers}
    paths |= {opened.graph.layers[number].path for number in merged}
    return frozenset(
        path for path in opened.opened if any(other.startswith(f"{path}/") for other in paths)
    )
