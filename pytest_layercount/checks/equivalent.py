"""Outputs that folding has to keep: how far they are off, and where that starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_layercount.checks.foldable import reasons
from pytest_layercount.checks.subject import Subject, said_plainly
from pytest_layercount.text import headline, note_lines, page

if TYPE_CHECKING:
    from pytest_layercount.folding.equivalence import FoldCheck
    from pytest_layercount.folding.plan import Refusal


def check_equivalent(
    subject: Subject, inputs: Any = None, seed: int = 0, note: str | None = None
) -> FoldCheck:
    """Fail unless folding keeps the outputs; return what was compared."""
    __tracebackhide__ = True
    name = subject.graph().name
    with said_plainly(subject.model):
        from pytest_layercount.folding.equivalence import check_fold

        check = check_fold(subject.model, inputs=inputs, seed=seed)
    if not (check.result.folds or check.result.removed):
        subject.fail(nothing_folded(name, check.result.refusals, note))
    if not check.equivalence.equivalent:
        subject.fail(failure_text(name, check, note))
    return check


def nothing_folded(name: str, refusals: Sequence[Refusal], note: str | None = None) -> str:
    """An equivalence check that has nothing to compare."""
    return page(
        headline(name, f"0 layers fold, {len(refusals)} refused"),
        "nothing was folded, so there is nothing to compare",
        *reasons(refusals),
        *note_lines(note),
    )


def failure_text(name: str, check: FoldCheck, note: str | None = None) -> str:
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
