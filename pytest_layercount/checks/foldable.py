"""Layers that have to fold: which are left in place, which of those may be, and why."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_layercount.checks.arguments import ArgumentError, check_known
from pytest_layercount.checks.layercount import unseen
from pytest_layercount.checks.subject import Subject
from pytest_layercount.model.count import count_graph
from pytest_layercount.text import cut, headline, note_lines, number, page

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan, Refusal

BATCH_NORMS = ("BatchNormalization", "SyncBatchNormalization")

REASONS = 3
"""How many reasons a failure explains at most."""


def check_foldable(
    subject: Subject,
    types: Sequence[str] = BATCH_NORMS,
    except_: Mapping[str, str] = MappingProxyType({}),
    note: str | None = None,
) -> Plan:
    """Fail unless every layer of ``types`` folds, but for those in ``except_``."""
    __tracebackhide__ = True
    plan = subject.plan()
    result = foldability(plan, types, except_)
    if not result.good:
        subject.fail(failure_text(plan.graph.name, result, types, note))
    return plan


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
    """``types`` as a tuple of class names, those of batch normalizations if there are none.

    A lone string is a mistake.
    """
    if types is None:
        return BATCH_NORMS
    names = () if isinstance(types, str) or not isinstance(types, Sequence) else tuple(types)
    if not names or not all(isinstance(name, str) and name for name in names):
        problem = "must be a list or tuple of layer types, like ('BatchNormalization',)"
        raise ArgumentError({"types": types}, problem)
    return names


_NOT_EXCEPTIONS = "must map layer paths to reasons, like {'stem/bn': 'read by the debugger'}"


def check_exceptions(except_: object) -> Mapping[str, str]:
    """``except_`` as a mapping of layer paths to reasons, none of them empty."""
    exceptions = {} if except_ is None else except_
    if not isinstance(exceptions, Mapping):
        raise ArgumentError({"except_": except_}, _NOT_EXCEPTIONS)
    for path, why in exceptions.items():
        if not (isinstance(path, str) and isinstance(why, str) and why.strip()):
            raise ArgumentError({"except_": except_}, _NOT_EXCEPTIONS)
    return exceptions


def _instead(path: str, folding: set[str], staying: Sequence[str]) -> str:
    if path in folding:
        return "folds now; remove the exception"
    close = difflib.get_close_matches(path, [*staying, *folding], n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"no layer of the types judged has this path{meant}"


def failure_text(
    name: str, result: Foldability, types: Sequence[str], note: str | None = None
) -> str:
    """Layers that stay where they should fold, or exceptions that are stale."""
    if not (result.judged or result.unseen):
        return _nothing_to_judge(name, types, note)
    stays = [*(refusal.layer for refusal in result.staying), *result.unexplained]
    staying = [*stays, *result.unseen]
    if not staying:
        one = len(result.stale) == 1
        fact = "1 stale exception" if one else f"{len(result.stale)} stale exceptions"
        return page(headline(name, fact), *_stale(result.stale), *note_lines(note))
    return page(
        headline(name, _fact(stays, result, types)),
        *reasons(result.staying),
        *(f"not known to the plan: {path}" for path in cut(result.unexplained, 2)),
        *unseen(result.unseen),
        *_stale(result.stale),
        *note_lines(note),
        f'to accept: except_={{"{staying[0]}": "why", ...}}',
    )


def _fact(stays: Sequence[str], result: Foldability, types: Sequence[str]) -> str:
    if stays:
        return f"{len(stays)} of {result.judged} {_kind(types)} stay"
    return f"{number(len(result.unseen), 'layer')} may hold {_kind(types)}"


def _nothing_to_judge(name: str, types: Sequence[str], note: str | None) -> str:
    return page(
        headline(name, f"0 {_kind(types)} to judge"),
        f"the model has no layer of type {' or '.join(types)}",
        "to assert that none is left:",
        f"    assert_layer_count(model, types={dict.fromkeys(types, 0)})",
        *note_lines(note),
    )


def _kind(types: Sequence[str]) -> str:
    if all(name.endswith("BatchNormalization") for name in types):
        return "batch norms"
    return types[0] if len(types) == 1 else "layers"


def reasons(refusals: Sequence[Refusal], *, whole: bool = False) -> list[str]:
    """Why layers stay, what to do about it and which they are; with ``whole``, all of them."""
    from pytest_layercount.folding.reasons import advice

    groups: dict[str, list[Refusal]] = {}
    for refusal in refusals:
        groups.setdefault(refusal.reason, []).append(refusal)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    most = len(ranked) if whole else REASONS
    lines = []
    for reason, members in ranked[:most]:
        lines.append(f"{reason} ({len(members)}): {advice(reason, members[0].blocker)}")
        shown = [f"    {refusal.layer}: {refusal.message}" for refusal in members]
        lines.extend(cut(shown, len(shown) if whole else 2, indent="    "))
    if len(ranked) > most:
        lines.append(f"and {number(len(ranked) - most, 'more reason')}")
    return lines


def _stale(stale: Mapping[str, str]) -> list[str]:
    return cut([f"except_[{path!r}]: {instead}" for path, instead in stale.items()], 2)
