"""Layers that are several operations in a scope of their own: attention, normalization, merges."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.tensorflow.activations import constant, near
from pytest_layercount.model.readers.tensorflow.steps import Step, Steps

_LAYER_NORM = names("AddV2 Cast Mean Mul Neg Rsqrt SquaredDifference Sub")
_RMS_NORM = names("AddV2 Mean Mul Rsqrt Square")
_ATTENTION = names("attention_output key query value")
_MERGES = {
    "Add": "Add",
    "AddV2": "Add",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Mul": "Multiply",
}


def recognise_composites(steps: Steps) -> None:
    """Find what stands for one layer although it is several operations."""
    for scope in sorted({step.scope.rpartition("/")[0] for step in steps.steps.values()}):
        _attention(steps, scope)
    for scope, members in _by_scope(steps).items():
        if steps.is_leaf(scope):
            _first_that_fits(steps, members)
    for step in steps.typed(*_MERGES):
        _merge(steps, step)
    for step in steps.typed("Mul", "RealDiv"):
        _average(steps, step)
    for step in steps.typed("Cast"):
        _cast(steps, step)


def _attention(steps: Steps, scope: str) -> None:
    """Attention: the layer whose scope holds layers of these four names."""
    inside = [step for step in steps.steps.values() if step.scope.startswith(f"{scope}/")]
    parts = {re.sub(r"(_\d+)+$", "", one.scope.removeprefix(f"{scope}/")): one for one in inside}
    kernels = {name: one for name, one in parts.items() if one.weighted}
    if not scope or set(kernels) != _ATTENTION or not set(parts) <= _ATTENTION | {"softmax"}:
        return
    members = [*inside, *(step for step in steps.steps.values() if step.scope == scope)]
    taken = [kernels[name].reads[0] for name in ("query", "value", "key")]
    last = kernels["attention_output"]
    config = {"use_bias": last.config["use_bias"]}
    for name, size in (("query", "key_dim"), ("value", "value_dim")):
        shape = steps.shape((kernels[name].last, 0)) or (None, None)
        config |= {"num_heads": shape[-2], size: shape[-1]}
    steps.join(last, [one for one in members if one is not last])
    steps.rewire(last, taken if taken[2] != taken[1] else taken[:2])
    last.type, last.config, last.scope = "MultiHeadAttention", config, scope


def _by_scope(steps: Steps) -> Mapping[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps.steps.values():
        if step.type != "InputLayer":
            found.setdefault(step.scope, []).append(step)
    return found


def _first_that_fits(steps: Steps, members: list[Step]) -> None:
    _gelu(steps, members)
    unknown = [step for step in members if not step.type and steps.steps.get(step.last) is step]
    if len(unknown) == len(members) > 1:
        fits: tuple[Callable[[Steps, list[Step]], bool], ...] = (
            _layer_norm,
            _old_layer_norm,
            _prelu,
            _repeats,
        )
        any(fit(steps, unknown) for fit in fits)


def _types(steps: Steps, members: list[Step]) -> list[str]:
    return [steps.op(step).type for step in members]


def _gelu(steps: Steps, members: list[Step]) -> None:
    inside: dict[str, list[Step]] = {}
    for step in members:
        found = re.match(r"(.*/Gelu(_\d+)?)/", steps.op(step).name)
        if found and not step.type:
            inside.setdefault(found[1], []).append(step)
    for parts in inside.values():
        last = steps.join(parts[-1], parts[:-1])
        last.type, last.config, last.weights = "Activation", {"activation": "gelu"}, {}


def _layer_norm(steps: Steps, members: list[Step]) -> bool:
    types = _types(steps, members)
    rms = set(types) == _RMS_NORM - ({"AddV2"} if "AddV2" not in types else set())
    if not rms and not ({"Rsqrt", "SquaredDifference"} <= set(types) <= _LAYER_NORM):
        return False
    mean = next(step for step in members if steps.op(step).type == "Mean")
    root = next(step for step in members if steps.op(step).type == "Rsqrt")
    side = steps.side(mean, 1)
    axes = side.value if side is not None else None
    under = steps.ops[steps.op(root).inputs[0][0]]
    constants = [steps.sides[one].value for one, _ in under.inputs if one in steps.sides]
    weighted = {steps.op(step).type for step in members if step.weights}
    last = steps.join(members[-1], members[:-1])
    axis = axes if isinstance(axes, tuple) and len(axes) > 1 else (axes or (-1,))
    last.config = {
        "axis": axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis,
        "epsilon": next((one for one in constants if isinstance(one, float)), None),
    }
    last.type = "RMSNormalization" if rms else "LayerNormalization"
    if not rms:
        last.config |= {"center": bool(weighted & {"AddV2", "Sub"}), "scale": "Mul" in weighted}
    return True


def _old_layer_norm(steps: Steps, members: list[Step]) -> bool:
    """As Keras 2 does it: a batch normalization of what was laid on its side."""
    types = _types(steps, members)
    fused = [step for step in members if steps.op(step).type.startswith("FusedBatchNorm")]
    if types[:3] != ["Reshape", "FusedBatchNormV3", "Reshape"] or len(fused) != 1:
        return False
    if set(types[3:]) - {"Mul", "AddV2"}:
        return False
    rest = types[3:]
    epsilon = steps.op(fused[0]).attributes.get("epsilon")
    last = steps.join(members[-1], members[:-1])
    last.type = "LayerNormalization"
    last.config = {
        "axis": -1,
        "center": "AddV2" in rest,
        "epsilon": epsilon,
        "scale": "Mul" in rest,
    }
    return True


def _prelu(steps: Steps, members: list[Step]) -> bool:
    if sorted(_types(steps, members)) != ["AddV2", "Mul", "Neg", "Relu", "Relu"]:
        return False
    last = steps.join(members[-1], members[:-1])
    last.type, last.config = "PReLU", {}
    return bool(last.weights)


def _repeats(steps: Steps, members: list[Step]) -> bool:
    """Upsampling as Keras 3 does it: each axis repeated in turn."""
    if not all("/Repeat" in steps.op(step).name for step in members):
        return False
    last = steps.join(members[-1], members[:-1])
    before, after = steps.shape(last.reads[0]), steps.shape((last.last, 0))
    rank = len(before or (None,) * 4) - 2
    last.type = f"UpSampling{rank}D"
    last.config = {"data_format": "channels_last", "size": scale_of(before, after)}
    last.config["interpolation"] = "nearest"
    return True


def scale_of(
    before: tuple[int | None, ...] | None, after: tuple[int | None, ...] | None
) -> tuple[int, ...] | None:
    """How much larger the spatial axes have become, None if not whole times or not known."""
    if before is None or after is None or len(before) != len(after):
        return None
    pairs = list(zip(before[1:-1], after[1:-1], strict=True))
    if any(not one or not two or two % one for one, two in pairs):
        return None
    return tuple((two or 1) // (one or 1) for one, two in pairs)


def _merge(steps: Steps, step: Step) -> None:
    """The same combination of several tensors one after the other, in a scope of its own."""
    kind = _MERGES[steps.op(step).type]
    if len(step.reads) < 2:
        return
    for slot in range(len(step.reads)):
        before = steps.before(step, slot)
        if steps.is_leaf(step.scope) and before is not None and before.type == kind:
            steps.join(step, [before])
            break
    step.type, step.config = kind, {}


def _average(steps: Steps, step: Step) -> None:
    total = steps.before(step)
    if not steps.is_leaf(step.scope) or total is None or total.type != "Add":
        return
    value = constant(steps, step)
    number = len(total.reads)
    if near(value, number if steps.op(step).type == "RealDiv" else 1 / number):
        steps.join(step, [total])
        step.type, step.config = "Average", {}


def _cast(steps: Steps, step: Step) -> None:
    """A cast that a layer begins with is a part of it."""
    after = steps.after(step)
    if steps.is_leaf(step.scope) and after is not None:
        steps.join(after, [step], like=after)
