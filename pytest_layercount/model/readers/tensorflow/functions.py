"""Concrete functions of TensorFlow and the signatures of SavedModels, as plain operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.files import read_bytes
from pytest_layercount.model.readers.load import SAVED_MODEL
from pytest_layercount.model.readers.tensorflow.flatten import CALLS, Flattening
from pytest_layercount.model.readers.tensorflow.ops import Function, Ref

MOST_BYTES = 1 << 31
"""What a protocol buffer can hold."""


def traced_function(function: Any) -> Function:
    """The operations of a concrete function.

    Raises:
        ModelError: its graph holds what TensorFlow cannot describe.
    """
    import tensorflow as tf

    name = plain_name(function.name)
    graph = function.graph
    described = graph.as_graph_def()
    captured = {inner.op.name: outer for outer, inner in graph.captures}
    variables = {id(variable.handle): variable for variable in function.variables}
    standing_for: dict[str, str] = {}
    trainable: set[str] = set()
    for node in described.node:
        if node.name in captured:
            variable = variables.get(id(captured[node.name]))
            standing_for[node.name] = node.name  # names of variables need not differ
            if variable is not None:
                _become_variable(tf, node, variable)
            if variable is not None and variable.trainable:
                trainable.add(node.name)
    given = [tensor.name for tensor in graph.inputs if tensor.op.name not in captured]
    flat = Flattening(described.library.function)
    try:
        ends = flat.add_graph(described.node, [*given, *(one.name for one in graph.outputs)])
        return _function(
            flat,
            name=name,
            version=tf.__version__,
            inputs={_plain(one): end for one, end in zip(given, ends, strict=False)},
            outputs={str(place): end for place, end in enumerate(ends[len(given) :])},
            variables=standing_for,
            trainable=trainable,
        )
    except ModelError as error:
        raise ModelError(f"the traced function {name!r}: {error}") from error


def _function(
    flat: Flattening,
    *,
    name: str,
    version: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    variables: Mapping[str, str],
    trainable: Iterable[str],
) -> Function:
    ops = tuple(flat.ops(variables))
    places = {op.name: place for place, op in enumerate(ops)}

    def ref(tensor: str) -> Ref:
        op, _, index = tensor.rpartition(":")
        return places[op], int(index)

    return Function(
        name=name,
        version=version,
        ops=ops,
        inputs={one: ref(tensor)[0] for one, tensor in inputs.items()},
        outputs={one: ref(tensor) for one, tensor in outputs.items()},
        trainable=frozenset(trainable),
    )


def _become_variable(tf: Any, node: Any, variable: Any) -> None:
    """Let a placeholder for a resource say what variable it is, so that shapes can be found."""
    node.op = "VarHandleOp"
    node.attr.clear()
    node.attr["dtype"].type = variable.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
    node.attr["shared_name"].s = str(variable.name).encode()


def _plain(name: str) -> str:
    return name.partition(":")[0]


def plain_name(given: str | bytes | None) -> str:
    """A function's name without what TensorFlow puts around it."""
    name = given.decode() if isinstance(given, bytes) else given or "function"
    return re.sub(r"^__inference_(signature_wrapper_)?|_\d+$", "", name) or name


def saved_function(path: Path) -> Function:
    """The operations of the signature that a SavedModel serves with.

    Raises:
        ModelError: the directory holds no SavedModel, a damaged one, or no such signature.
    """
    try:
        return _saved(path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _saved(path: Path) -> Function:
    raw = _bytes_of(path / SAVED_MODEL)
    try:
        from tensorflow.core.protobuf import saved_model_pb2
    except ModuleNotFoundError:
        raise ModelError(
            "reading a SavedModel needs TensorFlow, which is not installed: "
            'pip install "pytest-layercount[tensorflow]"'
        ) from None
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(raw)
    except Exception as error:
        raise ModelError(f"{SAVED_MODEL} is damaged: it is no protocol buffer") from error
    if not message.meta_graphs:
        raise ModelError(f"{SAVED_MODEL} holds no graph, so it is not a saved model")
    saved = next((one for one in message.meta_graphs if "serve" in one.meta_info_def.tags), None)
    saved = saved or message.meta_graphs[0]
    name, signature = _signature(saved.signature_def)
    flat = Flattening(saved.graph_def.library.function)
    inputs, outputs = _named(signature.inputs), _named(signature.outputs)
    ends = flat.add_graph(saved.graph_def.node, [*inputs.values(), *outputs.values()])
    variables, trainable = _variables(saved)
    return _function(
        flat,
        name=path.name if name == "serving_default" else f"{path.name} ({name})",
        version=saved.meta_info_def.tensorflow_version,
        inputs=dict(zip(inputs, ends, strict=False)),
        outputs=dict(zip(outputs, ends[len(inputs) :], strict=True)),
        variables=variables,
        trainable=trainable,
    )


def _bytes_of(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ModelError(f"{SAVED_MODEL} is larger than a protocol buffer can be")
        return read_bytes(file)
    except OSError as error:
        raise ModelError(f"{SAVED_MODEL} cannot be read ({error.strerror})") from error


def _signature(signatures: Mapping[str, Any]) -> tuple[str, Any]:
    named = {name: one for name, one in signatures.items() if not name.startswith("__")}
    if "serving_default" in named:
        return "serving_default", named["serving_default"]
    if len(named) == 1:
        return next(iter(named.items()))
    if not named:
        raise ModelError(
            "a SavedModel without signatures, so nothing says which of its functions is the model: "
            "save it with signatures=, or give one: tf.saved_model.load(path).f.concrete_functions"
        )
    raise ModelError(
        f"a SavedModel with the signatures {', '.join(sorted(named))} and no serving_default: "
        "give the one you mean: tf.saved_model.load(path).signatures[name]"
    )


def _named(tensors: Mapping[str, Any]) -> dict[str, str]:
    """Tensors by name, in the order of the numbers at the ends of the names."""

    def turn(name: str) -> tuple[str, int]:
        start, number = re.fullmatch(r"(.*?)(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
        return start, int(number or 0)

    return {name: tensors[name].name for name in sorted(tensors, key=turn)}


def _variables(saved: Any) -> tuple[dict[str, str], set[str]]:
    """The names of the variables, and of those that training changes."""
    handles = [node for node in saved.graph_def.node if node.op == "VarHandleOp"]
    names = {node.name: node.name for node in handles}
    names |= {node.name: node.name for node in saved.graph_def.node if node.op == "Const"}
    objects = saved.object_graph_def
    trainable = set()
    for function, bound in objects.concrete_functions.items():
        for node in saved.graph_def.node:
            if node.op not in CALLS or node.attr["f"].func.name != function:
                continue
            given = [_plain(one) for one in node.input][-len(bound.bound_inputs) :]
            for argument, number in zip(given, bound.bound_inputs, strict=False):
                held = objects.nodes[number] if number < len(objects.nodes) else None
                if held is not None and held.variable.trainable:
                    trainable.add(argument)
    return names, trainable
