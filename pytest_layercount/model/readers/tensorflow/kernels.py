"""Steps with a kernel: convolutions and dense layers, with all that TensorFlow puts around them."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

from pytest_layercount.model.readers.tensorflow.ops import Op
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
_OF_EVERY_AXIS = {"dilation_rate": "dilations", "pool_size": "ksize", "strides": "strides"}
_PRODUCTS = ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "MatMul")
_SUMS = ("Add", "AddV2", "BiasAdd", "BiasAddV1")


def recognise_kernels(steps: Steps) -> None:
    """Find the convolutions, poolings and dense layers, each with what stands around it."""
    # The order counts. Tensordot comes before plain products, since its MatMul would be a Dense by
    # itself. What stands around comes after all kernels: a separable convolution has two.
    for step in steps.typed(*_CONVOLUTIONS, *_POOLS):
        _windowed(steps, step)
    for step in steps.typed("Reshape"):
        _tensordot(steps, step)
    for step in steps.typed(*_PRODUCTS):
        _product(steps, step)
    for step in steps.typed("Einsum"):
        _einsum(steps, step)
    for step in list(steps.steps.values()):
        # One that was joined to another before its turn is gone.
        if step.config and steps.steps.get(step.last) is step:
            _gather(steps, step)


def _windowed(steps: Steps, step: Step) -> None:
    # Conv2D, MaxPool ...: a layer of as many spatial axes.
    op = steps.op(step)
    rank = 3 if "3D" in op.type else 2
    if op.type in _POOLS:
        step.type, step.config = _POOLS[op.type].format(rank), _window(op)
        return
    kernel = steps.operand_shape(step, 1)
    # Without a kernel it is a convolution of data with data, which is no layer.
    if kernel is not None and steps.operand(step, 1) is not None:
        step.type, step.config = _CONVOLUTIONS[op.type].format(rank), _window(op)
        step.config |= _kernel(steps, step, kernel)


def _window(op: Op) -> dict[str, Any]:
    """The settings that an operation has for every axis, as a layer has them for the spatial ones.

    TensorFlow writes strides as (1, 2, 2, 1) where a layer has (2, 2).
    """
    config: dict[str, Any] = {
        "data_format": "channels_first" if op.channels_first else "channels_last",
        "padding": str(op.attributes.get("padding", "VALID")).lower(),
    }
    for setting, attribute in _OF_EVERY_AXIS.items():
        if attribute in op.attributes:
            sizes = op.attributes[attribute]
            config[setting] = sizes[2:] if op.channels_first else sizes[1:-1]
    return config


def _kernel(steps: Steps, step: Step, kernel: tuple[int | None, ...]) -> dict[str, Any]:
    """What the shape of a kernel tells: filters, groups and the window.

    Kernels are (*window, in, out); of transposed convolutions (*window, out, in), of depthwise
    ones (*window, in, multiplier). Of grouped ones "in" is the channels of one group only.
    """
    *sizes, inner, outer = kernel
    config = {"activation": "linear", "kernel_size": tuple(sizes), "use_bias": False}
    if step.type.startswith("Depthwise"):
        return {**config, "depth_multiplier": outer, "groups": 1}
    if step.type.endswith("Transpose"):
        return {**config, "filters": inner}
    shape = steps.input_shape(step)
    channels = None if shape is None else shape[1 if steps.op(step).channels_first else -1]
    return {**config, "filters": outer, "groups": channels // inner if channels and inner else 1}


def _gather(steps: Steps, step: Step) -> None:
    """Join to a kernel or window what its layer puts around it, from the inside out."""
    # In which order it stands there differs between the Kerases and kinds of layers: Keras 2 adds
    # the bias of a DepthwiseConv1D before the Squeeze, Keras 3 behind it.
    rules = (_dilated, _pointwise, _expanded, turned, _causal, _bias)
    joined: Step | None = step
    while joined is not None:
        step = joined
        joined = next(filter(None, (rule(steps, step) for rule in rules)), None)


def _around(steps: Steps, step: Step, opening: str, closing: str) -> tuple[Step, Step] | None:
    """The operation before a step and the one after it, if they are of these types."""
    before, after = steps.before(step, opening), steps.after(step, closing)
    return None if before is None or after is None else (before, after)


def _spatial(step: Step) -> list[int]:
    """The spatial axes of what a layer with a window takes."""
    first = 2 if step.config["data_format"] == "channels_first" else 1
    return [*range(first, first + len(_sizes(step)))]


def _sizes(step: Step) -> tuple[int | None, ...]:
    """The sizes of a layer's window, of none if it has none."""
    sizes: tuple[int | None, ...] = step.config.get("kernel_size", step.config.get("pool_size", ()))
    return sizes


def _dilated(steps: Steps, step: Step) -> Step | None:
    # SpaceToBatchND (dilation) -> Conv2D -> BatchToSpaceND: dilated, by tf.nn.convolution.
    # Where the operation itself is dilated, _window() has read its attribute "dilations".
    pair = _around(steps, step, "SpaceToBatchND", "BatchToSpaceND")
    if pair is None or not step.weighted or step.config.get("padding") != "valid":
        return None
    blocks, strides = steps.value(pair[0], 1), step.config.get("strides", ())
    if not isinstance(blocks, tuple) or set(strides) != {1}:
        return None
    # A number for each axis from the first after the batch on.
    rates = {axis: rate for axis, rate in enumerate(blocks, start=1) if rate != 1}
    spatial = _spatial(step)
    if not rates.keys() <= set(spatial):
        return None
    step.config["dilation_rate"] = tuple(rates.get(axis, 1) for axis in spatial)
    dilated = steps.join(pair[1], [pair[0], step], like=step)
    dilated.config["padding"] = _dilated_padding(steps, dilated)
    return dilated


def _dilated_padding(steps: Steps, step: Step) -> str | None:
    # The convolution within does not pad, the operations around it do: sizes tell, if known.
    shapes = steps.input_shape(step), steps.output_shape(step)
    before, after = (
        [shape[axis] if shape else None for axis in _spatial(step)] for shape in shapes
    )
    if None in [*before, *after, *_sizes(step)]:
        return None
    differ = [abs((size or 0) - (other or 0)) for size, other in zip(before, after, strict=True)]
    # Without padding, sizes differ by how far the window reaches over the first place.
    rates = zip(_sizes(step), step.config["dilation_rate"], strict=True)
    reach = [((size or 0) - 1) * rate for size, rate in rates]
    return "valid" if differ == reach else None if any(differ) else "same"


def _pointwise(steps: Steps, step: Step) -> Step | None:
    # DepthwiseConv2dNative -> Conv2D (1x1), by the same layer: SeparableConv2D.
    after = steps.after(step)
    if after is None or not step.type.startswith("Depthwise") or not step.scope:
        return None
    if after.type != "Conv2D" or {*_sizes(after), *after.config.get("strides", ())} != {1}:
        return None
    # TensorFlow names the first "separable_conv2d/depthwise" and the second "separable_conv2d". A
    # depthwise convolution with a bias of its own is a layer of its own.
    named = steps.op(step).name.startswith(steps.op(after).name)
    if not named or step.config["use_bias"] or after.config["groups"] != 1:
        return None
    kept = ("dilation_rate", "kernel_size", "padding", "strides", "depth_multiplier")
    config = after.config | {name: step.config[name] for name in kept}
    return steps.become(after, [step], f"Separable{after.type}", config)


def _expanded(steps: Steps, step: Step) -> Step | None:
    # ExpandDims -> Conv2D, MaxPool ... -> Squeeze, of one spatial axis over which the window is of
    # size 1: the layer of one dimension.
    pair = _around(steps, step, "ExpandDims", "Squeeze")
    if pair is None or "2D" not in step.type:
        return None
    axis = steps.value(pair[0], 1)
    squeezed = steps.op(pair[1]).attributes.get("squeeze_dims")
    if not isinstance(axis, int) or not isinstance(squeezed, tuple):
        return None
    # Both may count from the end, of four axes.
    gone = [place % 4 for place in (axis, *squeezed)]
    place = gone[0] - _spatial(step)[0]
    if gone != gone[:1] * 2 or place not in (0, 1) or _sizes(step)[place] != 1:
        return None
    for name in ("dilation_rate", "kernel_size", "pool_size", "strides"):
        if name in step.config:
            step.config[name] = step.config[name][1 - place : 2 - place]
    step.type = step.type.replace("2D", "1D")
    return steps.join(pair[1], [pair[0], step], like=step)


def turned(steps: Steps, step: Step) -> Step | None:
    """Join to a layer with the channels last the operations that turn them there and back.

    It is then one with the channels first: TensorFlow has much with the channels last only.
    """
    # Transpose (the channels to the end) -> Conv2D, MaxPool ... -> Transpose (back), by one layer.
    pair = _around(steps, step, "Transpose", "Transpose")
    if pair is None or step.config.get("data_format") != "channels_last":
        return None
    # Outside of any layer a user turns by hand, and sees three operations.
    if not turn_channels(steps, *pair) or not steps.is_leaf(step.scope):
        return None
    step.config["data_format"] = "channels_first"
    return steps.join(pair[1], [pair[0], step], like=step)


def turn_channels(steps: Steps, there: Step, back: Step) -> bool:
    """Tell whether two operations turn the channels to the end, and back behind the batch."""
    order, rank = steps.value(there, 1), len(steps.input_shape(there) or ())
    if rank < 3 or steps.op(there).type != "Transpose" or steps.op(back).type != "Transpose":
        return False
    backward = (0, rank - 1, *range(1, rank - 1))
    return bool(order == (0, *range(2, rank), 1) and steps.value(back, 1) == backward)


def _causal(steps: Steps, step: Step) -> Step | None:
    # Pad (left only, by what the window reaches back) -> Conv1D: Conv1D(padding="causal").
    pad = steps.before(step, "Pad", "PadV2")
    # Only a layer's own scope says that the padding belongs to the convolution: Pad and Conv1D that
    # a user calls outside of any layer stay two.
    if pad is None or step.type not in ("Conv1D", "SeparableConv1D") or not step.scope:
        return None
    (axis,), (size,), (rate,) = _spatial(step), _sizes(step), step.config["dilation_rate"]
    left = [[0, 0], [0, 0], [0, 0]]
    left[axis][0] = (size or 0) * rate - rate
    padding = tuple(map(tuple, left))
    # Where sizes are not known, it is not known either whether the convolution pads.
    zeros = steps.op(pad).type == "Pad" or steps.value(pad, 2) == 0
    if steps.value(pad, 1) != padding or step.config["padding"] not in ("valid", None) or not zeros:
        return None
    step.config["padding"] = "causal"
    return steps.join(step, [pad])


def _tensordot(steps: Steps, step: Step) -> None:
    # Transpose -> Reshape -> MatMul -> Reshape, the last of them named "Tensordot" and the others
    # "Tensordot/...": tf.tensordot, as Dense of both Keras calls it for more than two axes.
    name = steps.op(step).name
    if not name.rpartition("/")[2].startswith("Tensordot"):
        return
    unknown = [other for other in steps.steps.values() if not other.type]
    inside = [other for other in unknown if steps.op(other).name.startswith(f"{name}/")]
    products = [other for other in inside if steps.op(other).type in _PRODUCTS]
    if len(products) == 1 and steps.operand(products[0], 1) is not None:
        _become_dense(steps, step, inside)


def _product(steps: Steps, step: Step) -> None:
    # MatMul: Dense on two axes.
    # Reshape -> MatMul -> Reshape, in a scope of its own: EinsumDense of Keras 3, which lays axes
    # that are summed, or kept, together.
    if not _has_kernel(steps, step):
        return
    before, after = steps.before(step, "Reshape"), steps.after(step, "Reshape")
    if steps.is_leaf(step.scope) and (before or after):
        equation = _equation(steps, step, before or step, after or step)
        parts = [part for part in (before, step) if part]
        _become_einsum(steps, after or step, parts, equation)
    else:
        _become_dense(steps, step, [])


def _einsum(steps: Steps, step: Step) -> None:
    # Einsum (equation): EinsumDense, also those in attention.
    if _has_kernel(steps, step):
        _become_einsum(steps, step, [], steps.op(step).attributes.get("equation"))


def _has_kernel(steps: Steps, step: Step) -> bool:
    return len(step.reads) == 1 and bool(step.weights) and steps.operand(step, 1) is not None


def _become_dense(steps: Steps, last: Step, parts: list[Step]) -> None:
    units = (steps.output_shape(last) or (None,))[-1]
    config = {"activation": "linear", "units": units, "use_bias": False}
    steps.become(last, parts, "Dense", config)


def _become_einsum(steps: Steps, last: Step, parts: list[Step], equation: str | None) -> None:
    config = {"activation": "linear", "equation": equation, "use_bias": False}
    steps.become(last, parts, "EinsumDense", config)


def _equation(steps: Steps, product: Step, first: Step, last: Step) -> str | None:
    """The equation of a product that was reshaped into a matrix product.

    Summed axes are the last of the data and the first of the kernel, so that only their number
    is open. Each stands in both, and in the result no more::

        result = data + kernel - 2 * summed        (numbers of axes)
        (b, t, c) x (c, h, d) -> (b, t, h, d)      4 = 3 + 3 - 2 * 1     "abc,cde->abde"

    Letters follow the axes in the order in which they appear. None where a rank is not known.
    """
    kernel = steps.ops[steps.op(product).inputs[1][0]]
    # The kernel as the layer has it, before it was laid flat for the product.
    while kernel.type == "Reshape" and kernel.inputs:
        kernel = steps.ops[kernel.inputs[0][0]]
    taken, result = steps.input_shape(first), steps.output_shape(last)
    if taken is None or result is None or kernel.shapes[0] is None:
        return None
    summed = (len(taken) + len(kernel.shapes[0]) - len(result)) // 2
    letters = ascii_lowercase[: len(taken) + len(kernel.shapes[0]) - summed]
    source, made = letters[: len(taken)], letters[len(taken) :]
    kept = source[: len(source) - summed]
    return f"{source},{source[len(kept) :]}{made}->{kept}{made}"


def _bias(steps: Steps, kernel: Step) -> Step | None:
    # Conv2D, MatMul, Einsum ... -> BiasAdd or AddV2 (a number per channel): the same layer.
    step = steps.after(kernel, *_SUMS)
    if step is None or kernel.config.get("use_bias") is not False or len(step.reads) != 1:
        return None
    shape = steps.operand_shape(step, 0 if steps.operand(step, 0) is not None else 1)
    if shape is None or not step.weights:
        return None
    # The bias of an EinsumDense may have several axes.
    if kernel.type != "EinsumDense" and not _is_of_channels(steps, step, kernel, shape):
        return None
    kernel.config["use_bias"] = True
    return steps.join(step, [kernel], like=kernel)


def _is_of_channels(steps: Steps, step: Step, kernel: Step, shape: tuple[int | None, ...]) -> bool:
    """Tell whether what is added to a kernel's result is one number for each channel, or for all.

    Any other shape is an addition of its own, such as an embedding of positions after a Dense.
    """
    made, op = steps.output_shape(step) or (), steps.op(step)
    channel = 1 if kernel.config.get("data_format") == "channels_first" else len(made) - 1
    # Depthwise layers have neither filters nor units.
    count = kernel.config.get("filters") or kernel.config.get("units")
    count = count or (made[channel] if made else None)
    # Shapes are broadcast from the right, but for an operation that knows where the channels are.
    long = {len(made) - len(shape) + n: size for n, size in enumerate(shape) if size != 1}
    if long and op.type.startswith("BiasAdd"):
        long = {1 if op.channels_first else len(made) - 1: shape[0]}
    return long in ({}, {channel: count})
