"""What a baseline is asked for, and the outcome as reports have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_layercount import messages
from pytest_layercount.baselines.check import Asked, look
from pytest_layercount.checks.arguments import ArgumentError, checked
from pytest_layercount.checks.judgement import Growth, Step
from pytest_layercount.failure import Failed
from pytest_layercount.text import instead, short

if TYPE_CHECKING:
    import pytest

    from pytest_layercount.baselines.growth import BaselineComparison
    from pytest_layercount.checks.subject import Subject


def check_asked(name: object, max_growth: object, metrics: object) -> Asked:
    """The arguments of ``assert_matches_baseline``, checked."""
    if name is not None and not (isinstance(name, str) and name):
        raise ArgumentError({"name": name}, "must be text that is not empty")
    chosen = () if metrics is None else _metrics(metrics)
    if max_growth is None:
        return Asked(chosen)
    allowance = checked({"max_growth": max_growth})["max_growth"]
    return Asked(chosen or ("layers",), allowance)


def against_baseline(
    item: pytest.Item, subject: Subject, asked: Asked, name: str, note: str | None = None
) -> BaselineComparison | None:
    """Hold a model against its baseline and note for the reports how it differs."""
    __tracebackhide__ = True
    subject.folded = asked.folded
    graph = subject.plan().graph if asked.folded else subject.graph()
    seen = look(item, graph, asked, name)
    found = seen.comparison
    if found is None:
        return None
    subject.growth = _growth(found, seen.claim.shown, asked)
    if not seen.good:
        claim, allowed = seen.claim, str(asked.allowance)
        where = messages.baselines.Where(graph.name, claim.shown, claim.command(), allowed)
        raise Failed(messages.baselines.grown(found, where, note=note))
    return found


def _growth(found: BaselineComparison, file: str, asked: Asked) -> Growth:
    steps = (
        Step(
            cause.code, cause.delta, cause.message, tuple(filter(None, cause.after or cause.before))
        )
        for cause in found.causes
    )
    before = found.before.numbers
    allowed = str(asked.allowance) if asked.metrics else ""
    return Growth(
        file,
        before["layers"],
        before["parameters"],
        tuple(steps),
        allowed,
        folded=asked.folded,
        same=found.same,
    )


_NOT_METRICS = "must be a list or tuple of metrics, like ('layers', 'parameters')"


def _metrics(metrics: object) -> tuple[str, ...]:
    from pytest_layercount.kept.baseline import METRICS

    if isinstance(metrics, str) or not isinstance(metrics, Sequence) or not metrics:
        raise ArgumentError({"metrics": metrics}, _NOT_METRICS)
    for metric in metrics:
        if metric not in METRICS:
            problem = f"there is no metric {short(metric)}{instead(metric, METRICS)}"
            raise ArgumentError({"metrics": metrics}, problem)
    return tuple(metrics)
