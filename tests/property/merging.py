"""Layers and operations that combine values, at random."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from tests.property.kinds import Draw, flip, pick
from tests.property.recipe import Shape, Step

SEVERAL = ("Add", "Average", "Maximum", "Minimum")
PAIRS = ("Add", "Subtract", "Multiply", "add", "subtract", "multiply", "maximum")


def merge(draw: Draw, shapes: list[Shape], source: int) -> tuple[Step, Shape]:
    """Combine ``source`` with values that fit, itself among them."""
    if pick(draw, False, False, True):
        return _concatenate(draw, shapes, source)
    mine = shapes[source]
    fitting = [value for value, shape in enumerate(shapes) if _broadcasts(shape, mine)]
    kind = pick(draw, *PAIRS, *SEVERAL)
    count = pick(draw, 2, 2, 3) if kind in SEVERAL else 2
    # The newest first: what was made last is what the model goes on with.
    others = [draw(st.sampled_from(fitting[::-1])) for _ in range(count - 1)]
    inputs = [source, *others]
    if flip(draw):
        inputs.reverse()
    return Step(kind, tuple(inputs)), mine


def _broadcasts(shape: Shape, onto: Shape) -> bool:
    return len(shape) == len(onto) and all(a in (1, b) for a, b in zip(shape, onto, strict=True))


def _concatenate(draw: Draw, shapes: list[Shape], source: int) -> tuple[Step, Shape]:
    mine = shapes[source]
    axis = pick(draw, len(mine) - 1, *range(len(mine)))
    fitting = [
        value
        for value, shape in enumerate(shapes)
        if len(shape) == len(mine) and _without(shape, axis) == _without(mine, axis)
    ]
    small = [value for value in fitting if math.prod(shapes[value]) < 300] or [source]
    inputs = [source, draw(st.sampled_from(small[::-1]))]
    if flip(draw):
        inputs.reverse()
    total = sum(shapes[value][axis] for value in inputs)
    out = (*mine[:axis], total, *mine[axis + 1 :])
    kind = pick(draw, "Concatenate", "Concatenate", "Concatenate", "concatenate")
    return Step(kind, tuple(inputs), {"axis": axis + 1}), out


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]
