"""A test's model against its baseline: missing, to be written, or to be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_layercount import messages, rerun
from pytest_layercount.checks.arguments import NOTHING, Allowance
from pytest_layercount.failure import Failed
from pytest_layercount.kept.claims import Claim, claim
from pytest_layercount.settings import settings

if TYPE_CHECKING:
    from pytest_layercount.baselines.growth import BaselineComparison
    from pytest_layercount.kept.baseline import Baseline
    from pytest_layercount.model.graph import ModelGraph

STRUCTURE = "structure"
FOLDED = " after folding"


@dataclass(frozen=True)
class Asked:
    """What is held against a baseline: some numbers, which may grow, or the whole structure."""

    metrics: tuple[str, ...] = ()
    allowance: Allowance = NOTHING
    folded: bool = False

    def __str__(self) -> str:
        return (", ".join(self.metrics) or STRUCTURE) + FOLDED * self.folded


@dataclass(frozen=True)
class Look:
    """What became of a claim: what was compared, if there is a baseline, and whether it holds."""

    claim: Claim
    comparison: BaselineComparison | None
    good: bool = True


def default_name(item: pytest.Item, place: str = "") -> str:
    """``test_detector.TestDeployed.test_small``, and where the test has the model from."""
    parts = [item.path.stem, *rerun.names(item), place]
    return ".".join(filter(None, parts))


def look(item: pytest.Item, graph: ModelGraph, asked: Asked, name: str) -> Look:
    """Hold ``graph`` against the baseline ``name`` of ``item``.

    Raises:
        Failed: there is no baseline, or none that this model could be held against.
    """
    __tracebackhide__ = True
    from pytest_layercount.kept.baseline import baseline

    made = claim(item, name)
    if made is None:
        raise Failed(messages.baselines.claimed_twice(name))
    test = "::".join([item.path.name, *rerun.names(item)])
    after = baseline(test, name, str(asked), graph)
    update = settings(item.config).update
    before = _load(made, ignore_damage=update == "all")
    if before is None:
        _write(made, after, graph, missing=update is None)
        return Look(made, None)
    new = after
    if not before.whole:  # a file of the old format: what it does not show is not compared
        after = baseline(test, name, str(asked), graph, whole=False)
    if update == "all":
        return Look(made, _rewrite(made, before, after, new, asked))
    if before.name != after.name:
        raise Failed(messages.baselines.of_another(made.shown, before.name))
    if before.judged.endswith(FOLDED) != asked.folded:
        said = messages.baselines.judged_otherwise(
            made.shown, before.judged, str(asked), made.command()
        )
        raise Failed(said)
    found = _compare(made, before, after, asked)
    made.partial = not before.whole
    made.drifted = found.good and not found.same
    return Look(made, found, good=found.good)


def _load(made: Claim, *, ignore_damage: bool) -> Baseline | None:
    __tracebackhide__ = True
    from pytest_layercount.kept.baseline import BaselineError, load

    try:
        return load(Path(made.path), made.shown)
    except BaselineError as error:
        if ignore_damage:
            return None
        raise Failed(str(error)) from None


def _write(made: Claim, after: Baseline, graph: ModelGraph, *, missing: bool) -> None:
    __tracebackhide__ = True
    from pytest_layercount.kept.baseline import written

    text = written(after)
    if missing:
        layers, command = after.numbers["layers"], made.command("new")
        said = messages.baselines.missing(graph.name, layers, made.shown, text, command)
        raise Failed(said)
    made.text = text


def _rewrite(
    made: Claim, before: Baseline, after: Baseline, new: Baseline, asked: Asked
) -> BaselineComparison:
    from pytest_layercount.baselines.growth import alike
    from pytest_layercount.kept.baseline import written

    same = (before.test, before.name, before.judged) == (after.test, after.name, after.judged)
    if not (same and before.whole and alike(before, after)):
        made.text = written(new)
    return _compare(made, before, after, asked)


def _compare(made: Claim, before: Baseline, after: Baseline, asked: Asked) -> BaselineComparison:
    __tracebackhide__ = True
    from pytest_layercount.baselines.growth import compare

    try:
        return compare(before, after, asked.metrics, asked.allowance)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = str(error) or type(error).__name__
        raise Failed(messages.baselines.no_model(made.shown, said, made.command())) from None
