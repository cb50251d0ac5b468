"""Where channels are after a reshape: the arithmetic against trying it out."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from pytest_layercount.folding.rule import Stop
from pytest_layercount.folding.rules.reshape import carried

SHAPES = [
    shape
    for rank in (1, 2, 3, 4)
    for shape in product((1, 2, 3, 4, 6), repeat=rank)
    if prod(shape) in (12, 24)
]


def tried(source: tuple[int, ...], axis: int, target: tuple[int, ...]) -> dict[int, list[int]]:
    """For each axis of ``target`` that has one, the channel at each position."""
    channels = np.broadcast_to(
        np.arange(source[axis]).reshape([-1 if n == axis else 1 for n in range(len(source))]),
        source,
    )
    found = {}
    for place in range(len(target)):
        rows = np.moveaxis(channels.reshape(target), place, 0).reshape(target[place], -1)
        if (rows == rows[:, :1]).all():
            found[place] = rows[:, 0].tolist()
    return found


@pytest.mark.parametrize("elements", [12, 24])
def test_against_trying(elements: int) -> None:
    shapes = [shape for shape in SHAPES if prod(shape) == elements]
    for source, target in product(shapes, repeat=2):
        for axis in range(len(source)):
            if source[axis] > 1:
                agree(source, axis, target)


def agree(source: tuple[int, ...], axis: int, target: tuple[int, ...]) -> None:
    possible = tried(source, axis, target)
    if possible:
        place, index = carried((2, *source), axis + 1, (2, *target))
        assert index.tolist() == possible[place - 1], (source, axis, target)
    else:
        with pytest.raises(Stop, match="channel-axis"):
            carried((2, *source), axis + 1, (2, *target))


@pytest.mark.parametrize(
    ("source", "axis", "target", "place", "index"),
    [
        ((None, None, None, 4), 3, (None, None, 4), 2, [0, 1, 2, 3]),
        ((None, None, 4), 2, (None, None, 2, 4), 3, [0, 1, 2, 3]),
        ((None, 4, None, None), 1, (None, 4, None), 1, [0, 1, 2, 3]),
        ((None, 2, 2, 3), 3, (None, 12), 1, [0, 1, 2] * 4),
        ((None, 3, 2, 2), 1, (None, 12), 1, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]),
        ((None, 2, 3, 4), 2, (None, 2, 12), 2, [0] * 4 + [1] * 4 + [2] * 4),
    ],
)
def test_unknown_sizes(source, axis, target, place, index) -> None:
    found, channels = carried(source, axis, target)
    assert (found, channels.tolist()) == (place, index)


@pytest.mark.parametrize(
    ("source", "axis", "target", "reason"),
    [
        ((None, 2, None), 2, (None, None), "unknown-shape"),
        ((None, None, 4), 2, (None, None), "unknown-shape"),
        ((None, 4, None), 1, (None, None, 4), "unknown-shape"),
        ((None, 12), 1, (None, 3, 4), "channel-axis"),
        ((None, 4, 3), 2, (None, 3, 4), "channel-axis"),
    ],
)
def test_reasons(source, axis, target, reason) -> None:
    with pytest.raises(Stop, match=reason):
        carried(source, axis, target)


def test_a_reshape_that_may_mix_the_batch() -> None:
    source, target = (None, 4, None, None), (None, 4, None)
    with pytest.raises(Stop, match="unknown-shape"):
        carried(source, 1, target, same_batch=False)
