"""Planted mistakes must be found, and right folds must not be suspected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import has_keras, needs_keras

pytestmark = [needs_keras, pytest.mark.timeout(600)]

if has_keras():
    from tests.faults.kinds import KINDS, outcome
    from tests.faults.mistakes import MISTAKES, PADDING
    from tests.faults.models import HAND_MADE, make
    from tests.faults.subject import Subject
    from tests.faults.table import Row

ELSEWHERE = {"depth multiplier order", "groups ignored"}
"""No layer of MobileNetV2 has a depth multiplier or groups."""


def test_computing_nothing_twice_changes_no_verdict() -> None:
    subject = Subject(make(HAND_MADE))
    subject.reseed(0)
    subject.check()
    thrifty, pairs = subject.check, []

    def check() -> Any:
        pairs.append((thrifty(), subject.judged()))
        return pairs[-1][0]

    subject.check = check  # type: ignore[method-assign]
    Row(HAND_MADE).add(subject, 1)
    assert len(pairs) == 1 + len(MISTAKES)
    assert [one for one, _ in pairs] == [other for _, other in pairs]


@pytest.mark.parametrize(("name", "seeds"), [("hand-made", 2), ("MobileNetV2", 1)])
def test_mistakes_are_caught_and_right_folds_are_not(name: str, seeds: int) -> None:
    row = Row.of(name, make(name), seeds)
    assert row.flawless, (row.alarms, row.missed, row.misnamed)
    missing = set(MISTAKES) - set(row.planted)
    assert missing == (set() if name == HAND_MADE else {*ELSEWHERE, PADDING})
    assert row.largest < 1 < row.smallest


@pytest.mark.parametrize("name", KINDS if has_keras() else ())
def test_mistakes_of_other_kinds(name: str) -> None:
    found = outcome(KINDS[name], seed=0)
    assert found.caught
    assert not found.alarm
    assert not found.misnamed
