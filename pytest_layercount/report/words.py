"""What reports say of the models of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_layercount.measures import BY_ATTRIBUTE
from pytest_layercount.text import number, size

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_layercount.checks.judgement import Facts, Growth, Limit
    from pytest_layercount.report.summary import Row, Summary

COLUMNS = ("model", "layers", "parameters", "change", "budget", "folds to")
OUTCOMES = {"failed": "failed", "expected": "failed as expected", "passed": "passed"}
BUDGETS = 2
"""How many limits a table shows of a model."""

CHECKS = {
    "layercount": "layer count",
    "foldable": "foldability",
    "equivalent": "equivalence after folding",
    "structure": "same structure",
    "baseline": "baseline",
}

_RELATIONS = {"exactly": "=", "min": "min"}
_PLAIN = {"layers": "", "top": " top-level"}


def headline(summary: Summary) -> str:
    """``3 models judged, 1 failed``."""
    judged = f"{number(len(summary.rows), 'model')} judged"
    return f"{judged}, {summary.failed} failed" if summary.failed else f"{judged}, none failed"


def cells(row: Row) -> tuple[str, ...]:
    """A model's line in a table, in the order of :data:`COLUMNS`."""
    facts = row.facts
    if facts is None:
        return (row.name, "-", "-", "-", budget(row) or "-", "-")
    folded = "-" if facts.folded_layers == facts.layers else _folded_layers(facts)
    numbers = (f"{facts.layers:,}", f"{facts.parameters:,}")
    return (row.name, *numbers, change(row) or "-", budget(row) or "-", folded)


def _folded_layers(facts: Facts) -> str:
    return "?" if facts.folded_layers is None else f"{facts.folded_layers:,}"


def unplanned(row: Row) -> str:
    """Why it is not known what folds in a model; empty where it is, or nobody asked."""
    problem = row.facts.unplanned if row.facts else ""
    return f"{row.name}: it is not known what folds ({problem})" if problem else ""


def change(row: Row) -> str:
    """``+37 (+24.7%)``: the layers that came since the baseline; empty without one."""
    if row.growth is None or row.facts is None:
        return ""
    folded = row.facts.folded_layers if row.growth.folded else None
    now = row.facts.layers if folded is None else folded
    before, delta = row.growth.layers, now - row.growth.layers
    if not delta:
        return "0"
    return f"{delta:+d} ({100 * delta / before:+.1f}%)" if before else f"{delta:+d}"


def budget(row: Row) -> str:
    """``max 150, max 5M parameters``: the limits that the model was judged by."""
    limits = _limits(row)
    shown = ", ".join(limits[:BUDGETS])
    return f"{shown} ..." if len(limits) > BUDGETS else shown


def _limits(row: Row) -> list[str]:
    growth = row.growth
    more = [f"max growth {growth.allowed}"] if growth and growth.allowed else []
    return [*map(limit_text, row.limits), *more]


def limit_text(limit: Limit) -> str:
    """``max 150``, ``= 6 folded``, ``max 5M parameters``, ``max 0 BatchNormalization``."""
    relation = _RELATIONS.get(limit.name, "max")
    folded = " folded" if limit.folded else ""
    if measure := BY_ATTRIBUTE.get(limit.of):
        return f"{relation} {measure.written(limit.limit)}{folded} {measure.noun}"
    return f"{relation} {limit.limit:,}{folded}{_PLAIN.get(limit.of, f' {limit.of}')}"


def verdict(row: Row) -> str:
    """What became of the model, and why: ``failed: 187 layers > max 150 (+37)``."""
    first, more = row.messages[:1], row.messages[1:]
    others = [f"(and {len(more)} more)"] if more else []
    return " ".join([": ".join([OUTCOMES[row.outcome], *first]), *others])


def numbers(row: Row) -> list[tuple[str, str]]:
    """What there is to say of a model in numbers, each with its name."""
    facts = row.facts
    if facts is None:
        return []
    found = [
        ("layers", f"{facts.layers:,}"),
        ("after folding", _folded_layers(facts)),
        ("nodes", f"{facts.nodes:,}"),
        ("parameters", f"{facts.parameters:,}"),
        ("trainable", f"{facts.trainable_parameters:,}"),
        ("bytes of weights", f"{facts.weight_bytes:,}"),
        ("depth", f"{facts.depth:,}"),
        (f"MACs{' without some layers' if facts.uncounted else ''}", f"{facts.macs:,}"),
        ("limits", ", ".join(_limits(row))),
        ("built with", facts.keras),
    ]
    return [(name, value) for name, value in found if value]


def left_out(left: int) -> str:
    """The end of a list that is cut."""
    return f"and {left:,} more"


def title(row: Row) -> str:
    """What is most worth knowing of a model."""
    if row.outcome == "passed":
        facts, changed = row.facts, change(row)
        stay = f"{number(len(facts.refusals), 'layer')} do not fold" if facts else ""
        return f"{changed} layers" if changed else stay
    return verdict(row)


def since(growth: Growth) -> str:
    """What a model was when its baseline was written."""
    return f"Since {growth.baseline}: {growth.layers} layers, {size(growth.parameters)} parameters"


def could_not_write(path: Path | str, error: OSError) -> str:
    """What was to be written at the end of the run."""
    return f"layercount could not write {path}: {error.strerror or error}"
