"""Which layers of a plan are left in place, and which of those were expected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_layercount import messages
from pytest_layercount.criteria import ArgumentError

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.folding.result import Refusal

BATCH_NORMS = ("BatchNormalization", "SyncBatchNormalization")


@dataclass(frozen=True)
class Foldability:
    """What a plan says about the layers of the types asked for.

    ``staying`` were refused, ``unexplained`` are left without the plan saying
    a word about them (a user's own subclass, for instance), and ``stale`` are
    exceptions that no longer apply, each with what is the case instead.
    """

    judged: int
    staying: tuple[Refusal, ...]
    unexplained: tuple[str, ...]
    stale: Mapping[str, str]

    @property
    def good(self) -> bool:
        """Whether something was judged and everything is as expected."""
        return bool(self.judged) and not (self.staying or self.unexplained or self.stale)


def foldability(plan: Plan, types: Sequence[str], except_: Mapping[str, str]) -> Foldability:
    """Judge the layers of ``types`` in ``plan``, except those in ``except_``."""
    folding = {fold.layer for fold in plan.folds if fold.type in types}
    refused = {refusal.layer: refusal for refusal in plan.refusals if refusal.type in types}
    left = [layer.path for layer in plan.graph.layers if layer.type in types]
    unexplained = [path for path in left if path not in refused and path not in folding]
    staying = [*refused, *unexplained]
    return Foldability(
        judged=len(folding) + len(staying),
        staying=tuple(refused[path] for path in refused if path not in except_),
        unexplained=tuple(path for path in unexplained if path not in except_),
        stale={path: _instead(path, folding, staying) for path in except_ if path not in staying},
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
