"""What is measured: a number, the goal it is held against, and how it came about."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """``measured`` and ``goal`` are in ``unit``: at most ``goal`` is wanted; None has no goal."""

    what: str
    measured: float
    unit: str
    goal: float | None = None
    detail: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.measured <= self.goal

    def line(self) -> str:
        goal = "" if self.goal is None else f"{self.goal:g}"
        verdict = {None: "", True: "met", False: "not met"}[self.met]
        return (
            f"{self.what:<46} {self.measured:>8.3g} {goal:>6} {self.unit:<14} "
            f"{verdict:<8} {self.detail}"
        ).rstrip()

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}


def cpu(action: Callable[[], Any], repeat: int = 3) -> float:
    """The CPU seconds of all threads that ``action`` takes, at best: others share the machine."""
    best = float("inf")
    for _ in range(repeat):
        gc.collect()
        started = time.process_time()
        result = action()
        best = min(best, time.process_time() - started)
        del result
    return best


HEADER = f"{'what':<46} {'measured':>8} {'goal':>6} {'unit':<14}"
