"""Two models that have to have the same structure: what differs, and what may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_layercount.checks.arguments import ArgumentError
from pytest_layercount.checks.subject import Subject, read_source
from pytest_layercount.measures import NOUNS
from pytest_layercount.text import (
    cut,
    headline,
    instead,
    note_lines,
    number,
    page,
    short,
    some,
)

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.compare.partition import Change
    from pytest_layercount.model.count import Count

CAUSES = 6
"""How many causes of a difference a failure lists at most."""

_CONFIRMED = ", as the weights confirm"


def check_structure(
    a: Any, subject: Subject, ignore: Sequence[str], count: Count, note: str | None = None
) -> Explanation:
    """Fail unless ``a`` and a model have the same structure; return the explanation."""
    __tracebackhide__ = True
    one, two = read_source(a), subject.source()
    from pytest_layercount.compare.explain import explain_sources

    found = difference(explain_sources(one, two, count), ignore)
    if not found.good:
        subject.fail(failure_text(found, note))
    return found.explanation


@dataclass(frozen=True)
class Difference:
    """What differs between two models, less what was to be ignored."""

    explanation: Explanation
    causes: tuple[Cause, ...]
    changed: tuple[Change, ...]
    ignored: tuple[Cause, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is left that differs."""
        return not (self.causes or self.changed)


def difference(explanation: Explanation, ignore: Sequence[str]) -> Difference:
    """Judge an explanation, ignoring the causes with the codes in ``ignore``."""
    return Difference(
        explanation,
        causes=tuple(cause for cause in explanation.causes if cause.code not in ignore),
        changed=() if "changed" in ignore else explanation.changed,
        ignored=tuple(cause for cause in explanation.causes if cause.code in ignore),
    )


def check_codes(ignore: object) -> tuple[str, ...]:
    """``ignore`` as a tuple of codes of causes."""
    from pytest_layercount.compare.causes import CODES

    if isinstance(ignore, str) or not isinstance(ignore, Sequence):
        problem = "must be a list or tuple of the codes of causes, like ('batch-norms-folded',)"
        raise ArgumentError({"ignore": ignore}, problem)
    for code in ignore:
        if code not in CODES:
            problem = f"there is no cause {short(code)}{instead(code, CODES)}"
            raise ArgumentError({"ignore": ignore}, problem)
    return tuple(ignore)


def failure_text(found: Difference, note: str | None = None) -> str:
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
