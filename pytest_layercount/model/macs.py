"""How many multiply-accumulates a call takes, for one sample.

Counted are the products that kernels and attention sum up, as in the papers that
compare models by them (MobileNets, arXiv:1704.04861, section 3.1): an addition of a
bias, a normalization, an activation, a pooling or an element-by-element operation
counts nothing. The batch is one sample; another size that is not known leaves the
call uncounted, and so does a layer whose computation is not known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pytest_layercount.model.graph import Layer, ModelGraph, Node, Shape, Value, values_in
from pytest_layercount.model.layers.arguments import PROJECTING, attended

Sizes = tuple[int, ...]

_UNKNOWN = re.compile(r"Dot|Lambda|MelSpectrogram|RNN|STFTSpectrogram|TFSMLayer")
_UNKNOWN_OPERATIONS = re.compile(r".*(attention|conv|dot|fft|inv|solve|svd|qr|lstm|gru|rnn).*")


class Unknown(Exception):
    """A call that cannot be counted; the text says why."""


def macs(graph: ModelGraph, node: Node) -> int:
    """The multiply-accumulates of one call.

    Raises:
        Unknown: a size is not known, or what the layer computes.
    """
    layer = graph.layers[node.layer]
    values: Sequence[Value] = node.inputs
    if layer.builtin and layer.type in PROJECTING:
        values = list(values_in(attended(node.args, node.kwargs)))
    inputs = [graph.shape(value) for value in values]
    return _macs(layer, node, inputs, node.shapes[0] if node.shapes else None)


def _macs(layer: Layer, node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    if layer.kind == "input":
        return 0
    if layer.operation is not None:
        return _operation(layer.operation, node, inputs, output)
    if not layer.builtin:
        raise Unknown("what it computes is not known")
    if layer.type == "TimeDistributed":
        return _time_distributed(layer, node, inputs, output)
    if layer.type == "Bidirectional":
        both = [layer.config.get(f"{way}_layer") for way in ("forward", "backward")]
        known = [one for one in both if isinstance(one, Layer) and one.type in _GATES]
        if len(known) < len(both):
            raise Unknown("what it computes is not known")
        return sum(_recurrent(one.type, inputs, one.config) for one in known)
    if layer.type in _GATES:
        return _recurrent(layer.type, inputs, layer.config)
    formula = _FORMULAS.get(layer.type)
    if formula is not None:
        return formula(layer.config, inputs, output)
    if _has_no_formula(layer.type):
        raise Unknown("there is no formula for it")
    return 0


@cache
def _has_no_formula(name: str) -> bool:
    return _UNKNOWN.fullmatch(name) is not None


def _known(shape: Shape) -> Sizes:
    """The sizes for one sample; those behind the batch must be known."""
    if shape is None or None in shape[1:]:
        raise Unknown(f"a size in its shapes is not known: {shape}")
    return (1, *(size for size in shape[1:] if size is not None))


def _channels(config: Mapping[str, Any], sizes: Sizes) -> int:
    return sizes[1 if config.get("data_format") == "channels_first" else -1]


def _taps(config: Mapping[str, Any]) -> int:
    kernel = config["kernel_size"]
    return math.prod(kernel) if isinstance(kernel, tuple) else int(kernel)


def _conv(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the output sums up ``kernel * channels / groups`` products."""
    channels = _channels(config, _known(inputs[0])) // int(config.get("groups") or 1)
    return math.prod(_known(output)) * _taps(config) * channels


def _transposed(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the input is multiplied into ``kernel * filters`` of the output."""
    filters = _channels(config, _known(output)) // int(config.get("groups") or 1)
    return math.prod(_known(inputs[0])) * _taps(config) * filters


def _depthwise(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the output sees one channel of the input."""
    return math.prod(_known(output)) * _taps(config)


def _separable(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """A depthwise convolution, then one with a kernel of size one."""
    sizes = _known(output)
    middle = _channels(config, _known(inputs[0])) * int(config.get("depth_multiplier") or 1)
    places = math.prod(sizes) // _channels(config, sizes)
    return places * middle * (_taps(config) + _channels(config, sizes))


def _conv_lstm(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """At each step, four gates convolve the input and the state (arXiv:1506.04214)."""
    read, made = _known(inputs[0]), _known(output)
    last = (1, *made[2:]) if len(made) == len(read) else made
    channels = _channels(config, (1, *read[2:])) + int(config["filters"])
    return read[1] * 4 * math.prod(last) * _taps(config) * channels


def _dense(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the output sums up one product for each feature of the input."""
    return math.prod(_known(output)) * _known(inputs[0])[-1]


def _einsum_dense(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """The output times the sizes that the input shares with the kernel and the output lacks."""
    left, _, result = str(config["equation"]).replace(" ", "").partition("->")
    read = left.partition(",")[0]
    return math.prod(_known(output)) * _summed(read, result, _known(inputs[0]))


def _summed(read: str, result: str, sizes: Sizes) -> int:
    """The product of the sizes that ``read`` names and ``result`` does not."""
    before, dots, after = read.partition("...")
    named = dict(zip(before, sizes, strict=False))
    if dots:
        named |= dict(zip(after[::-1], sizes[::-1], strict=False))
    return math.prod(size for letter, size in named.items() if letter not in result)


def _attention(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """Four projections, the scores and the weighted sum (arXiv:1706.03762, section 3.2)."""
    heads, width = int(config["num_heads"]), int(config["key_dim"])
    depth = int(config.get("value_dim") or width)
    return _attended(inputs, output, (heads, heads), (width, depth))


def _grouped(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """The same, with fewer heads for keys and values (arXiv:2305.13245)."""
    heads = int(config["num_query_heads"]), int(config["num_key_value_heads"])
    return _attended(inputs, output, heads, (int(config["head_dim"]),) * 2)


def _attended(
    inputs: Sequence[Shape], output: Shape, heads: tuple[int, int], widths: tuple[int, int]
) -> int:
    query, value = _known(inputs[0]), _known(inputs[1] if len(inputs) > 1 else inputs[0])
    key = _known(inputs[2]) if len(inputs) > 2 else value
    if not len(query) == len(value) == len(key) == 3:
        raise Unknown("its inputs have several axes to attend to")
    (steps, seen), (width, depth) = (query[1], value[1]), widths
    projected = steps * query[2] * heads[0] * width
    projected += seen * heads[1] * (key[2] * width + value[2] * depth)
    scores = steps * seen * heads[0] * (width + depth)
    return projected + scores + steps * heads[0] * depth * _known(output)[-1]


def _dot_attention(config: Mapping[str, Any], inputs: Sequence[Shape], output: Shape) -> int:
    """The scores and the weighted sum, without projections."""
    query, value = _known(inputs[0]), _known(inputs[1])
    return math.prod(query[:-1]) * value[-2] * (query[-1] + value[-1])


_GATES: Mapping[str, int] = {"GRU": 3, "LSTM": 4, "SimpleRNN": 1}


def _recurrent(type_: str, inputs: Sequence[Shape], config: Mapping[str, Any]) -> int:
    """At each step, each gate multiplies the input and the state into the units."""
    _, steps, features = _known(inputs[0])
    units = int(config["units"])
    return steps * _GATES[type_] * units * (features + units)


def _time_distributed(layer: Layer, node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    inner = layer.config.get("layer")
    if not isinstance(inner, Layer):
        raise Unknown("what it computes is not known")
    steps = _known(inputs[0])[1]
    within = [(1, *_known(shape)[2:]) for shape in inputs]
    return steps * _macs(inner, node, within, (1, *_known(output)[2:]))


def _operation(name: str, node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    """A product of matrices or an einsum of two; other operations work element by element."""
    if name == "matmul":
        return math.prod(_known(output)) * _summed_by_matmul(node, inputs[0])
    if name == "einsum" and len(inputs) == 2 and isinstance(node.argument(0), str):
        left, _, result = str(node.argument(0)).replace(" ", "").partition("->")
        read = left.split(",")
        if "..." not in left and len(read) == 2:
            sizes = dict(zip(read[0], _known(inputs[0]), strict=False))
            sizes |= dict(zip(read[1], _known(inputs[1]), strict=False))
            summed = [size for letter, size in sizes.items() if letter not in result]
            return math.prod(_known(output)) * math.prod(summed)
    if name == "einsum" or _UNKNOWN_OPERATIONS.fullmatch(name):
        raise Unknown("there is no formula for it")
    return 0


def _summed_by_matmul(node: Node, shape: Shape) -> int:
    """The size of the axis that a product of matrices sums over, told from its first tensor."""
    if isinstance(node.argument(0, "x1", "a"), Value):
        axis = -2 if node.kwargs.get("transpose_a") else -1
    else:  # the matrix before it is a constant
        axis = -1 if node.kwargs.get("transpose_b") else -2
    sizes = _known(shape)
    if len(sizes) <= 2 and axis == -2:
        raise Unknown("it sums over the batch")
    return sizes[axis]


_FORMULAS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Shape], Shape], int]] = {
    **{f"Conv{n}D": _conv for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _transposed for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": _separable for n in (1, 2)},
    **{f"ConvLSTM{n}D": _conv_lstm for n in (1, 2, 3)},
    "AdditiveAttention": _dot_attention,
    "Attention": _dot_attention,
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "GroupedQueryAttention": _grouped,
    "MultiHeadAttention": _attention,
}
