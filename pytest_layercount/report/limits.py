"""The limits of a check as they are reported: kept ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_layercount.checks.measures import MEASURES
from pytest_layercount.report.judgement import Limit

if TYPE_CHECKING:
    from pytest_layercount.criteria import Criteria
    from pytest_layercount.model.count import LayerCount


def limits(criteria: Criteria, measured: LayerCount) -> tuple[Limit, ...]:
    """What ``criteria`` asked of ``measured``, and which of it was kept."""
    broken = {(each.keyword, each.type) for each in criteria.violations(measured)}
    asked = [
        ("exactly", "", criteria.exactly, measured.total),
        ("max", "", criteria.max, measured.total),
        ("min", "", criteria.min, measured.total),
    ]
    for keyword, measure in MEASURES.items():
        value = getattr(measured, measure.attribute)
        asked.append((keyword, "", getattr(criteria, keyword), value))
    for type_, most in (criteria.types or {}).items():
        asked.append(("types", type_, most, measured.number_of(type_)))
    return tuple(
        Limit(
            name=name,
            of=type_ or (MEASURES[name].attribute if name in MEASURES else measured.count),
            limit=limit,
            value=value,
            kept=(name, type_) not in broken,
            folded=criteria.folded,
        )
        for name, type_, limit, value in asked
        if limit is not None
    )
