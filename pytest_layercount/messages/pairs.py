"""How two models differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_layercount.messages.counts import NOUNS
from pytest_layercount.text import cut, headline, note_lines, number, page, short, some

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.compare.partition import Change
    from pytest_layercount.structure import Difference

CAUSES = 6
"""How many causes of a difference a failure lists at most."""

_CONFIRMED = ", as the weights confirm"


def not_same_structure(found: Difference, note: str | None = None) -> str:
    """Two models that differ, and why."""
    codes = [*(cause.code for cause in found.causes), *["changed"] * bool(found.changed)]
    return page(
        headline(found.explanation.after.model, fact(found)),
        compared(found),
        *differences(found.causes, found.changed),
        *_ignored(found.ignored),
        *note_lines(note),
        "to see every layer concerned: pytest_layercount.explain(a, b).causes and .changed",
        f"to accept: ignore={tuple(dict.fromkeys(codes))}",
    )


def differences(causes: Sequence[Cause], changed: Sequence[Change]) -> list[str]:
    """What made the difference, the largest first, as far as there is room."""
    shown = [*_causes(causes[:CAUSES]), *_other_causes(causes[CAUSES:])]
    return [*shown, *_changed(changed)]


def fact(found: Difference) -> str:
    """Both numbers."""
    before, after = found.explanation.before, found.explanation.after
    noun = NOUNS[before.count]
    if after.total != before.total:
        return f"{before.total} -> {after.total} {noun} ({after.total - before.total:+d})"
    differ = number(len(found.changed) + len(found.causes), "difference")
    return f"{before.total} {noun} each, {differ if not found.good else 'the same structure'}"


def compared(found: Difference) -> str:
    """Which models, and which Keras."""
    before, after = found.explanation.before, found.explanation.after
    noun = NOUNS[before.count]
    return f"compared: {noun} of {before.model}, {before.keras}, with {after.model}, {after.keras}"


def all_differences(found: Difference, *, whole: bool) -> list[str]:
    """Every cause and change, and with ``whole`` every layer concerned."""
    most = len(found.changed) if whole else 3
    shown = [*_causes(found.causes, whole=whole), *_changed(found.changed, most)]
    return [*shown, *_ignored(found.ignored)]


def _causes(causes: Sequence[Cause], *, whole: bool = False) -> list[str]:
    lines = []
    for cause in causes:
        said = _CONFIRMED if cause.confirmed else ""
        lines.append(f"{cause.delta:+6d} {cause.code}: {cause.message}{said}")
        if whole:
            lines += [f"       - {path}" for path in cause.before if path]
            lines += [f"       + {path}" for path in cause.after if path]
        elif paths := [path for path in cause.before or cause.after if path]:
            lines.append(f"       {some(paths, 2)}")
    return lines


def _other_causes(causes: Sequence[Cause]) -> list[str]:
    delta = sum(cause.delta for cause in causes)
    return [f"{delta:+6d} by {number(len(causes), 'other cause')}"] if causes else []


def _changed(changed: Sequence[Change], most: int = 3) -> list[str]:
    if not changed:
        return []
    shown = [f"       {change.after or change.type}: {_attributes(change)}" for change in changed]
    return [f"       changed: {len(changed)} in both models", *cut(shown, most, indent=" " * 7)]


def _attributes(change: Change) -> str:
    return ", ".join(
        f"{name} {short(one)} -> {short(two)}" for name, (one, two) in change.attributes.items()
    )


def _ignored(ignored: Sequence[Cause]) -> list[str]:
    said = ", ".join(f"{cause.delta:+d} {cause.code}" for cause in ignored)
    return [f"ignored: {said}"] if said else []
