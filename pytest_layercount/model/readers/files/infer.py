"""What a call of a saved layer returns: shapes, data types and masks, as far as they are known.

Layers that are not known here, and sizes that make no sense, give an unknown shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_layercount.model.graph import Shape, map_tree
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.base import Call
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.layers.operations import operation_outputs
from pytest_layercount.model.readers.files.saved_layer import (
    Network,
    SavedLayer,
    SavedTensor,
    tensors_in,
    tensors_of_call,
)

_LARGEST = 1 << 40
_MOST_SHAPES = 64

_TRUTHS = names("""
    all any equal greater greater_equal is_finite is_inf is_nan isfinite isinf isnan less
    less_equal logical_and logical_not logical_or logical_xor not_equal reduce_all reduce_any
    """)
# Their results are integers, of a type that depends on the library and not on what they take.
_COUNTS = names("argmax argmin argsort count_nonzero rank shape size")


class Output(NamedTuple):
    """One output of a call."""

    shape: Shape
    dtype: str = ""
    masked: bool = False


def shape_from(value: Any) -> Shape:
    """A shape as a file writes it, None where it is none."""
    if not isinstance(value, (list, tuple)):
        return None
    # type() and not isinstance(): True is no size.
    known = all(size is None or (type(size) is int and 0 <= size < _LARGEST) for size in value)
    return tuple(value) if known else None


def outputs_of(layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Output]:
    """The outputs of a call with these arguments, the unknown ones included."""
    inputs = tensors_of_call(layer, args, kwargs)
    if layer.network is not None:
        return _through(layer, inputs)
    if not inputs:
        return [Output(None)]
    if layer.operation is not None and layer.generation == 3:
        # Keras 3 keeps in the operation what Keras 2 writes at its call.
        kwargs = {**{key: value for key, value in layer.config.items() if key != "name"}, **kwargs}
    try:
        shapes = _shapes(layer, args, kwargs, inputs)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        shapes = [None]
    dtype = _dtype(layer, args, kwargs, inputs)
    masked, ranked = is_masked(layer, inputs), layer.operation == "top_k"
    return [
        Output(shape_from(shape), "int32" if ranked and number else dtype, masked and number == 0)
        for number, shape in enumerate(shapes)
    ]


def _shapes(
    layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: list[SavedTensor]
) -> list[Shape]:
    if layer.operation is not None:
        return operation_outputs(layer.operation, args, kwargs)
    if not layer.builtin:
        return [None]
    shapes = [tensor.shape for tensor in inputs]
    if layer.type == "TimeDistributed":
        return _time_distributed(layer, shapes[0])
    if layer.type == "SpectralNormalization" and layer.inner is not None:
        return _shapes(layer.inner, args, kwargs, inputs)
    return row_of(layer.type).returns(_call(layer, shapes, kwargs))


def _call(layer: SavedLayer, shapes: list[Shape], kwargs: Mapping[str, Any]) -> Call:
    inner = layer.inner
    wrapped = None if inner is None else (row_of(inner.type), _call(inner, shapes, kwargs))
    return Call(layer.config, shapes, kwargs, layer.generation, layer.version, wrapped)


def _through(layer: SavedLayer, inputs: list[SavedTensor]) -> list[Output]:
    """A nested model's outputs, followed through it again where it is fed another shape."""
    network = layer.network
    assert network is not None
    taken = tuple((tensor.shape, tensor.dtype) for tensor in inputs)
    usual = tuple((tensor.shape, tensor.dtype) for tensor in network.entries)
    made = tensors_in(network.outputs)
    # A model may be called on other sizes than it was built on, such as a backbone of free size.
    if taken != usual and len(taken) == len(usual):
        # A small file may nest models that call one another on ever new shapes.
        if taken not in network.seen and len(network.seen) < _MOST_SHAPES:
            network.seen[taken] = _again(network, inputs)
        outputs = network.seen.get(taken)
        return outputs if outputs is not None else [Output(None, tensor.dtype) for tensor in made]
    return [Output(tensor.shape, tensor.dtype, tensor.masked) for tensor in made]


def _again(network: Network, inputs: list[SavedTensor]) -> list[Output]:
    instead = {id(entry): tensor for entry, tensor in zip(network.entries, inputs, strict=True)}

    def stand_in(leaf: Any) -> Any:
        return instead.get(id(leaf), leaf)

    for call in network.calls:
        # Skips the calls of the InputLayers, whose outputs are replaced already.
        if not all(id(tensor) in instead for tensor in call.outputs):
            args, kwargs = map_tree((call.args, call.kwargs), stand_in)
            outputs = outputs_of(call.layer, args, kwargs)
            for number, tensor in enumerate(call.outputs):
                output = outputs[number] if number < len(outputs) else Output(None)
                instead[id(tensor)] = SavedTensor(call.layer, *output[:2], masked=output.masked)
    ends = [instead[id(tensor)] for tensor in tensors_in(network.outputs)]
    return [Output(tensor.shape, tensor.dtype, tensor.masked) for tensor in ends]


def _time_distributed(layer: SavedLayer, shape: Shape) -> list[Shape]:
    inner = layer.inner
    if inner is None or shape is None:
        return [None]
    # Axis 1 is time: the layer inside sees (batch, ...) for each step.
    step = SavedTensor(inner, (shape[0], *shape[2:]), "float32")
    if not inner.built:
        inner.built = (step.shape,)
    shape_of_step = outputs_of(inner, (step,), {})[0].shape
    return [None if shape_of_step is None else (shape_of_step[0], shape[1], *shape_of_step[1:])]


def _dtype(
    layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: list[SavedTensor]
) -> str:
    """The data type of a call's outputs, empty where it is not known."""
    first = inputs[0].dtype
    if layer.operation is not None:
        return _of_operation(layer, args, kwargs, [tensor.dtype for tensor in inputs])
    # "mixed_float16" computes in float16. A policy that was serialised has the name in its config;
    # those of quantized layers end in what they were before: "int8_from_float32".
    policy = layer.config.get("dtype", "float32" if layer.builtin else "")
    if not policy:
        return ""
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        named = inner.get("name") or inner.get("source_name") if isinstance(inner, Mapping) else ""
        policy = str(named or "").rpartition("_from_")[2]
    computes = str(policy or "float32").removeprefix("mixed_")
    row = row_of(layer.type)
    # Integers pass through layers that do not compute with them, in some versions.
    if first and "float" not in first and row.keeps_integers(layer.config, layer.generation):
        return first
    call = Call(layer.config, generation=layer.generation, version=layer.version)
    return computes if row.dtype is None else row.dtype(call, computes)


def _of_operation(
    layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: list[str]
) -> str:
    name = layer.operation
    if name in ("cast", "one_hot", "ones", "zeros"):
        usual = "float32" if name != "cast" else args[1] if len(args) > 1 else ""
        wanted = kwargs.get("dtype") or usual
        return wanted if isinstance(wanted, str) else ""
    if name in _COUNTS:
        large = layer.generation == 2 and name in ("argmax", "argmin", "count_nonzero")
        wanted = kwargs.get("output_type") or kwargs.get("out_type")
        return wanted if isinstance(wanted, str) else "int64" if large else "int32"
    if name in ("embedding_lookup", "fill", "sequence_mask"):
        return ""
    if name == "where":
        return inputs[1] if len(inputs) > 1 else ""
    return "bool" if name in _TRUTHS else inputs[0]


def is_masked(layer: SavedLayer, inputs: list[SavedTensor]) -> bool:
    """Whether Keras carries a mask along with the first output."""
    if not layer.builtin or layer.operation is not None:
        return False
    wraps = layer.type == "Bidirectional" and layer.inner is not None
    config = layer.inner.config if wraps and layer.inner else layer.config
    return row_of(layer.type).masks(config, [tensor.masked for tensor in inputs])
