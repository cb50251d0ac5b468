"""Connect layers of Keras 3 without having it find out what they return."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import tree

from pytest_layercount.model.graph import Node
from pytest_layercount.model.keras.common import mask_of
from pytest_layercount.model.keras.origin import is_own


def is_certain(layer: Any, node: Node, args: Any, kwargs: Any) -> bool:
    """Whether all that Keras would find out by a call is known: one output, no mask, no loss.

    Finding it out takes as long as making the layer. Only Keras's own layers without parts are
    sure to do nothing else when they are called.
    """
    return (
        is_own(type(layer))
        and isinstance(layer, keras.Layer)
        and bool(inspect.signature(layer.build).parameters)  # lookups have none in Keras 3.3
        and next(iter(layer._flatten_layers(include_self=False)), None) is None
        and layer.activity_regularizer is None
        and node.training is None
        and len(node.shapes) == 1
        and node.shapes[0] is not None
        and not any(node.masked)
        and not kwargs
        and len(args) == 1
        and all(map(_plain, args[0] if isinstance(args[0], list) else args))
    )


def output_as_known(layer: Any, node: Node, args: Any) -> Any:
    """The output of a call about which all is certain.

    This does the part of ``Layer.__call__`` that has an effect then: build, and record the call.
    """
    if not layer.built:
        layer.build(tree.map_structure(lambda tensor: tuple(tensor.shape), args[0]))
    layer._called = True  # as __call__ does up to 3.15; a later Keras may not ask
    output = keras.KerasTensor(node.shapes[0], node.dtypes[0])
    # symbolic_call() asks the layer for its output and records a node; on the instance the answer
    # hides the method, which would run the layer's code on stand-ins.
    vars(layer)["compute_output_spec"] = lambda *_, **__: output
    try:
        return keras.Operation.symbolic_call(layer, *args)
    finally:
        del vars(layer)["compute_output_spec"]


def _plain(tensor: Any) -> bool:
    return (
        type(tensor) is keras.KerasTensor
        and not getattr(tensor, "sparse", False)
        and mask_of(tensor) is None
    )
