"""Plant every mistake in a model, seed by seed, and count what was caught."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.faults.mistakes import MISTAKES
from tests.faults.subject import Subject


@dataclass
class Row:
    """One model. ``largest`` is the largest ratio of a right fold, ``smallest`` of a caught one."""

    name: str
    seeds: int = 0
    alarms: int = 0
    largest: float = 0.0
    smallest: float = float("inf")
    planted: dict[str, int] = field(default_factory=dict)
    caught: dict[str, int] = field(default_factory=dict)
    misnamed: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, model: Any, seeds: int) -> Row:
        row, subject = cls(name), Subject(model)
        for seed in range(seeds):
            row.add(subject, seed)
        return row

    def add(self, subject: Subject, seed: int) -> None:
        """Check the right fold, then every mistake in it."""
        self.seeds += 1
        subject.reseed(seed)
        right = subject.check()
        self.alarms += not right.equivalent
        self.largest = max(self.largest, right.ratio)
        for mistake in MISTAKES:
            planted = subject.plant(mistake)
            if planted is None:
                continue
            self.planted[mistake] = self.planted.get(mistake, 0) + 1
            where = f"{self.name}, seed {seed}: {mistake} in {planted.layer}"
            if planted.verdict.equivalent:
                self.missed.append(f"{where} ({planted.verdict.ratio:.3g} of the limit)")
                continue
            self.caught[mistake] = self.caught.get(mistake, 0) + 1
            self.smallest = min(self.smallest, planted.verdict.ratio)
            if planted.verdict.first not in planted.suspects:
                self.misnamed.append(f"{where} (named {planted.verdict.first or 'nothing'})")

    @property
    def flawless(self) -> bool:
        """Whether every mistake was caught and named, and nothing else was."""
        return not (self.alarms or self.missed or self.misnamed)


def header() -> str:
    columns = [f"{number:>6}" for number in range(1, len(MISTAKES) + 1)]
    legend = "\n".join(f"{number:>3} {name}" for number, name in enumerate(MISTAKES, 1))
    last = f"{'alarms':>8} {'right fold':>11} {'caught from':>12}"
    return f"{legend}\n\n{'model':<18}{''.join(columns)}{last}"


def line(row: Row) -> str:
    cells = [_cell(row, mistake) for mistake in MISTAKES]
    last = f"{row.alarms:>8} {row.largest:>11.3f} {row.smallest:>12.3g}"
    return f"{row.name:<18}{''.join(f'{cell:>6}' for cell in cells)}{last}"


def _cell(row: Row, mistake: str) -> str:
    planted = row.planted.get(mistake, 0)
    return f"{row.caught.get(mistake, 0)}/{planted}" if planted else "-"


def summary(rows: list[Row]) -> str:
    planted = sum(sum(row.planted.values()) for row in rows)
    caught = sum(sum(row.caught.values()) for row in rows)
    folds = sum(row.seeds for row in rows)
    alarms = sum(row.alarms for row in rows)
    smallest = min(row.smallest for row in rows)
    largest = max(row.largest for row in rows)
    lines = [
        f"caught {caught} of {planted} planted mistakes",
        f"{alarms} false alarms on {folds} right folds",
        f"smallest difference of a caught mistake: {smallest:.3g} times the limit",
        f"largest difference of a right fold: {largest:.3f} times the limit",
    ]
    for what in ("missed", "misnamed"):
        lines += [f"{what}: {text}" for row in rows for text in getattr(row, what)]
    return "\n".join(["", *lines])
