"""Layers that are several operations in a scope of their own: attention, normalization, merges."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.tensorflow.activations import become_activation, computes_with
from pytest_layercount.model.readers.tensorflow.kernels import turn_channels
from pytest_layercount.model.readers.tensorflow.steps import Recognised, Step, Steps

_LAYER_NORM = names("AddV2 Cast Mean Mul Neg Rsqrt SquaredDifference Sub")
_TRAINED_NORM = ("AddV2", "AddV2", "Mean", "Mean", "Mul", "Mul", "Rsqrt", "SquaredDifference")
_RMS_NORM = names("Mean Mul Rsqrt Square")
_ATTENTION = names("attention_output key query value")
_MERGES = {
    "Add": "Add",
    "AddN": "Add",
    "AddV2": "Add",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Mul": "Multiply",
    "Sub": "Subtract",
}


def recognise_composites(steps: Steps) -> None:
    """Find layers that are several operations."""
    for scope in sorted({step.scope.rpartition("/")[0] for step in steps.steps.values()}):
        _attention(steps, scope)
    for members in steps.leaves().values():
        _gelu(steps, members)
        _whole_scope(steps, members)
    for step in steps.typed("GatherV2"):
        _indices(steps, step)
    for step in steps.typed(*_MERGES):
        _merge(steps, step)
    # An average is an Add that is divided, so that sums come first.
    for step in steps.typed("Mul", "RealDiv"):
        _average(steps, step)
    for step in steps.typed("Cast"):
        _cast(steps, step)


def _attention(steps: Steps, scope: str) -> None:
    # query, key, value (EinsumDense each) -> Einsum -> softmax -> Einsum -> attention_output
    # (EinsumDense): MultiHeadAttention of both Keras, whose scope holds layers of these names.
    inside = [step for step in steps.steps.values() if step.scope.startswith(f"{scope}/")]
    # Keras numbers names that are taken: query, query_1, query_1_1.
    parts = {re.sub(r"(_\d+)+$", "", step.scope.removeprefix(f"{scope}/")): step for step in inside}
    kernels = {name: step for name, step in parts.items() if step.weighted}
    if not scope or set(kernels) != _ATTENTION or not set(parts) <= _ATTENTION | {"softmax"}:
        return
    last = kernels["attention_output"]
    # Projections give (batch, ..., heads, size per head).
    *_, heads, value_dim = steps.output_shape(kernels["value"]) or (None, None)
    key_dim = (steps.output_shape(kernels["query"]) or (None,))[-1]
    config = {"use_bias": last.config["use_bias"], "num_heads": heads}
    config |= {"key_dim": key_dim, "value_dim": value_dim}
    reads = [kernels[name].reads[0] for name in ("query", "value", "key")]
    # Scaling, scores and softmax of the attention itself, which stand in its own scope.
    between = [step for step in steps.steps.values() if step.scope == scope]
    steps.become(last, [*inside, *between], "MultiHeadAttention", config)
    # Keras takes the value for the key where none is given.
    steps.rewire(last, reads if reads[2] != reads[1] else reads[:2])
    # The last projection stands one scope deeper than the layer that it has become.
    last.scope = scope


def _gelu(steps: Steps, members: list[Step]) -> None:
    # Mul -> RealDiv -> Erf -> AddV2 -> Mul in TensorFlow 2.15, Mul -> Neg -> Mul -> Erfc -> Mul in
    # 2.21, more of them if approximate; all named "Gelu/...": tf.nn.gelu, for both Keras.
    functions: dict[str, list[Step]] = {}
    for step in members:
        name = re.match(r"(.*/Gelu(_\d+)?)/", steps.op(step).name)
        if name and not step.type:
            functions.setdefault(name[1], []).append(step)
    for parts in functions.values():
        become_activation(steps, parts[-1], parts, "gelu")


def _whole_scope(steps: Steps, members: list[Step]) -> None:
    """Recognise all operations of a scope as one layer, if none of them is one yet."""
    # The groups were listed before the first was joined, so that a step may be gone.
    if len(members) < 2 or any(step.type or step.last not in steps.steps for step in members):
        return
    for pattern in (_trained_norm, _layer_norm, _old_layer_norm, _prelu, _repeats):
        layer = pattern(steps, members)
        if layer is not None:
            steps.become(members[-1], members, *layer)
            return


def _types(steps: Steps, members: list[Step]) -> list[str]:
    return [steps.op(step).type for step in members]


def _trained_norm(steps: Steps, members: list[Step]) -> Recognised:
    # Mean -> SquaredDifference -> Mean -> AddV2 (epsilon) -> Rsqrt -> Mul (gamma) -> Mul -> Mul ->
    # Sub (from beta) -> AddV2: BatchNormalization that trains, where it is not fused; without a
    # beta Neg for Sub. Between them Squeeze, and Reshape where the axis is not the last.
    types = Counter(_types(steps, members))
    scale, center = types["Mul"] == 3, "Sub" in types
    wanted = Counter([*_TRAINED_NORM, "Sub" if center else "Neg", *["Mul"] * scale])
    inside = {step.last for step in members}
    taken = {ref for step in members for ref in step.reads if ref[0] not in inside}
    weighted = {steps.op(step).type for step in members if step.weights}
    for shaping in ("Cast", "Reshape", "Squeeze"):
        types.pop(shaping, None)
    if types != wanted or len(taken) != 1 or weighted != {*["Mul"] * scale, *["Sub"] * center}:
        return None
    first, second = (step for step in members if steps.op(step).type == "Mean")
    root = next(step for step in members if steps.op(step).type == "Rsqrt")
    # Over the batch and all axes but one, unlike any normalization of single samples.
    over = steps.value(first, 1)
    rest = {*range(len(steps.input_shape(first) or ()))} - {*(over or ())}
    if over != steps.value(second, 1) or len(rest) != 1 or rest == {0}:
        return None
    members[-1].training = True
    config = {"axis": rest.pop(), "center": center, "scale": scale}
    return "BatchNormalization", {**config, "epsilon": steps.epsilon(root.core)}


def _layer_norm(steps: Steps, members: list[Step]) -> Recognised:
    # Mean -> SquaredDifference -> Mean -> AddV2 (epsilon) -> Rsqrt -> Mul (gamma) -> Mul -> Neg ->
    # Mul -> AddV2 (beta) -> AddV2: LayerNormalization of Keras 3. With Mul -> Sub -> AddV2 at the
    # end: of Keras 2, for other axes than the last.
    # Square -> Mean -> AddV2 (epsilon) -> Rsqrt -> Mul -> Mul (gamma): RMSNormalization of Keras 3.
    types = {steps.op(step).type: step for step in reversed(members)}
    rms = types.keys() - {"AddV2"} == _RMS_NORM
    if not rms and not {"Mean", "Rsqrt", "SquaredDifference"} <= types.keys() <= _LAYER_NORM:
        return None
    # types has the first step of each type, and epsilon stands before the first Rsqrt.
    axes = steps.value(types["Mean"], 1) or (-1,)
    config = {
        "axis": axes[0] if isinstance(axes, tuple) and len(axes) == 1 else axes,
        "epsilon": steps.epsilon(types["Rsqrt"].core),
    }
    if rms:
        return "RMSNormalization", config
    # Weights of a scale stand at a Mul; of a shift at AddV2 in Keras 3, at Sub where it is beta -
    # mean * scale, as in Keras 2.
    weighted = {steps.op(step).type for step in members if step.weights}
    config |= {"center": bool(weighted & {"AddV2", "Sub"}), "scale": "Mul" in weighted}
    return "LayerNormalization", config


def _old_layer_norm(steps: Steps, members: list[Step]) -> Recognised:
    # Reshape -> FusedBatchNormV3 -> Reshape -> Mul (gamma) -> AddV2 (beta): LayerNormalization of
    # Keras 2 on the last axes. It lays data on its side and lets a batch normalization train on it.
    types = _types(steps, members)
    if types[:3] != ["Reshape", "FusedBatchNormV3", "Reshape"] or set(types[3:]) - {"AddV2", "Mul"}:
        return None
    return "LayerNormalization", {
        "axis": _last_axes(steps, members[-1]),
        "center": "AddV2" in types,
        "epsilon": steps.op(members[1]).attributes.get("epsilon"),
        "scale": "Mul" in types,
    }


def _last_axes(steps: Steps, last: Step) -> int | tuple[int, ...]:
    """The axes that a scale or shift has more than one number for; the last where it has none."""
    shape, rank = steps.operand_shape(last, 1) or (), len(steps.output_shape(last) or ())
    long = [rank - len(shape) + place for place, size in enumerate(shape) if size != 1]
    return tuple(long) if last.weights and len(long) > 1 else -1


def _prelu(steps: Steps, members: list[Step]) -> Recognised:
    # Relu, and Neg -> Relu -> Mul (-alpha), added by AddV2: PReLU of both Keras.
    prelu = sorted(_types(steps, members)) == ["AddV2", "Mul", "Neg", "Relu", "Relu"]
    return ("PReLU", {}) if prelu else None


def _repeats(steps: Steps, members: list[Step]) -> Recognised:
    # For each spatial axis Split -> ConcatV2, or ExpandDims -> Tile -> Reshape where its size is
    # not known: UpSampling1D and UpSampling3D of Keras 2. The latter for every axis, named
    # "Repeat/...": UpSampling of Keras 3, in two dimensions between two turns of channels that are
    # first.
    rank = len(steps.input_shape(members[0]) or ())
    chained = all(
        {source for source, _ in step.reads} == {before.last} for before, step in pairwise(members)
    )
    if not 3 <= rank <= 5 or not chained:
        return None
    turned = turn_channels(steps, members[0], members[-1])
    times = _times_by_axis(steps, members[1:-1] if turned else members)
    first = turned or (rank > 3 and [*times] == [*range(2, rank)])
    if [*times] != [*range(1, rank - 1)] and (turned or not first):
        return None
    data_format = "channels_first" if first else "channels_last"
    config = {"data_format": data_format, "interpolation": "nearest"}
    return f"UpSampling{rank - 2}D", {**config, "size": tuple(times.values())}


def _times_by_axis(steps: Steps, members: list[Step]) -> dict[int, int]:
    """How many times operations repeat each place along which axes; nothing if they do not."""
    times: dict[int, int] = {}
    while members:
        count = 2 if steps.op(members[0]).type == "Split" else 3
        parts, members = members[:count], members[count:]
        repeat = None
        if _types(steps, parts) == ["Split", "ConcatV2"]:
            repeat = _split_and_joined(steps, *parts)
        elif _types(steps, parts) == ["ExpandDims", "Tile", "Reshape"]:
            repeat = _tiled(steps, *parts)
        if repeat is None or repeat[0] in times:
            return {}
        times.update([repeat])
    return times


def _split_and_joined(steps: Steps, split: Step, joined: Step) -> tuple[int, int] | None:
    """The axis along which each place is repeated, and how many times."""
    axis, parts = steps.value(split, 0), steps.op(split).shapes
    # All parts are of the same size: it is that of one place, and not of a block of several.
    shape = parts[0]
    if not isinstance(axis, int) or shape is None or shape[axis] != 1:
        return None
    times = len(joined.reads) // len(parts)
    wanted = [(split.last, number) for number in range(len(parts)) for _ in range(times)]
    alike = joined.reads == wanted and steps.value(joined, -1) == axis
    return (axis % len(shape), times) if alike else None


def _tiled(steps: Steps, expanded: Step, tiled: Step, reshaped: Step) -> tuple[int, int] | None:
    """The axis along which each place is repeated, and how many times."""
    place, before, after = (
        steps.value(expanded, 1),
        steps.input_shape(expanded),
        steps.output_shape(reshaped),
    )
    if not isinstance(place, int) or before is None or after is None or len(before) != len(after):
        return None
    # The new axis stands behind the one that is repeated, and both become one.
    place %= len(before) + 1
    axis, numbers = place - 1, _multiples(steps, tiled)
    if len(numbers) != len(before) + 1 or not isinstance(numbers[place], int):
        return None
    times = numbers[place]
    if [*numbers[:place], *numbers[place + 1 :]] != [1] * len(before):
        return None
    wanted = [size and size * (times if n == axis else 1) for n, size in enumerate(before)]
    alike = all(None in sizes or sizes[0] == sizes[1] for sizes in zip(wanted, after, strict=True))
    return (axis, times) if alike else None


def _multiples(steps: Steps, tiled: Step) -> tuple[Any, ...]:
    """How often an operation repeats each axis; nothing where no constants say it."""
    value = steps.value(tiled, 1)
    if isinstance(value, tuple):
        return value
    op = steps.ops[steps.op(tiled).inputs[1][0]]
    packed = [steps.operands.get(place) for place, _ in op.inputs] if op.type == "Pack" else []
    return tuple(None if operand is None else operand.value for operand in packed)


def scale_of(before: Shape, after: Shape) -> tuple[int, ...] | None:
    """How much larger the spatial axes have become, None if not whole times or not known."""
    if before is None or after is None or len(before) != len(after):
        return None
    scales = []
    for size, larger in zip(before[1:-1], after[1:-1], strict=True):
        if not size or not larger or larger % size:
            return None
        scales.append(larger // size)
    return tuple(scales)


def _indices(steps: Steps, gather: Step) -> None:
    # Less (than 0) -> SelectV2 (AddV2 (of the size of the table), else as they are) -> GatherV2: a
    # table of which negative indices count from the end, as in the Embedding of Keras 3.
    select = steps.before(gather, "SelectV2")
    if select is None or len(select.reads) != 3 or len(gather.reads) != 1:
        return
    less, added = steps.before(select, "Less"), steps.before(select, "AddV2", slot=1)
    if less is None or added is None or not less.reads == added.reads == select.reads[2:]:
        return
    # In this order: index < 0, index + size.
    rows = (steps.operand_shape(gather, 0) or (None,))[0]
    sizes = _first_size(steps, steps.op(added).inputs[1][0])
    if steps.value(less, 1) == 0 and rows is not None and sizes == rows:
        steps.join(gather, [less, added, select])


def _first_size(steps: Steps, place: int) -> Any:
    """The first of the sizes in a constant, where an operation picks it; else None."""
    # StridedSlice (sizes, from 0, to 1), in Keras 3.15 behind a Cast.
    op = steps.ops[place]
    while op.type == "Cast":
        op = steps.ops[op.inputs[0][0]]
    values = [steps.ops[source].value for source, _ in op.inputs]
    first = op.type == "StridedSlice" and values[1:3] == [(0,), (1,)]
    return values[0][0] if first and values[0] else None


def _merge(steps: Steps, step: Step) -> None:
    # AddV2 -> AddV2 -> ..., each with one tensor more, in a scope of its own: Add of both Keras.
    # Maximum, Minimum and Multiply alike.
    if len(step.reads) < 2:
        return
    layer = _MERGES[steps.op(step).type]
    before = [steps.before(step, slot=slot) for slot in range(len(step.reads))]
    alike = [part for part in before if part is not None and part.type == layer]
    chained = layer != "Subtract" and steps.is_leaf(step.scope)
    steps.become(step, alike[:1] if chained else [], layer, {})


def _average(steps: Steps, step: Step) -> None:
    # AddV2 -> ... -> RealDiv (how many), or Mul (by one over that): Average of both Keras.
    total = steps.before(step)
    if total is None or total.type != "Add" or not steps.is_leaf(step.scope):
        return
    number = len(total.reads)
    if computes_with(steps, step, number if steps.op(step).type == "RealDiv" else 1 / number):
        steps.become(step, [total], "Average", {})


def _cast(steps: Steps, step: Step) -> None:
    """A cast that a layer begins with is a part of it."""
    after = steps.after(step)
    if steps.is_leaf(step.scope) and after is not None:
        steps.join(after, [step])
