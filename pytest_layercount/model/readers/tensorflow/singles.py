"""Operations that are a layer by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pytest_layercount.model.readers.tensorflow.composites import scale_of
from pytest_layercount.model.readers.tensorflow.kernels import turned
from pytest_layercount.model.readers.tensorflow.steps import Recognised, Step, Steps

_ACTIVATIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "Elu": ("Activation", {"activation": "elu"}),
    "Exp": ("Activation", {"activation": "exponential"}),
    "LeakyRelu": ("LeakyReLU", {}),
    "LogSoftmax": ("Activation", {"activation": "log_softmax"}),
    "Relu": ("ReLU", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    "Relu6": ("ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}),
    "Selu": ("Activation", {"activation": "selu"}),
    "Sigmoid": ("Activation", {"activation": "sigmoid"}),
    "Softmax": ("Activation", {"activation": "softmax"}),
    "Softplus": ("Activation", {"activation": "softplus"}),
    "Softsign": ("Activation", {"activation": "softsign"}),
    "Tanh": ("Activation", {"activation": "tanh"}),
}
_RESIZES = {
    "ResizeBicubic": "bicubic",
    "ResizeBilinear": "bilinear",
    "ResizeNearestNeighbor": "nearest",
}


def recognise_singles(steps: Steps) -> None:
    """Name the layer that each operation left over is, where it is one."""
    # Before what turns the channels of an image to the end becomes a layer by itself.
    for step in steps.typed(*_RESIZES):
        step.type, step.config = _resize(steps, step)
        turned(steps, step)
    for step in steps.steps.values():
        layer = None if step.type else _layer(steps, step)
        if layer is not None:
            step.type, step.config = layer


def _layer(steps: Steps, step: Step) -> Recognised:
    type_ = steps.op(step).type
    if type_ in _ACTIVATIONS and len(step.reads) == 1:
        layer, config = _ACTIVATIONS[type_]
        return layer, dict(config)
    recognise = _OTHERS.get(type_)
    return None if recognise is None else recognise(steps, step)


def _layer_scale(steps: Steps, step: Step) -> Recognised:
    # Mul (one number a channel), all that a layer's scope holds: LayerScale of ConvNeXt.
    shape = steps.output_shape(step)
    scales = shape is not None and list(step.weights.values()) == [shape[-1]]
    return ("LayerScale", {}) if scales and steps.is_leaf(step.scope) else None


def _concatenate(steps: Steps, step: Step) -> Recognised:
    # The axis is the last input of ConcatV2.
    axis = steps.value(step, -1)
    return ("Concatenate", {"axis": axis}) if isinstance(axis, int) else None


def _globally(kind: str, steps: Steps, step: Step) -> Recognised:
    # Mean or Max over all spatial axes.
    shape, axes = steps.input_shape(step), steps.value(step, 1)
    if shape is None or axes is None or not 3 <= len(shape) <= 5:
        return None
    rank = len(shape)
    # All axes between batch and channels, which are the last ([1 .. rank-2]) or the first after the
    # batch ([2 .. rank-1]).
    over = sorted(axis % rank for axis in (axes if isinstance(axes, tuple) else (axes,)))
    if over not in ([*range(1, rank - 1)], [*range(2, rank)]):
        return None
    data_format = "channels_last" if over[0] == 1 else "channels_first"
    keeps = bool(steps.op(step).attributes.get("keep_dims"))
    return f"Global{kind}Pooling{rank - 2}D", {"data_format": data_format, "keepdims": keeps}


def _pad(steps: Steps, step: Step) -> Recognised:
    # Pad (zeros to spatial axes only).
    pads = steps.value(step, 1)
    value = steps.value(step, 2) if steps.op(step).type == "PadV2" else 0
    # pads holds a pair (before, after) for each axis.
    if not pads or value != 0 or any(pads[0]) or not 3 <= len(pads) <= 5:
        return None
    if not any(pads[-1]):
        spatial, data_format = pads[1:-1], "channels_last"
    elif not any(pads[1]):
        spatial, data_format = pads[2:], "channels_first"
    else:
        return None
    padding = spatial[0] if len(spatial) == 1 else spatial
    return f"ZeroPadding{len(spatial)}D", {"data_format": data_format, "padding": padding}


def _reshape(steps: Steps, step: Step) -> Recognised:
    before, after = steps.input_shape(step), steps.output_shape(step)
    if before is None or after is None or not _keeps_batch(before, after):
        return None
    # Of a reshape to (batch, n) the trace does not tell whether Flatten or Reshape made it.
    if len(after) == 2:
        return "Flatten", {"data_format": "channels_last"}
    # What TensorFlow does not know of the result is what Keras leaves to be found out.
    known = math.prod(size for size in after[1:] if size)
    whole = None if None in before[1:] else math.prod(size or 0 for size in before[1:])
    rest = -1 if whole is None or not known or after[1:].count(None) > 1 else whole // known
    return "Reshape", {"target_shape": tuple(rest if size is None else size for size in after[1:])}


def _keeps_batch(before: tuple[int | None, ...], after: tuple[int | None, ...]) -> bool:
    """Tell whether a reshape leaves the batch alone.

    Where neither batch size is known, it does if the other sizes have the same product, or if
    one of them is not known, so that nothing speaks against it.
    """
    if before[0] is not None or after[0] is not None:
        return before[0] == after[0]
    sizes, others = [[size or 1 for size in shape[1:]] for shape in (before, after)]
    return None in before[1:] + after[1:] or math.prod(sizes) == math.prod(others)


def _permute(steps: Steps, step: Step) -> Recognised:
    order = steps.value(step, 1)
    keeps_batch = isinstance(order, tuple) and order[:1] == (0,)
    return ("Permute", {"dims": order[1:]}) if keeps_batch else None


def _resize(steps: Steps, step: Step) -> tuple[str, dict[str, Any]]:
    # Keras makes UpSampling of it too, which is by whole times.
    interpolation = _RESIZES[steps.op(step).type]
    config = {"data_format": "channels_last", "interpolation": interpolation}
    times = _times(steps, step)
    size = times or scale_of(steps.input_shape(step), steps.output_shape(step))
    if size is None or (size == (1, 1) and not times):
        return "Resizing", config
    return "UpSampling2D", {**config, "size": size}


def _times(steps: Steps, step: Step) -> tuple[int, ...] | None:
    """By what the size of an image is multiplied, None where its new size is no product."""
    # Shape -> StridedSlice -> Mul (by how many times): UpSampling2D of Keras 2.
    op = steps.ops[steps.op(step).inputs[1][0]] if len(steps.op(step).inputs) > 1 else None
    factors = steps.operands.get(op.inputs[1][0]) if op and op.type == "Mul" else None
    return factors.value if factors is not None and isinstance(factors.value, tuple) else None


def _gather(steps: Steps, step: Step) -> Recognised:
    # GatherV2, ResourceGather (a table of weights): Embedding.
    table = steps.operand(step, 0)
    if table is None or len(table.weights) != 1 or len(step.reads) != 1:
        return None
    return "Embedding", {"output_dim": (steps.output_shape(step) or (None,))[-1]}


def _crop(steps: Steps, step: Step) -> Recognised:
    # StridedSlice that keeps batch and channels, in a scope of its own: Cropping of both Keras.
    before, after = steps.input_shape(step), steps.output_shape(step)
    # StridedSlice takes (data, begin, end, strides). What it leaves out at the end follows from the
    # shapes, so that the masks of "end", which mean "to the end", need not be read.
    begin, strides = steps.value(step, 1), steps.value(step, 3)
    if before is None or after is None or not isinstance(begin, tuple) or set(strides or ()) != {1}:
        return None
    if not len(before) == len(after) == len(begin) or not 3 <= len(before) <= 5:
        return None
    if before[0] != after[0] or before[-1] != after[-1] or not steps.is_leaf(step.scope):
        return None
    cropping = tuple(map(_cut, before[1:-1], after[1:-1], begin[1:-1]))
    if None in cropping:
        return None
    config = {"cropping": cropping[0] if len(cropping) == 1 else cropping}
    return f"Cropping{len(cropping)}D", {**config, "data_format": "channels_last"}


def _cut(size: int | None, left: int | None, begin: int) -> tuple[int, int] | None:
    """How much a slice leaves out of an axis at its start and end, None where it does not fit."""
    if size is None or left is None:
        return None
    start = begin if begin >= 0 else size + begin
    end = size - left - start
    return None if end < 0 else (start, end)


_OTHERS: Mapping[str, Callable[[Steps, Step], Recognised]] = {
    "ConcatV2": _concatenate,
    "GatherV2": _gather,
    "Max": partial(_globally, "Max"),
    "Mean": partial(_globally, "Average"),
    "Mul": _layer_scale,
    "Pad": _pad,
    "PadV2": _pad,
    "Reshape": _reshape,
    "ResourceGather": _gather,
    "StridedSlice": _crop,
    "Transpose": _permute,
}
