"""A model against its baseline: what is asked, whether it may differ as it does, and the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_layercount import rerun
from pytest_layercount.checks.arguments import NOTHING, Allowance, ArgumentError, checked
from pytest_layercount.checks.claims import Claim, claim_of
from pytest_layercount.checks.judgement import Growth, Step
from pytest_layercount.checks.structure import differences
from pytest_layercount.checks.subject import Subject
from pytest_layercount.measures import BY_METRIC, NOUNS
from pytest_layercount.text import (
    cut,
    headline,
    instead,
    note_lines,
    number,
    page,
    short,
    size,
)

if TYPE_CHECKING:
    import pytest

    from pytest_layercount.checks.growth import BaselineComparison, MetricGrowth
    from pytest_layercount.kept.baseline import Baseline

_STRUCTURE = "structure"
_FOLDED = " after folding"


@dataclass(frozen=True)
class Asked:
    """What is held against a baseline: some numbers, which may grow, or the whole structure."""

    metrics: tuple[str, ...] = ()
    allowance: Allowance = NOTHING
    folded: bool = False

    def __str__(self) -> str:
        return (", ".join(self.metrics) or _STRUCTURE) + _FOLDED * self.folded


def check_asked(name: object, max_growth: object, metrics: object) -> Asked:
    """The arguments of ``assert_matches_baseline``, checked."""
    if name is not None and not (isinstance(name, str) and name):
        raise ArgumentError({"name": name}, "must be text that is not empty")
    chosen = () if metrics is None else _metrics(metrics)
    if max_growth is None:
        return Asked(chosen)
    allowance = checked({"max_growth": max_growth})["max_growth"]
    return Asked(chosen or ("layers",), allowance)


def _metrics(metrics: object) -> tuple[str, ...]:
    from pytest_layercount.kept.baseline import METRICS

    if isinstance(metrics, str) or not isinstance(metrics, Sequence) or not metrics:
        problem = "must be a list or tuple of metrics, like ('layers', 'parameters')"
        raise ArgumentError({"metrics": metrics}, problem)
    for metric in metrics:
        if metric not in METRICS:
            problem = f"there is no metric {short(metric)}{instead(metric, METRICS)}"
            raise ArgumentError({"metrics": metrics}, problem)
    return tuple(metrics)


def default_name(item: pytest.Item, place: str = "") -> str:
    """``test_detector.TestDeployed.test_small``, and where the test has the model from."""
    parts = [item.path.stem, *rerun.names(item), place]
    return ".".join(filter(None, parts))


def check_baseline(
    item: pytest.Item,
    subject: Subject,
    asked: Asked,
    name: str,
    note: str | None = None,
    *,
    update: str | None = None,
) -> BaselineComparison | None:
    """Fail unless a model is as its baseline has it, and note for the reports how it differs.

    ``update`` is ``"all"`` to write the baseline as the model is now, ``"new"`` only if there
    is none, and None to write nothing.
    """
    __tracebackhide__ = True
    from pytest_layercount.kept.baseline import baseline, written

    subject.folded = asked.folded
    graph = subject.plan().graph if asked.folded else subject.graph()
    claim = claim_of(item, name)
    if claim is None:
        subject.fail(
            f"this test already has a baseline {name!r}: give each model a name, with name="
        )
    test = "::".join([item.path.name, *rerun.names(item)])
    now = baseline(test, name, str(asked), graph)
    before = _load(subject, claim, ignore_damage=update == "all")
    if before is None:
        if update is None:
            subject.fail(missing_text(graph.name, now, claim))
        claim.text = written(now)
        return None
    # What a file of the old format does not show is not compared.
    after = now if before.whole else baseline(test, name, str(asked), graph, whole=False)
    if update != "all":
        _check_same(subject, claim, before, now)
    comparison = _compare(subject, claim, before, after, asked)
    subject.growth = _growth(comparison, claim.shown, asked)
    if update == "all":
        claim.text = written(now) if _is_other(before, after) else None
        return comparison
    claim.partial = not before.whole
    claim.drifted = comparison.good and not comparison.same
    if not comparison.good:
        subject.fail(failure_text(graph.name, comparison, claim, asked.allowance, note))
    return comparison


def _load(subject: Subject, claim: Claim, *, ignore_damage: bool) -> Baseline | None:
    __tracebackhide__ = True
    from pytest_layercount.kept.baseline import BaselineError, load

    try:
        return load(Path(claim.path), claim.shown)
    except BaselineError as error:
        if ignore_damage:
            return None
        subject.fail(str(error))


def _check_same(subject: Subject, claim: Claim, before: Baseline, now: Baseline) -> None:
    """Fail where a file is not the baseline of what is judged."""
    __tracebackhide__ = True
    if before.name != now.name:
        subject.fail(f"{claim.shown} is the baseline {before.name!r}: a copy, or renamed by hand")
    if before.judged.endswith(_FOLDED) != now.judged.endswith(_FOLDED):
        subject.fail(
            f"{claim.shown} is a baseline of {before.judged}, and the test judges {now.judged}\n"
            f"to accept: {claim.command()}"
        )


def _compare(
    subject: Subject, claim: Claim, before: Baseline, after: Baseline, asked: Asked
) -> BaselineComparison:
    __tracebackhide__ = True
    from pytest_layercount.checks.growth import compare

    try:
        return compare(before, after, asked.metrics, asked.allowance)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = str(error) or type(error).__name__
        subject.fail(
            f"{claim.shown}: damaged baseline: its layers make no model ({said})\n"
            f"to accept the model as it is: {claim.command()}"
        )


def _is_other(before: Baseline, after: Baseline) -> bool:
    """Whether the file would say something else."""
    from pytest_layercount.checks.growth import alike

    same = (before.test, before.name, before.judged) == (after.test, after.name, after.judged)
    return not (same and before.whole and alike(before, after))


def _growth(comparison: BaselineComparison, file: str, asked: Asked) -> Growth:
    """The outcome as reports have it."""
    steps = (
        Step(
            cause.code, cause.delta, cause.message, tuple(filter(None, cause.after or cause.before))
        )
        for cause in comparison.causes
    )
    before = comparison.before.numbers
    allowed = str(asked.allowance) if asked.metrics else ""
    return Growth(
        file,
        before["layers"],
        before["parameters"],
        tuple(steps),
        allowed,
        folded=asked.folded,
        same=comparison.same,
    )


def missing_text(model: str, now: Baseline, claim: Claim) -> str:
    """No baseline yet: what would be written, and the command that writes it."""
    from pytest_layercount.kept.baseline import written

    would = [line for line in written(now).splitlines() if not line.startswith("#")][1:]
    shown = [f"    {line}".rstrip() for line in cut(would, 18)]
    return page(
        headline(model, f"no baseline yet, has {number(now.numbers['layers'], 'layer')}"),
        f"would be written to {claim.shown}:",
        *shown,
        f"to write it: {claim.command('new')}",
    )


def failure_text(
    model: str,
    comparison: BaselineComparison,
    claim: Claim,
    allowance: Allowance,
    note: str | None = None,
) -> str:
    """A model that differs from its baseline more than it may."""
    before, after = comparison.before, comparison.after
    over = [growth for growth in comparison.growths if not growth.kept]
    facts = [_fact(growth) for growth in over] or [_difference(comparison)]
    partial = (
        "the baseline is of an old format that does not show every setting, as one of now does"
    )
    return page(
        headline(model, facts[0]),
        *(f"and {fact}" for fact in facts[1:]),
        *_allowed(over, allowance),
        f"first: the baseline {claim.shown}, {before.graph.keras}",
        f"second: the model as it is, {after.graph.keras}",
        *differences(comparison.causes, comparison.explanation.changed),
        *([] if before.whole else [partial]),
        *note_lines(note),
        f"to accept: {claim.command()}",
    )


def _fact(growth: MetricGrowth) -> str:
    sign = "+" if growth.delta >= 0 else "-"
    before, after, delta = (
        _written(growth.metric, value) for value in (growth.before, growth.after, abs(growth.delta))
    )
    return f"{before} -> {after} {_noun(growth.metric)} ({sign}{delta})"


def _written(metric: str, value: int) -> str:
    measure = BY_METRIC.get(metric)
    return size(value) if measure is None else measure.written(value)


def _noun(metric: str, value: int = 2) -> str:
    """``layers``; ``layer`` where there is one."""
    measure = BY_METRIC.get(metric)
    noun = NOUNS[metric] if measure is None else measure.noun
    return noun.removesuffix("s") if value == 1 and metric not in ("depth", "bytes") else noun


def _difference(comparison: BaselineComparison) -> str:
    before, after = comparison.explanation.before.total, comparison.explanation.after.total
    delta = sum(cause.delta for cause in comparison.causes)
    if delta:
        return f"{before} -> {after} layers ({delta:+d})"
    differ = len(comparison.causes) + len(comparison.explanation.changed)
    return f"{after} layers, {number(differ, 'difference')}"


def _allowed(over: Sequence[MetricGrowth], allowance: Allowance) -> list[str]:
    if not over:
        return []
    most = ", ".join(
        f"{_written(growth.metric, growth.allowed)} {_noun(growth.metric, growth.allowed)}"
        for growth in over
    )
    share = "" if allowance.percent is None else f"{allowance} more, "
    return [f"allowed: {share}{most}" if share else f"allowed: {most} more"]
