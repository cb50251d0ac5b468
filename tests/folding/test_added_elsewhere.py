"""What some Keras takes for a bias. No Keras."""

from __future__ import annotations

import pytest

from pytest_layercount.folding.rule import added_elsewhere


@pytest.mark.parametrize(
    ("vector", "shape", "expected"),
    [
        ((), (None, 4, 4), False),
        ((4,), (None, 4, 4), False),
        ((1, 4), (None, 4, 4), False),
        ((4, 1), (None, 4, 4), True),
        ((4, 1), (None, 4, 5), False),  # taken for a bias of the channels in front: as meant
        ((4, 1), (None, 4, 3, 5), True),
        ((4, 1), (None, 2, 4, 5), False),
        ((4, 1), (None, 3, 3, 4), True),
        ((4, 1, 1), (None, 4, 3, 5), False),
        ((4, 1, 1), (None, 4, 3, 4), True),
        ((4, 2), (None, 4, 4), False),
        ((4, 1), (None, 4), True),
        ((4, 1), (None, 1), False),
        ((4, 1), None, False),
        ((4,), (4,), False),
    ],
)
def test_what_is_added_along_another_axis(vector, shape, expected) -> None:
    assert added_elsewhere(vector, shape) is expected
