"""Activation functions that are several operations."""

from __future__ import annotations

from pytest_layercount.model.readers.tensorflow.steps import Step, Steps


def recognise_activations(steps: Steps) -> None:
    """Find swish and the hard functions, written out."""
    for step in steps.typed("Mul"):
        _silu(steps, step)
    for step in steps.typed("RealDiv", "Mul"):
        _hard_sigmoid(steps, step)
    for step in steps.typed("Maximum"):
        _clipped_sigmoid(steps, step)
    for step in steps.typed("Mul"):
        _hard_silu(steps, step)


def _silu(steps: Steps, step: Step) -> None:
    """``x * sigmoid(x)``, or ``x * sigmoid(1 * x)`` as TensorFlow writes it."""
    for slot in range(len(step.reads)):
        gate = _made_from(steps, steps.before(step, slot), "Sigmoid")
        if gate is None or len(step.reads) != 2:
            continue
        other = step.reads[1 - slot]
        scaled = _made_from(steps, steps.before(gate), "Mul")
        parts = [gate]
        if gate.reads != [other] and scaled is not None and scaled.reads == [other]:
            parts.append(scaled)
        elif gate.reads != [other]:
            continue
        _become(steps.join(step, parts), "silu")
        return


def constant(steps: Steps, step: Step) -> float | None:
    """The number that a step computes with."""
    for slot in range(len(steps.op(step).inputs)):
        side = steps.side(step, slot)
        if side is not None and isinstance(side.value, (int, float)):
            return float(side.value)
    return None


def near(value: float | None, wanted: float) -> bool:
    """Whether a number is another one but for rounding."""
    return value is not None and abs(value - wanted) < 1e-4


def _hard_sigmoid(steps: Steps, step: Step) -> None:
    """``relu6(x + 3) / 6``, in a scope of its own."""
    bounded = _made_from(steps, steps.before(step), "Relu6")
    shifted = None if bounded is None else _made_from(steps, steps.before(bounded), "AddV2")
    if (
        not steps.is_leaf(step.scope)
        or bounded is None
        or shifted is None
        or len(shifted.reads) != 1
    ):
        return
    divides = steps.op(step).type == "RealDiv"
    if near(constant(steps, step), 6 if divides else 1 / 6) and near(constant(steps, shifted), 3):
        _become(steps.join(step, [bounded, shifted]), "hard_sigmoid")


def _clipped_sigmoid(steps: Steps, step: Step) -> None:
    """``clip(0.2 * x + 0.5, 0, 1)``, Keras 2's hard sigmoid."""
    parts = [step]
    for type_ in ("Minimum", "AddV2", "Mul"):
        before = _made_from(steps, steps.before(parts[-1]), type_)
        if before is None or len(before.reads) != 1:
            return
        parts.append(before)
    if near(constant(steps, parts[2]), 0.5) and near(constant(steps, parts[3]), 0.2):
        _become(steps.join(step, parts[1:]), "hard_sigmoid")


def _hard_silu(steps: Steps, step: Step) -> None:
    """``x * hard_sigmoid(x)``, in one scope."""
    for slot in range(len(step.reads)):
        gate = steps.before(step, slot)
        known = gate is not None and gate.config.get("activation") == "hard_sigmoid"
        if gate is None or not known or gate.type != "Activation" or len(step.reads) != 2:
            continue
        if steps.is_leaf(step.scope) and gate.reads == [step.reads[1 - slot]]:
            _become(steps.join(step, [gate]), "hard_silu")
            return


def _made_from(steps: Steps, step: Step | None, type_: str) -> Step | None:
    return step if step is not None and not step.type and steps.op(step).type == type_ else None


def _become(step: Step, activation: str) -> None:
    step.type, step.config, step.weights = "Activation", {"activation": activation}, {}
