"""What subcommands have in common: how they are declared, and what they answer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_layercount.text import aligned

if TYPE_CHECKING:
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.count import LayerCount


def declare(commands: Any, name: str, line: str, examples: str) -> argparse.ArgumentParser:
    """Declare a subcommand with its help, in one line, and with examples."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=line,
        allow_abbrev=False,
        description=f"{line[0].upper()}{line[1:]}.",
        epilog=f"examples:\n{examples}",
    )
    return parser


@dataclass(frozen=True)
class Answer:
    """What was found: ``facts`` are printed with ``--json``, ``text`` without it."""

    text: str
    facts: Mapping[str, Any]
    good: bool = True


def table(lines: Sequence[Sequence[str]], *, numbers: int) -> list[str]:
    """The lines with their cells below each other; the last ``numbers`` of them to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = range(len(widths) - numbers, len(widths))
    return [aligned(line, widths, right).rstrip() for line in lines]


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
