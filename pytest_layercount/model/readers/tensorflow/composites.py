"""Layers that are several operations in a scope of their own: attention, normalization, merges."""

from __future__ import annotations

import re

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.tensorflow.activations import become_activation, computes_with
from pytest_layercount.model.readers.tensorflow.steps import Recognised, Step, Steps

_LAYER_NORM = names("AddV2 Cast Mean Mul Neg Rsqrt SquaredDifference Sub")
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
    for pattern in (_layer_norm, _old_layer_norm, _prelu, _repeats):
        layer = pattern(steps, members)
        if layer is not None:
            steps.become(members[-1], members, *layer)
            return


def _types(steps: Steps, members: list[Step]) -> list[str]:
    return [steps.op(step).type for step in members]


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
    # ExpandDims -> Tile -> Reshape for each axis, named "Repeat/...": tf.repeat, with which Keras 3
    # does UpSampling.
    if not all("/Repeat" in steps.op(step).name for step in members):
        return None
    before, after = steps.input_shape(members[0]), steps.output_shape(members[-1])
    config = {"data_format": "channels_last", "size": scale_of(before, after)}
    return f"UpSampling{len(before or (None,) * 4) - 2}D", {**config, "interpolation": "nearest"}


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
