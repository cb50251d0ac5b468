"""Layers that make one tensor of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import Call, LayerType, always, in_keras_2, joined


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape of an element-by-element combination."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return None
    rank = max(map(len, known))
    full = [(1,) * (rank - len(shape)) + shape for shape in known]
    return tuple(map(_common, zip(*full, strict=True)))


def _common(sizes: Sequence[int | None]) -> int | None:
    # 1 is stretched; an unknown size may turn out to be 1, so that a known one wins.
    large = [size for size in sizes if size not in (None, 1)]
    if large:
        return large[0]
    return None if None in sizes else 1


def _combined(call: Call) -> list[Shape]:
    return [broadcast(call.shapes)]


def concatenated(shapes: Sequence[Shape], axis: int) -> Shape:
    """The shape of tensors laid one behind the other along an axis."""
    known = [shape for shape in shapes if shape is not None]
    if not known:
        return None
    sizes = [None if shape is None else shape[axis] for shape in shapes]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    # The other axes agree, and any tensor may know their sizes.
    others = [
        next((size for size in along if size is not None), None)
        for along in zip(*known, strict=True)
    ]
    others[axis] = total
    return tuple(others)


def _concatenated(call: Call) -> list[Shape]:
    return [concatenated(call.shapes, int(call.config.get("axis", -1)))]


def _dot(call: Call) -> list[Shape]:
    left, right = call.shapes
    if left is None or right is None:
        return [None]
    axes = call.config["axes"]
    first, second = axes if isinstance(axes, list) else (axes, axes)
    # Both lose the axis they are multiplied along, the second also its batch. A result of one
    # number for each sample is (batch, 1).
    kept = [size for axis, size in enumerate(left) if axis != first % len(left)]
    more = [size for axis, size in enumerate(right) if axis not in (0, second % len(right))]
    return [(*kept, *more) if len(kept) + len(more) > 1 else (*kept, 1)]


_COMBINING = LayerType(output=_combined, masks=joined, keeps_integers=in_keras_2)

TYPES: Mapping[str, LayerType] = {
    **dict.fromkeys(("Add", "Maximum", "Minimum", "Multiply", "Subtract"), _COMBINING),
    "Average": LayerType(output=_combined, masks=joined),
    "CustomScaleLayer": LayerType(output=_combined),  # InceptionResNetV2's scaled sum
    "Concatenate": LayerType(
        attributes=("axis",),
        writes=("axis",),
        output=_concatenated,
        masks=joined,
        keeps_integers=always,
    ),
    "Dot": LayerType(
        attributes=("axes", "normalize"),
        writes=("axes",),
        output=_dot,
        keeps_integers=in_keras_2,
        work_unknown=True,
    ),
}
