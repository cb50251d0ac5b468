"""Layers around other layers.

Readers open those that this says nothing of: what they return and hold is what the layers
inside them return and hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import Call, LayerType, passed, untold
from pytest_layercount.model.layers.recurrent import ARGUMENTS, masks_steps


def _both_ways(call: Call) -> list[Shape]:
    """What a recurrent layer returns that takes the steps forwards, and one backwards.

    The result, then the states of the first and those of the second. ``merge_mode`` says whether
    the result is as wide as both, two results (None), or one of the forward width.
    """
    if call.wrapped is None:
        return [None]
    row, inner = call.wrapped
    result, *states = row.returns(inner)
    if result is None:
        return [None]
    mode = call.config.get("merge_mode", "concat")
    width = int(result[-1] or 0)
    back = _width_back(call, width)
    if mode == "concat":
        return [(*result[:-1], width + back), *states, *states]
    both: list[Shape] = [result, (*result[:-1], back)]
    return [*(both if mode is None else [result]), *states, *states]


def _width_back(call: Call, width: int) -> int:
    """How wide the way back is. Keras 3 takes it to be as wide as the way there."""
    back = call.config.get("backward_layer")
    if call.generation == 3 or not isinstance(back, Mapping):
        return width
    return int(back["config"].get("units", width))


TYPES: Mapping[str, LayerType] = {
    "Bidirectional": LayerType(
        writes=("layer",),
        arguments=ARGUMENTS,
        output=_both_ways,
        masks=masks_steps,  # by what the layer inside says
        parts_train=True,
        bases=("Wrapper",),
        inner=("forward_layer", "backward_layer"),
        holds=True,
        sets=frozenset({"zero_output_for_mask"}),  # whatever was given; only Keras 3 tells
    ),
    "SpectralNormalization": LayerType(
        writes=("layer",),
        training=False,
        parts_train=True,
        bases=("Wrapper",),
        holds=True,
    ),
    **dict.fromkeys(
        ("Pipeline", "StackedRNNCells"), LayerType(vectors=untold, work_unknown=True, holds=True)
    ),
    "TimeDistributed": LayerType(
        writes=("layer",),
        masks=passed,
        parts_train=True,
        bases=("Wrapper",),
        inner=("layer",),
        holds=True,
    ),
}
