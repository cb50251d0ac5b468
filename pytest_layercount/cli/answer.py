"""What a subcommand found: for people, for programs, and as an exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.count import LayerCount


@dataclass(frozen=True)
class Answer:
    """``facts`` are printed with ``--json``, ``text`` without it."""

    text: str
    facts: Mapping[str, Any]
    good: bool = True


def counted(count: LayerCount) -> dict[str, Any]:
    """A count as JSON; most models hold nothing besides their layers."""
    data = asdict(count)
    del data["by_base"]
    return {name: value for name, value in data.items() if value or name not in ("held", "closed")}


def explained(explanation: Explanation) -> dict[str, Any]:
    """The difference between two models, as JSON."""
    return {
        "before": counted(explanation.before),
        "after": counted(explanation.after),
        "delta": explanation.delta,
        "causes": [asdict(cause) for cause in explanation.causes],
        "changed": [asdict(change) for change in explanation.changed],
    }


def planned(plan: Plan) -> dict[str, Any]:
    """What a plan says of the layers it concerns, as JSON."""
    return {
        "folds": [asdict(fold) for fold in plan.folds],
        "refusals": [asdict(refusal) for refusal in plan.refusals],
        "removed": list(plan.removed),
    }
