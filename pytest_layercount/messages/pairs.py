"""How two models differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_layercount.layout import cut, headline, note_lines, number, page, short
from pytest_layercount.messages.counts import NOUNS

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.compare.partition import Change
    from pytest_layercount.structure import Difference

CAUSES = 6
"""How many causes of a difference a failure lists at most."""


def not_same_structure(found: Difference, note: str | None = None) -> str:
    """Two models that differ, and why."""
    before, after = found.explanation.before, found.explanation.after
    delta = after.total - before.total
    noun = NOUNS[before.count]
    fact = f"{before.total} -> {after.total} {noun} ({delta:+d})"
    if not delta:
        differ = number(len(found.changed) + len(found.causes), "difference")
        fact = f"{before.total} {noun} each, {differ}"
    codes = [*(cause.code for cause in found.causes), *["changed"] * bool(found.changed)]
    return page(
        headline(after.model, fact),
        f"compared: {noun} of {before.model}, {before.keras}, with {after.model}, {after.keras}",
        *_causes(found.causes),
        *_changed(found.changed),
        *_ignored(found.ignored),
        *note_lines(note),
        "to see every layer concerned: pytest_layercount.explain(a, b).causes and .changed",
        f"to accept: ignore={tuple(dict.fromkeys(codes))}",
    )


def _causes(causes: Sequence[Cause]) -> list[str]:
    lines = []
    for cause in causes[:CAUSES]:
        lines.append(f"{cause.delta:+6d} {cause.code}: {cause.message}")
        paths = [path for path in cause.before or cause.after if path]
        lines += [f"       {_some(paths)}"] if paths else []
    rest = causes[CAUSES:]
    delta = sum(cause.delta for cause in rest)
    return [*lines, f"{delta:+6d} by {number(len(rest), 'other cause')}"] if rest else lines


def _changed(changed: Sequence[Change]) -> list[str]:
    if not changed:
        return []
    shown = [f"       {change.after or change.type}: {_attributes(change)}" for change in changed]
    return [f"       changed: {len(changed)} in both models", *cut(shown, 3, indent=" " * 7)]


def _attributes(change: Change) -> str:
    return ", ".join(
        f"{name} {short(one)} -> {short(two)}" for name, (one, two) in change.attributes.items()
    )


def _ignored(ignored: Sequence[Cause]) -> list[str]:
    said = ", ".join(f"{cause.delta:+d} {cause.code}" for cause in ignored)
    return [f"ignored: {said}"] if said else []


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:2])
    return shown if len(paths) < 3 else f"{shown} and {len(paths) - 2} more"
