"""Judgements model by model: what every report shows, in one order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_layercount.checks.judgement import Facts, Growth, Judgement, Limit, Outcome

_WORST: tuple[Outcome, ...] = ("failed", "expected", "passed")


@dataclass(frozen=True)
class Row:
    """A model, and everything that was judged of it."""

    name: str
    judgements: tuple[Judgement, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst that became of it."""
        return min((each.outcome for each in self.judgements), key=_WORST.index)

    @property
    def facts(self) -> Facts | None:
        """Its numbers, None where it could not be read; with what folds where that was planned."""
        known = [each.facts for each in self.judgements if each.facts]
        planned = (facts for facts in known if facts.folded_layers is not None or facts.unplanned)
        return next(planned, known[0] if known else None)

    @property
    def growth(self) -> Growth | None:
        """What changed since its baseline, None where it has none."""
        return next((each.growth for each in self.judgements if each.growth), None)

    @property
    def drifted(self) -> bool:
        """Whether it differs from its baseline."""
        return self.growth is not None and not self.growth.same

    @property
    def limits(self) -> list[Limit]:
        """Its limits, each once, those not kept first."""
        limits = dict.fromkeys(limit for each in self.judgements for limit in each.limits)
        return sorted(limits, key=lambda limit: limit.kept)

    @property
    def failed(self) -> list[Judgement]:
        """The judgements in which something was wrong with it."""
        return [each for each in self.judgements if each.message]

    @property
    def messages(self) -> list[str]:
        """What was wrong with it, each once."""
        failed = [each.message for each in self.judgements if each.outcome == self.outcome]
        return [message for message in dict.fromkeys(failed) if message]


@dataclass(frozen=True)
class Summary:
    """The models of a run: those that failed first, then by name."""

    rows: tuple[Row, ...]

    @property
    def failed(self) -> int:
        """How many models failed."""
        return sum(row.outcome == "failed" for row in self.rows)

    def changed(self) -> Summary:
        """Without the models that passed and are as their baselines, or have none."""
        return Summary(tuple(row for row in self.rows if row.outcome != "passed" or row.drifted))

    @property
    def judgements(self) -> list[Judgement]:
        """All judgements, test by test."""
        found = [each for row in self.rows for each in row.judgements]
        return sorted(found, key=lambda each: each.tested_in)


def summarize(judgements: Iterable[Judgement]) -> Summary:
    """Put together what was judged of the same model: one name, and the same numbers.

    A name does not depend on which tests run. Two models that share it have a row each, told
    apart by their numbers.
    """
    models: dict[object, list[Judgement]] = {}
    for judgement in judgements:
        models.setdefault(_identity(judgement), []).append(judgement)
    parts = (part for alike in models.values() for part in _by_folded(alike))
    rows = [Row(part[0].model, tuple(part)) for part in parts]
    return Summary(tuple(sorted(rows, key=lambda row: (_WORST.index(row.outcome), row.name))))


def _identity(judgement: Judgement) -> object:
    facts = judgement.facts
    if facts is None:
        return judgement.model, judgement.where
    numbers = (facts.keras, facts.layers, facts.nodes, facts.parameters)
    return judgement.model, judgement.where, numbers, tuple(facts.types.items())


def _by_folded(alike: list[Judgement]) -> list[list[Judgement]]:
    """Judgements of models with the same numbers, apart where folding leaves other numbers.

    A check that passed may not have planned what folds. It goes with the first that did.
    """
    known = [facts.folded_layers for judgement in alike if (facts := judgement.facts)]
    first = next((number for number in known if number is not None), None)
    parts: dict[int | None, list[Judgement]] = {}
    for judgement in alike:
        number = judgement.facts.folded_layers if judgement.facts else None
        parts.setdefault(first if number is None else number, []).append(judgement)
    return list(parts.values())
