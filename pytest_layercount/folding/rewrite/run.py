"""Run models compiled, node by node, so that every value inside can be seen or set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.rewrite.build import Built, writer_for
from pytest_layercount.model.graph import ModelGraph, Value, map_tree, values_in
from pytest_layercount.model.readers.live import OpenModel

Tensors = dict[Value, Any]


def run(
    built: Built,
    feeds: Mapping[Value, Any],
    wanted: Iterable[Value],
    forced: Mapping[Value, Any] | None = None,
) -> Tensors:
    """The ``wanted`` values of ``built``, and all that lead to them.

    Layers are called as the model calls them in ``model(x)``. A value in
    ``forced`` is computed where it is wanted, and what reads it sees the forced
    tensor.
    """
    writer, made, forced = writer_for(built.model), dict(feeds), forced or {}

    def seen(leaf: Any) -> Any:
        if not isinstance(leaf, Value):
            return leaf
        return forced[leaf] if leaf in forced else made[leaf]

    for number in _leading_to(built.graph, wanted, made.keys() | forced.keys()):
        node = built.graph.nodes[number]
        args, kwargs = map_tree(node.args, seen), map_tree(node.kwargs, seen)
        for index, tensor in enumerate(writer.call(built.layers[node.layer], node, args, kwargs)):
            made[Value(number, index)] = tensor
    return made


def _leading_to(graph: ModelGraph, wanted: Iterable[Value], known: Set[Value]) -> list[int]:
    """The nodes to run for the ``wanted`` values when those ``known`` are given."""
    needed: set[int] = set()
    pending = [value.node for value in wanted]
    while pending:
        number = pending.pop()
        if number not in needed and graph.layer_of(number).kind != "input":
            needed.add(number)
            inputs = graph.nodes[number].inputs
            pending += [value.node for value in inputs if value not in known]
    return sorted(needed)


def compiled(measure: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """``measure`` as a compiled function from arrays to nested lists of arrays.

    The graph optimiser is off while it runs: it takes longer than what it saves.
    """
    import tensorflow as tf

    traced = tf.function(measure, autograph=False, reduce_retracing=True)
    optimizer = tf.config.optimizer

    def call(inputs: Sequence[Any]) -> Any:
        off = bool(optimizer.get_experimental_options().get("disable_meta_optimizer", False))
        optimizer.set_experimental_options({"disable_meta_optimizer": True})
        try:
            results = traced([tf.convert_to_tensor(array) for array in inputs])
        finally:
            optimizer.set_experimental_options({"disable_meta_optimizer": off})
        return tf.nest.map_structure(np.asarray, results)

    return call


def fed(built: Built, inputs: Sequence[Any]) -> Tensors:
    """The input values of ``built``, in the data types that its input layers take."""
    import tensorflow as tf

    tensors = {}
    taken = zip(values_in(built.graph.inputs), built.model.inputs, inputs, strict=True)
    for value, wanted, tensor in taken:
        dtype = tf.as_dtype(wanted.dtype)
        tensors[value] = tf.cast(tensor, dtype) if tensor.dtype != dtype else tensor
    return tensors


def flat_inputs(opened: OpenModel, inputs: Any) -> list[Any]:
    """``inputs``, in a structure that the model takes, as a flat list of arrays.

    Raises:
        ModelError: their number is not the model's.
    """
    values = list(values_in(opened.graph.inputs))
    arrays: list[Any] = []
    if isinstance(inputs, Mapping) and not isinstance(opened.graph.inputs, Mapping):
        names = [opened.graph.layer_of(value.node).name for value in values]
        inputs = [inputs[name] for name in names if name in inputs]
    if isinstance(inputs, Mapping):
        inputs = [inputs[key] for key in sorted(inputs, key=str)]
    map_tree(inputs, arrays.append)
    if len(arrays) != len(values):
        raise ModelError(f"the model takes {len(values)} inputs, {len(arrays)} were given")
    return [np.asarray(array) for array in arrays]


def output_names(opened: OpenModel) -> list[str]:
    """A name for each output: its key in a dictionary, else that of its layer."""
    outputs = opened.graph.outputs
    if isinstance(outputs, Mapping) and all(isinstance(v, Value) for v in outputs.values()):
        return [str(key) for key in sorted(outputs, key=str)]
    return [opened.graph.layer_of(value.node).name for value in values_in(outputs)]
