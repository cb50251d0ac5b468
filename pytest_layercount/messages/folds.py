"""What does not fold, and a fold that changes outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_layercount.messages.counts import unseen
from pytest_layercount.text import cut, headline, note_lines, number, page

if TYPE_CHECKING:
    from pytest_layercount.foldable import Foldability
    from pytest_layercount.folding.equivalence import FoldCheck
    from pytest_layercount.folding.plan import Refusal

OURS = "layers that this package brings are meant to fold exactly: please report it"

REASONS = 3
"""How many reasons a failure explains at most."""


def foldable(name: str, found: Foldability, types: Sequence[str], note: str | None = None) -> str:
    """Layers that stay where they should fold, or exceptions that are stale."""
    if not (found.judged or found.unseen):
        return _nothing_to_judge(name, types, note)
    stays = [*(refusal.layer for refusal in found.staying), *found.unexplained]
    staying = [*stays, *found.unseen]
    if not staying:
        one = len(found.stale) == 1
        fact = "1 stale exception" if one else f"{len(found.stale)} stale exceptions"
        return page(headline(name, fact), *_stale(found.stale), *note_lines(note))
    return page(
        headline(name, _fact(stays, found, types)),
        *reasons(found.staying),
        *(f"not known to the plan: {path}" for path in cut(found.unexplained, 2)),
        *unseen(found.unseen),
        *_stale(found.stale),
        *note_lines(note),
        f'to accept: except_={{"{staying[0]}": "why", ...}}',
    )


def _fact(stays: Sequence[str], found: Foldability, types: Sequence[str]) -> str:
    if stays:
        return f"{len(stays)} of {found.judged} {_kind(types)} stay"
    return f"{number(len(found.unseen), 'layer')} may hold {_kind(types)}"


def no_such_layer(close: Sequence[str]) -> str:
    """An exception for a layer that is not there."""
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"no layer of the types judged has this path{meant}"


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


def nothing_folded(name: str, refusals: Sequence[Refusal], note: str | None = None) -> str:
    """An equivalence check that has nothing to compare."""
    return page(
        headline(name, f"0 layers fold, {len(refusals)} refused"),
        "nothing was folded, so there is nothing to compare",
        *reasons(refusals),
        *note_lines(note),
    )


def not_equivalent(name: str, check: FoldCheck, note: str | None = None) -> str:
    """A folded model whose outputs differ from the original's."""
    result, worst = check.equivalence, check.equivalence.worst
    kind = "output" if worst in result.outputs else "layer"
    wrong = sum(not output.equivalent for output in result.outputs)
    copy = " on a copy with randomised batch-norm statistics" if check.randomised else ""
    return page(
        headline(name, f"off by {worst.difference:.1e} > limit {worst.limit:.1e}"),
        f"worst {kind}: {worst.name}, values up to {worst.magnitude:.1e}"
        f" ({wrong} of {len(result.outputs)} outputs differ)",
        f"first layer that differs: {result.first or 'not found'}",
        f"compared in {result.dtype}, seed {result.seed}{copy}",
        *note_lines(note),
        f"to look closer: pytest_layercount.fold(model).folds ({len(check.result.folds)} folds)",
        result.cause
        or "layers that this package brings are meant to fold exactly: please report it",
    )
