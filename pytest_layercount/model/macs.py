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
from collections.abc import Sequence
from typing import Any

from pytest_layercount.model.graph import Layer, ModelGraph, Node, Shape, Value, values_in
from pytest_layercount.model.layers import KNOWN, WITHOUT_ROW, row_of
from pytest_layercount.model.layers.arguments import attended
from pytest_layercount.model.layers.attention import PROJECTING
from pytest_layercount.model.layers.base import Unknown
from pytest_layercount.model.layers.einsum import multiplied

Sizes = tuple[int, ...]

# They multiply more than element by element, in ways for which there is no formula here.
_UNKNOWN_OPERATIONS = re.compile(r".*(attention|conv|dot|fft|inv|solve|svd|qr|lstm|gru|rnn).*")


def macs(graph: ModelGraph, node: Node) -> int:
    """The multiply-accumulates of one call.

    Raises:
        Unknown: a size is not known, or what the layer computes.
    """
    layer = graph.layers[node.layer]
    values: Sequence[Value] = node.inputs
    if layer.builtin and layer.type in PROJECTING:
        # Without masks, so that query, value and key are at known places.
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
        return sum(
            _macs(_part(layer.config.get(f"{way}_layer")), node, inputs[:1], output)
            for way in ("forward", "backward")
        )
    if layer.type == "SpectralNormalization":
        return _macs(_part(next(iter(layer.inside), None)), node, inputs, output)
    if layer.type not in KNOWN or layer.type in WITHOUT_ROW:
        raise Unknown("nothing is known of layers of this type")
    row = row_of(layer.type)
    if row.work_unknown:
        raise Unknown("there is no formula for it")
    if row.kernels is None and row.scores is None:
        return 0  # whatever its shapes are
    settings = {**(layer.settings or {}), **layer.config}
    return row.macs(settings, [_known(shape) for shape in inputs], _known(output))


def _part(layer: Any) -> Layer:
    """A layer inside a wrapper."""
    if not isinstance(layer, Layer):
        raise Unknown("what it computes is not known")
    return layer


def _known(shape: Shape) -> Sizes:
    """The sizes for one sample.

    Raises:
        Unknown: a size other than the batch is not known.
    """
    if shape is None or None in shape[1:]:
        raise Unknown(f"a size in its shapes is not known: {shape}")
    return (1, *(size for size in shape[1:] if size is not None))


def _time_distributed(layer: Layer, node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    steps = _known(inputs[0])[1]
    within = [(1, *_known(shape)[2:]) for shape in inputs]
    inner = _part(layer.config.get("layer"))
    return steps * _macs(inner, node, within, (1, *_known(output)[2:]))


def _operation(name: str, node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    """A product of matrices or an einsum of two; other operations work element by element."""
    if name == "matmul":
        # (..., m, k) x (..., k, n): m * n results, each a sum of k products.
        return math.prod(_known(output)) * _summed_by_matmul(node, inputs[0])
    if name == "einsum" and len(inputs) == 2 and isinstance(node.argument(0), str):
        products = multiplied(node.argument(0), *map(_known, inputs))
        if products is not None:
            return products
    if name == "einsum" or _UNKNOWN_OPERATIONS.fullmatch(name):
        raise Unknown("there is no formula for it")
    return 0


def _summed_by_matmul(node: Node, shape: Shape) -> int:
    """The size of the axis that a product of matrices sums over, from the shape of one tensor."""
    if isinstance(node.argument(0, "x1", "a"), Value):
        axis = -2 if node.kwargs.get("transpose_a") else -1
    else:  # the matrix before it is a constant
        axis = -1 if node.kwargs.get("transpose_b") else -2
    sizes = _known(shape)
    if len(sizes) <= 2 and axis == -2:
        raise Unknown("it sums over the batch")
    return sizes[axis]
