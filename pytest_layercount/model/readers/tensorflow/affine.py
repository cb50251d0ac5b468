"""Maps per channel: batch normalization in each form it is traced to, and preprocessing."""

from __future__ import annotations

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.readers.tensorflow.steps import Side, Step, Steps

_FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_SHIFTS = ("Add", "AddV2", "BiasAdd", "Sub")
_SCALES = ("Div", "DivNoNan", "Mul", "RealDiv")


def recognise_maps(steps: Steps) -> None:
    """Find batch normalizations, fused or written out, Normalization and Rescaling layers."""
    for step in steps.typed(*_FUSED):
        _fused(steps, step)
    for step in steps.typed(*_SHIFTS, *_SCALES):
        _written_out(steps, step)
    for step in steps.typed("Mul"):
        _rescaling(steps, step)


def _fused(steps: Steps, step: Step) -> None:
    sides = [steps.side(step, slot) for slot in range(1, 5)]
    attributes = steps.op(step).attributes
    training = bool(attributes.get("is_training"))
    known = [side is not None for side in sides]
    if len(step.reads) != 1 or not all(known) or (training and not step.weights):
        return
    first = str(attributes.get("data_format", "NHWC")).startswith("NC")
    rank = len(steps.shape(step.reads[0]) or (None,) * 4)
    _call_batch_norm(
        step,
        axis=1 if first else rank - 1,
        epsilon=attributes.get("epsilon"),
        scale=_has_weights(sides[0]),
        center=_has_weights(sides[1]),
    )
    step.training = True if training else None


def _has_weights(side: Side | None) -> bool:
    return side is not None and bool(side.weights)


def _written_out(steps: Steps, first: Step) -> None:
    """A row of scales and shifts by weights, one of them with a root in it."""
    row = [first] if _is_map(steps, first) else []
    while row:
        after = steps.after(row[-1])
        if after is None or after.type or not _is_map(steps, after):
            break
        row.append(after)
    row = _one_normalization(steps, row)
    scales = [step for step in row if steps.op(step).type in _SCALES]
    roots = [side.root for side in (_side(steps, step) for step in scales) if side]
    root = next((one for one in roots if one is not None), None)
    if root is None:
        return
    divided = len(scales) == 1 and steps.op(scales[0]).type in ("Div", "RealDiv")
    bounded = divided and _bound(steps, scales[0])
    axis = _axis(steps, scales[0])
    scaling = {name for step in scales for name in step.weights}
    whole = {name for step in row for name in step.weights}
    last = steps.join(row[-1], row[:-1])
    if bounded:
        last.type = "Normalization"
        last.config = {"axis": (axis,), "epsilon": bounded}
        return
    _call_batch_norm(
        last,
        axis=axis,
        epsilon=_epsilon(steps, root),
        scale=len(scaling) > 1,
        center=len(whole - scaling) > 1,
    )


def _one_normalization(steps: Steps, row: list[Step]) -> list[Step]:
    """The start of a row that is one normalization: a shift, scales and a shift at most."""
    found: list[Step] = []
    scaled = shifted = False
    for step in row:
        shift = steps.op(step).type in _SHIFTS
        if shifted or (shift and found and not scaled):
            break
        found.append(step)
        shifted = shift and scaled
        scaled |= not shift
    return found


def _is_map(steps: Steps, step: Step) -> bool:
    op, side = steps.op(step), _side(steps, step)
    if len(step.reads) != 1 or side is None or not side.weights:
        return False
    data_first = steps.side(step, 0) is None
    return data_first if op.type in ("Sub", "Div", "DivNoNan", "RealDiv") else True


def _side(steps: Steps, step: Step) -> Side | None:
    if len(steps.op(step).inputs) != 2:
        return None
    return steps.side(step, 1) or steps.side(step, 0)


def _call_batch_norm(
    step: Step, *, axis: int, epsilon: float | None, scale: bool, center: bool
) -> None:
    step.type = "BatchNormalization"
    step.config = {"axis": axis, "center": center, "epsilon": epsilon, "scale": scale}


def _epsilon(steps: Steps, root: int) -> float | None:
    """What is added to the variance under a root."""
    for source, _ in steps.ops[root].inputs:
        for inner, _ in steps.ops[source].inputs:
            value = _number(steps.sides.get(inner))
            if value is not None:
                return value
    return None


def _bound(steps: Steps, step: Step) -> float | None:
    """What a deviation is kept above before data is divided by it."""
    divisor = steps.ops[steps.op(step).inputs[1][0]]
    if divisor.type != "Maximum":
        return None
    values = [_number(steps.sides.get(source)) for source, _ in divisor.inputs]
    return next((value for value in values if value is not None), None)


def _number(side: Side | None) -> float | None:
    value = None if side is None or side.weights else side.value
    return float(value) if isinstance(value, (int, float)) else None


def _axis(steps: Steps, step: Step) -> int:
    """The axis along which a scale has one number each."""
    rank = len(steps.shape((step.last, 0)) or (None,) * 4)
    slot = 1 if steps.side(step, 1) is not None else 0
    shape: Shape = steps.side_shape(step, slot)
    long = [place for place, size in enumerate(shape or ()) if size != 1]
    return rank - 1 if len(long) != 1 or shape is None else rank - len(shape) + long[0]


def _rescaling(steps: Steps, step: Step) -> None:
    """``x * scale + offset`` with constants, in a scope of its own."""
    after = steps.after(step)
    if (
        not steps.is_leaf(step.scope)
        or after is None
        or after.type
        or steps.op(after).type not in ("Add", "AddV2")
    ):
        return
    scale, offset = _side(steps, step), _side(steps, after)
    if scale is None or offset is None or len(step.reads) != 1 or len(after.reads) != 1:
        return
    if scale.value is None or offset.value is None:
        return
    whole = [
        one for one in steps.steps.values() if one.scope == step.scope and not _cast(steps, one)
    ]
    if len(whole) == 2:
        last = steps.join(after, [step])
        last.weights = {}
        last.type = "Rescaling"
        last.config = {"data_format": "channels_last", "offset": offset.value, "scale": scale.value}


def _cast(steps: Steps, step: Step) -> bool:
    return steps.op(step).type == "Cast"
