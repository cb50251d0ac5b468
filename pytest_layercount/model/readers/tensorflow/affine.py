"""Maps per channel: batch normalization in each form it is traced to, and preprocessing.

At inference every form computes, for each channel ::

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

so that what tells a normalization from other scales and shifts is the square root of a weight.
"""

from __future__ import annotations

from pytest_layercount.model.readers.tensorflow.steps import Operand, Step, Steps

_FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_SHIFTS = ("Add", "AddV2", "BiasAdd", "Sub")
_DIVISIONS = ("Div", "DivNoNan", "RealDiv")
_SCALES = ("Mul", *_DIVISIONS)


def recognise_maps(steps: Steps) -> None:
    """Find batch normalizations, fused or written out, Normalization and Rescaling layers."""
    for step in steps.typed(*_FUSED):
        _fused(steps, step)
    for step in steps.typed(*_SHIFTS, *_SCALES):
        _written_out(steps, step)
    for step in steps.typed("Mul"):
        _rescaling(steps, step)


def _fused(steps: Steps, step: Step) -> None:
    # FusedBatchNormV3 (gamma, beta, mean, variance): Keras 2 for images.
    gamma, beta, mean, variance = (steps.operand(step, slot) for slot in range(1, 5))
    attributes = steps.op(step).attributes
    training = bool(attributes.get("is_training"))
    if None in (gamma, beta, mean, variance):
        return
    # LayerNormalization of Keras 2 normalizes with it too: by the data, scaled by no weights.
    if training and not step.weights:
        return
    rank = len(steps.input_shape(step) or (None,) * 4)
    step.type, step.training = "BatchNormalization", training or None
    step.config = {
        "axis": 1 if steps.op(step).channels_first else rank - 1,
        "center": bool(beta and beta.weights),
        "epsilon": attributes.get("epsilon"),
        "scale": bool(gamma and gamma.weights),
    }


def _written_out(steps: Steps, first: Step) -> None:
    # Mul (gamma * Rsqrt(variance + epsilon)) -> AddV2 (beta - mean * that): both Keras, and
    # tf.nn.batch_normalization.
    # Sub (mean) -> RealDiv (Sqrt(variance + epsilon)) -> Mul (gamma) -> AddV2 (beta): by hand.
    # Sub (mean) -> RealDiv (Maximum(Sqrt(variance), epsilon)): Normalization of both Keras.
    row = _normalization(steps, first)
    scales = [step for step in row if steps.op(step).type in _SCALES]
    roots = [_factor(steps, step).root for step in scales]
    root = next((root for root in roots if root is not None), None)
    if root is None:
        return
    # Normalization divides by max(sqrt(variance), epsilon): there is no epsilon below the root.
    axis = _axis(steps, scales[0])
    bound = _bound(steps, scales[0]) if len(scales) == 1 else None
    if bound:
        steps.become(row[-1], row, "Normalization", {"axis": (axis,), "epsilon": bound})
        return
    # Scales hold the variance and perhaps a gamma, shifts the mean too and perhaps a beta.
    scaling = {name for step in scales for name in step.weights}
    shifting = {name for step in row for name in step.weights} - scaling
    config = {
        "axis": axis,
        "center": len(shifting) > 1,
        "epsilon": steps.epsilon(root),
        "scale": len(scaling) > 1,
    }
    steps.become(row[-1], row, "BatchNormalization", config)


def _normalization(steps: Steps, first: Step) -> list[Step]:
    """The maps from ``first`` on that can be one normalization.

    In this order: at most one shift (mean), one or more scales (deviation, gamma), at most one
    shift (beta). Two shifts one after the other before any scale are two layers.
    """
    row: list[Step] = []
    scaled = shifted = False
    step: Step | None = first
    while step is not None and not step.type and _is_map(steps, step) and not shifted:
        shift = steps.op(step).type in _SHIFTS
        if shift and row and not scaled:
            break
        row.append(step)
        # A shift after a scale is the beta, with which a normalization ends.
        shifted = shift and scaled
        scaled |= not shift
        step = steps.after(step)
    return row


def _is_map(steps: Steps, step: Step) -> bool:
    """Tell whether a step is ``x * w``, ``x + w``, ``x - w`` or ``x / w``, not ``w - x``."""
    type_ = steps.op(step).type
    if type_ not in _SHIFTS + _SCALES or len(step.reads) != 1 or not _factor(steps, step).weights:
        return False
    return type_ not in ("Sub", *_DIVISIONS) or steps.operand(step, 0) is None


def _factor(steps: Steps, step: Step) -> Operand:
    """What data is scaled or shifted by; an operand without weights where there is none."""
    operands = [steps.operand(step, slot) for slot in (1, 0)]
    return next(filter(None, operands), Operand({}))


def _bound(steps: Steps, division: Step) -> float | None:
    """The least deviation that data is divided by, None where the divisor has no lower bound."""
    divisor = steps.op(division).inputs[1][0]
    bounded = steps.op(division).type in ("Div", "RealDiv") and steps.ops[divisor].type == "Maximum"
    return steps.number(divisor) if bounded else None


def _axis(steps: Steps, scale: Step) -> int:
    """The axis along which a scale has its numbers, the last where that cannot be told.

    A scale of shape (1, 4, 1, 1) belongs to axis 1; one of shape (4,), broadcast from the right,
    to the last axis.
    """
    rank = len(steps.output_shape(scale) or (None,) * 4)
    shape = steps.operand_shape(scale, 1 if steps.operand(scale, 1) is not None else 0)
    long = [place for place, size in enumerate(shape or ()) if size != 1]
    return rank - 1 if len(long) != 1 or shape is None else rank - len(shape) + long[0]


def _rescaling(steps: Steps, scale: Step) -> None:
    # Mul (scale) -> AddV2 (offset), constants, in a scope of its own: Rescaling of both Keras.
    offset = steps.after(scale, "Add", "AddV2")
    if offset is None or not steps.is_leaf(scale.scope):
        return
    numbers = [_factor(steps, step).value for step in (scale, offset)]
    if None in numbers or len(scale.reads) != 1 or len(offset.reads) != 1:
        return
    # Any third operation in the scope says that the layer is another.
    whole = [step for step in steps.leaves()[scale.scope] if steps.op(step).type != "Cast"]
    if len(whole) == 2:
        config = {"data_format": "channels_last", "offset": numbers[1], "scale": numbers[0]}
        steps.become(offset, [scale], "Rescaling", config).weights = {}
