"""How much a number may grow: by so many, or by so many percent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")


@dataclass(frozen=True)
class Allowance:
    """Units or percent of what a number was."""

    units: int = 0
    percent: Decimal | None = None

    def of(self, before: int) -> int:
        """How much ``before`` may grow."""
        return self.units if self.percent is None else int(before * self.percent / 100)

    def __str__(self) -> str:
        return str(self.units) if self.percent is None else f"{self.percent.normalize():f}%"


NOTHING = Allowance()
"""No growth at all."""


def percent(value: object) -> Allowance | None:
    """The allowance that text like ``"2.5%"`` gives, None for anything else."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return Allowance(percent=Decimal(match[1])) if match else None
