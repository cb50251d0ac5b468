"""Planted mistakes must be found, and right folds must not be suspected."""

from __future__ import annotations

import pytest

from tests.conftest import has_keras, needs_keras

pytestmark = [needs_keras, pytest.mark.timeout(600)]

if has_keras():
    from tests.faults.mistakes import MISTAKES, PADDING
    from tests.faults.models import HAND_MADE, make
    from tests.faults.table import Row

ELSEWHERE = {"depth multiplier order", "groups ignored"}
"""No layer of MobileNetV2 has a depth multiplier or groups."""


@pytest.mark.parametrize(("name", "seeds"), [("hand-made", 2), ("MobileNetV2", 1)])
def test_mistakes_are_caught_and_right_folds_are_not(name: str, seeds: int) -> None:
    row = Row.of(name, make(name), seeds)
    assert row.flawless, (row.alarms, row.missed, row.misnamed)
    missing = set(MISTAKES) - set(row.planted)
    assert missing == (set() if name == HAND_MADE else {*ELSEWHERE, PADDING})
    assert row.largest < 1 < row.smallest
