"""Operations that are a layer by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.readers.tensorflow.composites import scale_of
from pytest_layercount.model.readers.tensorflow.steps import Step, Steps

Found = tuple[str, dict[str, Any]] | None

_ACTIVATIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "Elu": ("Activation", {"activation": "elu"}),
    "Exp": ("Activation", {"activation": "exponential"}),
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
_MERGES = {
    "Add": "Add",
    "AddN": "Add",
    "AddV2": "Add",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Mul": "Multiply",
    "Sub": "Subtract",
}


def recognise_singles(steps: Steps) -> None:
    """Say what layer each operation left is, where it is one."""
    for step in list(steps.steps.values()):
        if not step.type:
            found = _recognised(steps, step)
            if found is not None:
                step.type, step.config = found


def _recognised(steps: Steps, step: Step) -> Found:
    type_ = steps.op(step).type
    if type_ in _ACTIVATIONS and len(step.reads) == 1:
        kind, config = _ACTIVATIONS[type_]
        return kind, dict(config)
    if type_ == "LeakyRelu":
        return "LeakyReLU", {}
    if type_ in _MERGES and len(step.reads) > 1:
        return _MERGES[type_], {}
    if type_ == "Mul" and _is_layer_scale(steps, step):
        return "LayerScale", {}
    find = _OTHERS.get(type_)
    return None if find is None else find(steps, step)


def _is_layer_scale(steps: Steps, step: Step) -> bool:
    """Whether a layer only multiplies by a variable, one number a channel."""
    shape = _output(steps, step)
    sizes = list(step.weights.values())
    return steps.is_leaf(step.scope) and shape is not None and sizes == [shape[-1]]


def _input(steps: Steps, step: Step) -> Shape:
    return steps.shape(step.reads[0])


def _output(steps: Steps, step: Step) -> Shape:
    return steps.shape((step.last, 0))


def _value(steps: Steps, step: Step, slot: int) -> Any:
    side = steps.side(step, slot)
    return None if side is None else side.value


def _concatenate(steps: Steps, step: Step) -> Found:
    axis = _value(steps, step, -1)
    return ("Concatenate", {"axis": axis}) if isinstance(axis, int) else None


def _globally(kind: str) -> Callable[[Steps, Step], Found]:
    def find(steps: Steps, step: Step) -> Found:
        shape, axes = _input(steps, step), _value(steps, step, 1)
        if shape is None or axes is None:
            return None
        rank = len(shape)
        over = sorted(axis % rank for axis in (axes if isinstance(axes, tuple) else (axes,)))
        if over == list(range(1, rank - 1)) and 3 <= rank <= 5:
            data_format = "channels_last"
        elif over == list(range(2, rank)) and 3 <= rank <= 5:
            data_format = "channels_first"
        else:
            return None
        keeps = bool(steps.op(step).attributes.get("keep_dims"))
        config = {"data_format": data_format, "keepdims": keeps}
        return f"Global{kind}Pooling{rank - 2}D", config

    return find


def _pad(steps: Steps, step: Step) -> Found:
    pads, value = _value(steps, step, 1), 0
    if steps.op(step).type == "PadV2":
        value = _value(steps, step, 2)
    if not pads or value != 0 or any(pads[0]) or not 3 <= len(pads) <= 5:
        return None
    if not any(pads[-1]):
        inner, data_format = pads[1:-1], "channels_last"
    elif not any(pads[1]):
        inner, data_format = pads[2:], "channels_first"
    else:
        return None
    rank = len(inner)
    padding = inner[0] if rank == 1 else inner
    return f"ZeroPadding{rank}D", {"data_format": data_format, "padding": padding}


def _reshape(steps: Steps, step: Step) -> Found:
    before, after = _input(steps, step), _output(steps, step)
    if before is None or after is None:
        return None
    if len(after) == 2 and _keeps_batch(before, after):
        return "Flatten", {"data_format": "channels_last"}
    if not _keeps_batch(before, after):
        return None
    known = math.prod(size for size in after[1:] if size)
    whole = None if None in before[1:] else math.prod(size or 0 for size in before[1:])
    rest = -1 if whole is None or not known or after[1:].count(None) > 1 else whole // known
    return "Reshape", {"target_shape": tuple(rest if size is None else size for size in after[1:])}


def _keeps_batch(before: tuple[int | None, ...], after: tuple[int | None, ...]) -> bool:
    """Whether both begin with the same number, or with one not known while the rest is."""
    if before[0] is not None or after[0] is not None:
        return before[0] == after[0]
    inner = [size for size in (*before[1:], *after[1:]) if size is None]
    one, two = 1, 1
    for size in before[1:]:
        one *= size or 1
    for size in after[1:]:
        two *= size or 1
    return bool(inner) or one == two


def _permute(steps: Steps, step: Step) -> Found:
    order = _value(steps, step, 1)
    if not isinstance(order, tuple) or order[:1] != (0,):
        return None
    return "Permute", {"dims": order[1:]}


def _resize(interpolation: str) -> Callable[[Steps, Step], Found]:
    def find(steps: Steps, step: Step) -> Found:
        config = {"data_format": "channels_last", "interpolation": interpolation}
        size = scale_of(_input(steps, step), _output(steps, step))
        if size is not None and size != (1, 1):
            return "UpSampling2D", {**config, "size": size}
        return "Resizing", config

    return find


def _gather(steps: Steps, step: Step) -> Found:
    table = steps.side(step, 0)
    if table is None or len(table.weights) != 1 or len(step.reads) != 1:
        return None
    shape = _output(steps, step)
    return "Embedding", {"output_dim": None if shape is None else shape[-1]}


def _crop(steps: Steps, step: Step) -> Found:
    """A slice that keeps batch and channels, made by a layer in a scope of its own."""
    before, after, begin = _input(steps, step), _output(steps, step), _value(steps, step, 1)
    if not steps.is_leaf(step.scope) or before is None or after is None:
        return None
    if len(before) != len(after):
        return None
    sizes = list(zip(before[1:-1], after[1:-1], strict=True))
    kept = before[0] == after[0] and before[-1] == after[-1]
    if not kept or not isinstance(begin, tuple) or len(begin) != len(before):
        return None
    if not 1 <= len(sizes) <= 3 or any(one is None or two is None for one, two in sizes):
        return None
    starts = [
        int(start) if start >= 0 else int(one or 0) + int(start)
        for start, (one, _) in zip(begin[1:-1], sizes, strict=True)
    ]
    ends = [
        (one or 0) - (two or 0) - start for start, (one, two) in zip(starts, sizes, strict=True)
    ]
    if any(end < 0 for end in ends):
        return None
    cropping = tuple(zip(starts, ends, strict=True))
    config = {"cropping": cropping[0] if len(cropping) == 1 else cropping}
    return f"Cropping{len(sizes)}D", {**config, "data_format": "channels_last"}


_OTHERS: Mapping[str, Callable[[Steps, Step], Found]] = {
    "ConcatV2": _concatenate,
    "GatherV2": _gather,
    "Max": _globally("Max"),
    "Mean": _globally("Average"),
    "Pad": _pad,
    "PadV2": _pad,
    "Reshape": _reshape,
    "ResizeBicubic": _resize("bicubic"),
    "ResizeBilinear": _resize("bilinear"),
    "ResizeNearestNeighbor": _resize("nearest"),
    "ResourceGather": _gather,
    "StridedSlice": _crop,
    "Transpose": _permute,
}
