"""Steps with a kernel: convolutions and dense layers, with all that TensorFlow puts around them."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.readers.tensorflow.steps import Step, Steps

_CONVOLUTIONS = {
    "Conv2D": "Conv{}D",
    "Conv3D": "Conv{}D",
    "Conv2DBackpropInput": "Conv{}DTranspose",
    "Conv3DBackpropInputV2": "Conv{}DTranspose",
    "DepthwiseConv2dNative": "DepthwiseConv{}D",
}
_POOLS = {
    "AvgPool": "AveragePooling{}D",
    "AvgPool3D": "AveragePooling{}D",
    "MaxPool": "MaxPooling{}D",
    "MaxPool3D": "MaxPooling{}D",
}
_PRODUCTS = ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "MatMul")
_SUMS = ("Add", "AddV2", "BiasAdd", "BiasAddV1")


def recognise_kernels(steps: Steps) -> None:
    """Find the convolutions, poolings and dense layers, each with its bias."""
    for step in steps.typed(*_CONVOLUTIONS, *_POOLS):
        _unwrap(steps, step)
    for step in steps.typed("Reshape"):
        _tensordot(steps, step)
    for step in steps.typed(*_PRODUCTS, "Einsum"):
        _dense(steps, step)
    for step in steps.typed(*_SUMS):
        _bias(steps, step)
    for step in list(steps.steps.values()):
        _separable(steps, step)


def _unwrap(steps: Steps, step: Step) -> None:
    """A convolution or pooling, with what makes it dilated or one-dimensional around it."""
    op = steps.op(step)
    transposed = op.type.endswith(("BackpropInput", "BackpropInputV2"))
    kernel = steps.side_shape(step, 1) if op.type in _CONVOLUTIONS else ()
    if kernel is None or (op.type in _CONVOLUTIONS and steps.side(step, 1) is None):
        return
    rank = 3 if "3D" in op.type else 2
    dilation = None
    last, first = step, False
    before, after = steps.before(step), steps.after(step)
    around = _types(steps, before), _types(steps, after)
    if around == ("SpaceToBatchND", "BatchToSpaceND") and before and after:
        block = steps.side(before, 1)
        dilation = None if block is None else block.value
        last = steps.join(after, [before, step], like=step)
        before, after = steps.before(last), steps.after(last)
        around = _types(steps, before), _types(steps, after)
    if around == ("ExpandDims", "Squeeze") and before and after:
        side = steps.side(before, 1)
        first = side is not None and side.value in (2, -2)
        last = steps.join(after, [before, last], like=last)
        rank = 1
    spread = _Spread(op.attributes, rank, first)
    config = {
        "data_format": spread.data_format,
        "padding": str(op.attributes.get("padding", "VALID")).lower(),
        "strides": spread("strides"),
    }
    if op.type in _POOLS:
        last.type = _POOLS[op.type].format(rank)
        last.config = {**config, "pool_size": spread("ksize")}
        return
    last.type = _CONVOLUTIONS[op.type].format(rank)
    last.config = {**config, **_kernel(kernel, rank, last.type), "use_bias": False}
    last.config["activation"] = "linear"
    last.config["dilation_rate"] = spread("dilations") or (1,) * rank
    if dilation:
        last.config["dilation_rate"] = ((1,) * rank + tuple(dilation))[-rank:]
        last.config["padding"] = "same" if _keeps_size(steps, last) else "valid"
    if not transposed:
        last.config["groups"] = _groups(steps, last, kernel)
    _causal(steps, last)


def _types(steps: Steps, step: Step | None) -> str:
    return "" if step is None or step.type else steps.op(step).type


class _Spread:
    """Picks from what TensorFlow says of every axis the spatial ones.

    One-dimensional layers have a second axis of size one, before theirs or (``first``) after.
    """

    def __init__(self, attributes: Mapping[str, Any], rank: int, first: bool) -> None:
        self.attributes, self.rank, self.first = attributes, rank, first
        channels = str(attributes.get("data_format", "NHWC")).startswith("NC")
        self.data_format = "channels_first" if channels else "channels_last"

    def __call__(self, name: str) -> tuple[int, ...]:
        sizes = tuple(self.attributes.get(name, ()))
        inner = sizes[2:] if self.data_format == "channels_first" else sizes[1:-1]
        return inner[: self.rank] if self.first else inner[-self.rank :]


def _kernel(kernel: tuple[int | None, ...], rank: int, type_: str) -> dict[str, Any]:
    size = tuple(kernel[:-2])[-rank:]
    if type_.startswith("Depthwise"):
        return {"kernel_size": size, "depth_multiplier": kernel[-1]}
    return {"kernel_size": size, "filters": kernel[-2 if type_.endswith("Transpose") else -1]}


def _channels(shape: Shape, data_format: str) -> int | None:
    return None if shape is None else shape[1 if data_format == "channels_first" else -1]


def _groups(steps: Steps, step: Step, kernel: tuple[int | None, ...]) -> int:
    given = _channels(steps.shape(step.reads[0]), step.config["data_format"])
    taken = kernel[-2]
    if step.type.startswith("Depthwise") or not given or not taken:
        return 1
    return given // taken


def _keeps_size(steps: Steps, step: Step) -> bool:
    before, after = steps.shape(step.reads[0]), steps.shape((step.last, 0))
    return before is not None and after is not None and before[1:-1] == after[1:-1]


def _causal(steps: Steps, step: Step) -> None:
    """Padding on the left of a one-dimensional convolution, in its own scope."""
    pad = steps.before(step)
    if step.type != "Conv1D" or _types(steps, pad) not in ("Pad", "PadV2") or pad is None:
        return
    side = steps.side(pad, 1)
    padding = None if side is None else side.value
    if step.scope and padding and padding[1][0] and not padding[1][1]:
        steps.join(step, [pad])
        step.config["padding"] = "causal"


def _tensordot(steps: Steps, step: Step) -> None:
    """A dense layer on more than two axes: TensorFlow flattens, multiplies and unflattens."""
    name = steps.op(step).name
    inside = [
        other
        for other in steps.steps.values()
        if steps.op(other).name.startswith(f"{name}/") and not other.type
    ]
    products = [other for other in inside if steps.op(other).type in _PRODUCTS]
    if not name.rpartition("/")[2].startswith("Tensordot") or len(products) != 1:
        return
    if steps.side(products[0], 1) is not None:
        steps.join(step, inside)
        _call_dense(steps, step)


def _dense(steps: Steps, step: Step) -> None:
    """A product with a kernel, perhaps between reshapes that spread its axes."""
    op = steps.op(step)
    if len(step.reads) != 1 or not step.weights or steps.side(step, 1) is None:
        return
    if op.type == "Einsum":
        step.type, step.config = "EinsumDense", {"equation": op.attributes.get("equation")}
        step.config |= {"activation": "linear", "use_bias": False}
        return
    before, after = steps.before(step), steps.after(step)
    last = after if after is not None and _types(steps, after) == "Reshape" else step
    others = [
        step,
        *([before] if before is not None and _types(steps, before) == "Reshape" else []),
    ]
    if steps.is_leaf(step.scope) and (last is not step or len(others) > 1):
        equation = _equation(steps, step, last)
        steps.join(last, [one for one in others if one is not last], like=step)
        last.type = "EinsumDense"
        last.config = {"activation": "linear", "equation": equation, "use_bias": False}
        return
    _call_dense(steps, step)


def _equation(steps: Steps, step: Step, last: Step) -> str | None:
    """What is multiplied and summed, with letters in the order in which axes appear."""
    kernel = steps.ops[steps.op(step).inputs[1][0]]
    while kernel.type == "Reshape" and kernel.inputs:
        kernel = steps.ops[kernel.inputs[0][0]]
    first = steps.before(step)
    given = steps.shape((first if _types(steps, first) == "Reshape" and first else step).reads[0])
    result = steps.shape((last.last, 0))
    if given is None or result is None or kernel.shapes[0] is None:
        return None
    summed = (len(given) + len(kernel.shapes[0]) - len(result)) // 2
    letters = ascii_lowercase[: len(given) + len(kernel.shapes[0]) - summed]
    source, made = letters[: len(given)], letters[len(given) :]
    kept = source[: len(source) - summed]
    return f"{source},{source[len(kept) :]}{made}->{kept}{made}"


def _call_dense(steps: Steps, step: Step) -> None:
    shape = steps.shape((step.last, 0))
    units = None if shape is None else shape[-1]
    step.type = "Dense"
    step.config = {"activation": "linear", "units": units, "use_bias": False}


def _bias(steps: Steps, step: Step) -> None:
    """A vector, one number a channel, added to what a kernel gives."""
    before = steps.before(step)
    if before is None or not before.weighted or before.config["use_bias"] or len(step.reads) != 1:
        return
    slot = next((slot for slot in (0, 1) if steps.side(step, slot) is not None), None)
    if slot is None:
        return
    shape = steps.side_shape(step, slot)
    whole = steps.shape((step.last, 0))
    if shape is None or not step.weights:
        return
    channels = before.config.get("filters") or before.config.get("units") or (whole or (0,))[-1]
    long = [size for size in shape if size != 1]
    if before.type != "EinsumDense" and long not in ([], [channels]) and not _depthwise(before):
        return
    steps.join(step, [before], like=before)
    step.config["use_bias"] = True


def _depthwise(step: Step) -> bool:
    return step.type.startswith("Depthwise")


def _separable(steps: Steps, step: Step) -> None:
    """A depthwise convolution and one with a 1x1 kernel, made by the same layer."""
    if not step.type.startswith("Conv") or set(step.config.get("kernel_size", ())) != {1}:
        return
    before = steps.before(step)
    name = steps.ops[step.core].name
    if before is None or not _depthwise(before) or before.config["use_bias"] or not step.scope:
        return
    if not steps.ops[before.core].name.startswith(name):
        return
    first, second = before.config, step.config
    joined = steps.join(step, [before])
    joined.type = f"Separable{step.type}"
    joined.config = {
        **second,
        **{key: first[key] for key in ("dilation_rate", "kernel_size", "padding", "strides")},
        "depth_multiplier": first["depth_multiplier"],
    }
