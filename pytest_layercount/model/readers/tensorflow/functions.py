"""Concrete functions of TensorFlow and the signatures of SavedModels, as plain operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError, needs_tensorflow
from pytest_layercount.files import read_bytes
from pytest_layercount.model.keras.load import SAVED_MODEL
from pytest_layercount.model.readers.tensorflow.flatten import CALLS, Flattening
from pytest_layercount.model.readers.tensorflow.ops import Function

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
    # A captured tensor of the graph is fed from outside: a variable's handle or a constant. Only
    # handles are turned into variables; captured constants stay placeholders, which ``Op.variable``
    # names.
    captured = {inner.op.name: outer for outer, inner in graph.captures}
    variables = {id(variable.handle): variable for variable in function.variables}
    trainable: set[str] = set()
    for node in described.node:
        variable = variables.get(id(captured.get(node.name)))
        if variable is not None:
            _become_variable(node, variable)
            if variable.trainable:
                trainable.add(node.name)
    # graph.inputs lists what the user passes first and then everything captured.
    inputs = [tensor.name for tensor in graph.inputs if tensor.op.name not in captured]
    try:
        return _function(
            Flattening(described.library.function),
            described.node,
            name=name,
            version=tf.__version__,
            inputs={tensor.partition(":")[0]: tensor for tensor in inputs},
            outputs={str(place): tensor.name for place, tensor in enumerate(graph.outputs)},
            variables={name: name for name in captured},  # two variables may have one name
            trainable=trainable,
        )
    except ModelError as error:
        raise ModelError(f"the traced function {name!r}: {error}") from error


def _function(
    flat: Flattening,
    nodes: Iterable[Any],
    *,
    name: str,
    version: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    variables: Mapping[str, str],
    trainable: Iterable[str],
) -> Function:
    """Flatten what lies between ``inputs`` and ``outputs``: their names and tensors (``x:0``)."""
    # The inputs are asked for as ends too: one that no output needs is still an input.
    ends = flat.add_graph(nodes, [*inputs.values(), *outputs.values()])
    ops = tuple(flat.ops(variables))
    places = {op.name: place for place, op in enumerate(ops)}
    refs = [(places[end.partition(":")[0]], int(end.partition(":")[2])) for end in ends]
    return Function(
        name=name,
        version=version,
        ops=ops,
        # refs has the inputs first and then the outputs, as the ends were given.
        inputs={name: place for name, (place, _) in zip(inputs, refs, strict=False)},
        outputs=dict(zip(outputs, refs[len(inputs) :], strict=True)),
        trainable=frozenset(trainable),
    )


def _become_variable(node: Any, variable: Any) -> None:
    """Turn the placeholder of a captured variable into the variable's own operation.

    A placeholder of a resource says nothing of what it holds, so TensorFlow could not infer
    the shape of what is read from it.
    """
    node.op = "VarHandleOp"
    node.attr.clear()
    node.attr["dtype"].type = variable.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
    node.attr["shared_name"].s = str(variable.name).encode()


def plain_name(name: str | bytes | None) -> str:
    """A function's name without what TensorFlow puts around it."""
    name = name.decode() if isinstance(name, bytes) else name or "function"
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
        raise ModelError(needs_tensorflow("reading a SavedModel")) from None
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(raw)
    except Exception as error:
        raise ModelError(f"{SAVED_MODEL} is damaged: it is no protocol buffer") from error
    if not message.meta_graphs:
        raise ModelError(f"{SAVED_MODEL} holds no graph, so it is not a saved model")
    # A SavedModel may hold several graphs; one tagged "serve" is the one for inference.
    serving = (graph for graph in message.meta_graphs if "serve" in graph.meta_info_def.tags)
    saved = next(serving, message.meta_graphs[0])
    name, signature = _signature(saved.signature_def)
    nodes = saved.graph_def.node
    return _function(
        Flattening(saved.graph_def.library.function),
        nodes,
        name=path.name if name == "serving_default" else f"{path.name} ({name})",
        version=saved.meta_info_def.tensorflow_version,
        inputs=_named(signature.inputs),
        outputs=_named(signature.outputs),
        # Constants of the outer graph are what the exported function captured, so they are handed
        # to it by name as variables are.
        variables={node.name: node.name for node in nodes if node.op in ("Const", "VarHandleOp")},
        trainable=_trainable(saved),
    )


def _bytes_of(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ModelError(f"{SAVED_MODEL} is larger than a protocol buffer can be")
        return read_bytes(file)
    except OSError as error:
        raise ModelError(f"{SAVED_MODEL} cannot be read ({error.strerror})") from error


def _signature(signatures: Mapping[str, Any]) -> tuple[str, Any]:
    # "__saved_model_init_op" and its like are nobody's function.
    named = {name: value for name, value in signatures.items() if not name.startswith("__")}
    if "serving_default" in named or len(named) == 1:
        name = "serving_default" if "serving_default" in named else next(iter(named))
        return name, named[name]
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
    """Map names to tensors, sorted by the numbers that the names end in.

    A signature is an unordered map, whose entries are numbered (``output_2``, ``output_10``): plain
    sorting would put the tenth before the second.
    """

    def turn(name: str) -> tuple[str, int]:
        start, number = re.fullmatch(r"(.*?)(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
        return start, int(number or 0)

    return {name: tensors[name].name for name in sorted(tensors, key=turn)}


def _trainable(saved: Any) -> set[str]:
    """The names of the variables that training changes, as far as calls bind them.

    Only the object graph knows which variable is trainable, and only by its place there. A call
    in the outer graph says which operation stands for which place::

        object_graph.concrete_functions[f].bound_inputs = [7, 9]
        StatefulPartitionedCall(x, kernel, bias), of f      -> kernel is 7, bias is 9
    """
    objects = saved.object_graph_def
    calls: dict[str, list[Any]] = {}
    for node in saved.graph_def.node:
        if node.op in CALLS:
            calls.setdefault(node.attr["f"].func.name, []).append(node)
    trainable = set()
    for function, bound in objects.concrete_functions.items():
        for node in calls.get(function, ()):
            # What is bound are the last arguments of a call, after those that a user gives.
            arguments = list(node.input)[-len(bound.bound_inputs) :]
            for argument, number in zip(arguments, bound.bound_inputs, strict=False):
                held = objects.nodes[number] if number < len(objects.nodes) else None
                if held is not None and held.variable.trainable:
                    trainable.add(argument.partition(":")[0])
    return trainable
