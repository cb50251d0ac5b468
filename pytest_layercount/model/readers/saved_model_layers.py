"""Layers that hold a whole SavedModel: read as what its operations amount to.

Keras counts a ``TFSMLayer`` or a ``KerasLayer`` of TensorFlow Hub as one layer. What is
inside is shown in its place: to be counted and explained, for only TensorFlow can run it.
"""

from __future__ import annotations

from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.edit import splice
from pytest_layercount.model.graph import ModelGraph, Node, values_in
from pytest_layercount.model.keras.common import holds_saved_model, saved_function
from pytest_layercount.model.readers.live import OpenModel
from pytest_layercount.model.readers.tensorflow import is_function, read_function


def with_reloaded_opened(opened: OpenModel) -> ModelGraph:
    """The graph of a model, the SavedModels in it opened where they can be."""
    inside = {}
    classes = set(filter(holds_saved_model, set(map(type, opened.layers))))
    for number, layer in enumerate(opened.layers):
        if type(layer) in classes:
            inner = _inside(opened.graph, number, layer)
            if inner is not None:
                inside[number] = inner
    return splice(opened.graph, inside) if inside else opened.graph


def _inside(graph: ModelGraph, number: int, layer: Any) -> ModelGraph | None:
    """The graph of what a layer calls; None where that is unknown or does not fit its calls."""
    calls = [graph.nodes[node] for node in graph.calls.get(number, ())]
    function = _concrete(saved_function(layer), graph, calls[0]) if calls else None
    if function is None:
        return None
    try:
        inner = read_function(function)
    except ModelError:
        return None
    taken, returned = list(values_in(inner.inputs)), list(values_in(inner.outputs))
    # splice() puts the one graph into every call, so each has to take and return as many values.
    fits = all(
        (len(call.inputs), len(call.shapes)) == (len(taken), len(returned)) for call in calls
    )
    return inner if fits else None


def _concrete(function: Any, graph: ModelGraph, call: Node) -> Any | None:
    """The concrete function that is called with arguments like those of ``call``."""
    if is_function(function):
        return function
    if not hasattr(function, "get_concrete_function"):
        return None
    import tensorflow as tf

    # A tf.function has a graph for each kind of arguments; of a loaded one only those saved are
    # there.
    specs = [tf.TensorSpec(graph.shape(v), graph.dtype(v) or "float32") for v in call.inputs]
    for flags in ({}, {"training": False}):
        try:
            return function.get_concrete_function(*specs, **flags)
        except (TypeError, ValueError):
            continue  # no such argument, or it must be given
    return None
