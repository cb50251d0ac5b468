"""Which layers of a plan are left in place, and which of those were expected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_layercount import messages
from pytest_layercount.criteria import ArgumentError, check_known
from pytest_layercount.model.count import count_graph

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan, Refusal

BATCH_NORMS = ("BatchNormalization", "SyncBatchNormalization")


@dataclass(frozen=True)
class Foldability:
    """What a plan says about the layers of the types asked for.

    ``staying`` were refused, ``unexplained`` are left without the plan saying
    a word about them (a user's own subclass, for instance), ``unseen`` are layers of
    which it is not known whether they are or hold one, and ``stale`` are
    exceptions that no longer apply, each with what is the case instead. A layer is of
    the types asked for if its class is or derives from one, wherever it stands.
    """

    judged: int
    staying: tuple[Refusal, ...]
    unexplained: tuple[str, ...]
    stale: Mapping[str, str]
    unseen: tuple[str, ...] = ()

    @property
    def left(self) -> bool:
        """Whether a layer stays that is no exception, or may."""
        return bool(self.staying or self.unexplained or self.unseen)

    @property
    def good(self) -> bool:
        """Whether something was judged and everything is as expected."""
        return bool(self.judged) and not (self.left or self.stale)


def foldability(plan: Plan, types: Sequence[str], except_: Mapping[str, str]) -> Foldability:
    """Judge the layers of ``types`` in ``plan``, except those in ``except_``.

    Raises:
        ArgumentError: a type that does not exist.
    """
    known = {layer.path: layer for graph in (plan.graph, plan.before) for layer in graph.every()}
    there = {name for layer in known.values() for name in (layer.type, *layer.bases)}
    check_known(types, there)

    def asked(path: str) -> list[str]:
        """The layers of the types asked for: this one, or what it wraps."""
        layers = (known[path], *known[path].held()) if path in known else ()
        return [layer.path for layer in layers if any(map(layer.is_a, types))]

    folding = {path for fold in plan.folds for path in asked(fold.layer)}
    refused = {
        path: replace(refusal, layer=path)
        for refusal in plan.refusals
        for path in asked(refusal.layer)
    }
    left = [path for layer in plan.graph.layers for path in asked(layer.path)]
    unexplained = [path for path in left if path not in folding and path not in refused]
    counted = count_graph(plan.graph)
    unseen = {path: None for name in types for path in counted.hidden_from(name)}
    staying = [*refused, *unexplained]
    may = [path for path in unseen if path not in staying]
    return Foldability(
        judged=len(folding) + len(staying),
        staying=tuple(refused[path] for path in refused if path not in except_),
        unexplained=tuple(path for path in unexplained if path not in except_),
        stale={
            path: _instead(path, folding, staying)
            for path in except_
            if path not in [*staying, *may]
        },
        unseen=tuple(path for path in may if path not in except_),
    )


def check_types(types: object) -> tuple[str, ...]:
    """``types`` as a tuple of class names; a lone string is a mistake."""
    names = () if isinstance(types, str) or not isinstance(types, Sequence) else tuple(types)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ArgumentError({"types": types}, messages.arguments.NOT_TYPE_NAMES)
    return names


def check_exceptions(except_: object) -> Mapping[str, str]:
    """``except_`` as a mapping of layer paths to reasons, none of them empty."""
    exceptions = {} if except_ is None else except_
    if not isinstance(exceptions, Mapping):
        raise ArgumentError({"except_": except_}, messages.arguments.NOT_EXCEPTIONS)
    for path, why in exceptions.items():
        if not (isinstance(path, str) and isinstance(why, str) and why.strip()):
            raise ArgumentError({"except_": except_}, messages.arguments.NOT_EXCEPTIONS)
    return exceptions


def _instead(path: str, folding: set[str], staying: Sequence[str]) -> str:
    if path in folding:
        return messages.arguments.FOLDS_NOW
    return messages.folds.no_such_layer(difflib.get_close_matches(path, [*staying, *folding], n=1))
