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
# Their biases have several axes, or a number for each multiple of each channel.
_ANY_BIAS = ("DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense")


def recognise_kernels(steps: Steps) -> None:
    """Find the convolutions, poolings and dense layers, each with its bias."""
    # The order counts. Tensordot comes before plain products, since its MatMul would be a Dense by
    # itself. Biases come after all kernels, by which they are told; separable convolutions after
    # the biases, since a depthwise convolution with a bias of its own is a layer of its own.
    for step in steps.typed(*_CONVOLUTIONS, *_POOLS):
        _windowed(steps, step)
    for step in steps.typed("Reshape"):
        _tensordot(steps, step)
    for step in steps.typed(*_PRODUCTS):
        _product(steps, step)
    for step in steps.typed("Einsum"):
        _einsum(steps, step)
    for step in steps.typed(*_SUMS):
        _bias(steps, step)
    for step in list(steps.steps.values()):
        _separable(steps, step)


def _windowed(steps: Steps, core: Step) -> None:
    # Conv2D, MaxPool ...: a layer by itself.
    # SpaceToBatchND (dilation) -> Conv2D -> BatchToSpaceND: dilated, by tf.nn.convolution.
    # ExpandDims (1 or 2) -> Conv2D -> Squeeze: one-dimensional, and dilated around both.
    op = steps.op(core)
    kernel = steps.operand_shape(core, 1) if op.type in _CONVOLUTIONS else None
    # Without a kernel it is a convolution of data with data, which is no layer.
    if op.type in _CONVOLUTIONS and (kernel is None or steps.operand(core, 1) is None):
        return
    # In one dimension TensorFlow puts the dilation around both others, in two around the core:
    #     SpaceToBatchND -> ExpandDims -> Conv2D -> Squeeze -> BatchToSpaceND
    #     SpaceToBatchND -> Conv2D -> BatchToSpaceND
    inner, dilation = _unwrapped(steps, core, "SpaceToBatchND", "BatchToSpaceND")
    step, axis = _unwrapped(steps, inner, "ExpandDims", "Squeeze")
    rank = 1 if step is not inner else 3 if "3D" in op.type else 2
    if dilation is None:
        step, dilation = _unwrapped(steps, step, "SpaceToBatchND", "BatchToSpaceND")
    # With the channels last, an axis expanded after the layer's own (2) leaves the layer the first
    # of the two, one expanded before it (1) the last.
    step.config = _window(op, rank, first=axis in (2, -2))
    if kernel is None:
        step.type = _POOLS[op.type].format(rank)
        return
    step.type = _CONVOLUTIONS[op.type].format(rank)
    step.config |= _kernel(steps, step, kernel, rank)
    # Where the operation itself is dilated, _window() has read its attribute "dilations".
    if dilation:
        step.config["padding"] = _dilated_padding(steps, step)
        step.config["dilation_rate"] = ((1,) * rank + tuple(dilation))[-rank:]
    _causal(steps, step)


def _dilated_padding(steps: Steps, step: Step) -> str | None:
    # The convolution within does not pad, the operations around it do: sizes tell, if known.
    before, after = (
        (shape or (None,) * 3)[1:-1]
        for shape in (steps.input_shape(step), steps.output_shape(step))
    )
    if None in before + after:
        return None
    return "same" if before == after else "valid"


def _window(op: Op, rank: int, *, first: bool) -> dict[str, Any]:
    """The settings that an operation has for every axis, as a layer has them for the spatial ones.

    TensorFlow writes strides as (1, 2, 2, 1) where a layer has (2, 2). ``rank`` is the number of
    the layer's spatial axes. A one-dimensional layer runs a two-dimensional operation, of whose
    spatial axes the ``first`` or else the last is the layer's, the other one expanded.
    """
    channels_first = str(op.attributes.get("data_format", "NHWC")).startswith("NC")
    config: dict[str, Any] = {
        "data_format": "channels_first" if channels_first else "channels_last",
        "padding": str(op.attributes.get("padding", "VALID")).lower(),
    }
    for setting, attribute in _OF_EVERY_AXIS.items():
        if attribute in op.attributes:
            sizes = op.attributes[attribute]
            inside = sizes[2:] if channels_first else sizes[1:-1]
            config[setting] = inside[:rank] if first else inside[-rank:]
    return config


def _unwrapped(steps: Steps, step: Step, opening: str, closing: str) -> tuple[Step, Any]:
    """Join ``step`` with ``opening`` before it and ``closing`` after it, if both are there.

    Returns the step it has become, and the constant that the opening computes with (the dilation
    or the expanded axis); the step itself and None where they are not there.
    """
    before, after = steps.before(step, opening), steps.after(step, closing)
    if before is None or after is None:
        return step, None
    constant = steps.value(before, 1)
    return steps.join(after, [before, step], like=step), constant


def _kernel(steps: Steps, step: Step, kernel: tuple[int | None, ...], rank: int) -> dict[str, Any]:
    """What the shape of a kernel tells: filters, groups and the window.

    Kernels are (*window, in, out); of transposed convolutions (*window, out, in), of depthwise
    ones (*window, in, multiplier). Of grouped ones "in" is the channels of one group only.
    """
    *sizes, inner, outer = kernel
    config = {"activation": "linear", "kernel_size": tuple(sizes)[-rank:], "use_bias": False}
    if step.type.startswith("Depthwise"):
        return {**config, "depth_multiplier": outer, "groups": 1}
    if step.type.endswith("Transpose"):
        return {**config, "filters": inner}
    shape = steps.input_shape(step)
    first = step.config["data_format"] == "channels_first"
    channels = None if shape is None else shape[1 if first else -1]
    return {**config, "filters": outer, "groups": channels // inner if channels and inner else 1}


def _causal(steps: Steps, step: Step) -> None:
    # Pad (left only) -> ExpandDims -> Conv2D -> Squeeze: Conv1D(padding="causal").
    pad = steps.before(step, "Pad", "PadV2")
    # Only a layer's own scope says that the padding belongs to the convolution: Pad and Conv1D that
    # a user calls outside of any layer stay two.
    if step.type != "Conv1D" or pad is None or not step.scope:
        return
    padding = steps.value(pad, 1)
    if padding and padding[1][0] and not padding[1][1]:
        steps.join(step, [pad])
        step.config["padding"] = "causal"


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


def _bias(steps: Steps, step: Step) -> None:
    # Conv2D, MatMul, Einsum ... -> BiasAdd or AddV2 (a number per channel): the same layer.
    kernel = steps.before(step)
    if kernel is None or not kernel.weighted or kernel.config["use_bias"] or len(step.reads) != 1:
        return
    shape = steps.operand_shape(step, 0 if steps.operand(step, 0) is not None else 1)
    if shape is None or not step.weights:
        return
    # EinsumDense and depthwise layers have neither: their channels are the last axis.
    channels = kernel.config.get("filters") or kernel.config.get("units")
    channels = channels or (steps.output_shape(step) or (0,))[-1]
    # What is added by one number for each channel, or a single one, is a bias; any other shape is
    # an addition of its own, such as an embedding of positions after a Dense.
    long = [size for size in shape if size != 1]
    if long in ([], [channels]) or kernel.type in _ANY_BIAS:
        steps.join(step, [kernel], like=kernel)
        step.config["use_bias"] = True


def _separable(steps: Steps, step: Step) -> None:
    # DepthwiseConv2dNative -> Conv2D (1x1), by the same layer: SeparableConv2D. SeparableConv1D is
    # the same between ExpandDims and Squeeze, which stay operations of their own.
    if not step.type.startswith("Conv") or set(step.config.get("kernel_size", ())) != {1}:
        return
    depthwise = steps.before(step)
    if depthwise is None or not depthwise.type.startswith("Depthwise") or not step.scope:
        return
    # TensorFlow names the first "separable_conv2d/depthwise" and the second "separable_conv2d".
    named = steps.op(depthwise).name.startswith(steps.op(step).name)
    if named and not depthwise.config["use_bias"]:
        kept = ("dilation_rate", "kernel_size", "padding", "strides", "depth_multiplier")
        config = step.config | {name: depthwise.config[name] for name in kept}
        steps.become(step, [depthwise], f"Separable{step.type}", config)
