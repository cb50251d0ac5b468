"""Making layers and models with Keras 3."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import keras
from keras import tree

from pytest_layercount.model.graph import Layer, Node
from pytest_layercount.model.keras.config import (
    custom_objects,
    lambda_arguments,
    made_again,
    set_numbers,
    with_changes,
    with_dtype,
)
from pytest_layercount.model.keras.origin import is_own


class Keras3Writer:
    """See :class:`pytest_layercount.folding.rewrite.layers.Writer`."""

    def input(self, live: Any, name: str) -> Any:
        return type(live).from_config({**live.get_config(), "name": name}).output

    def copy(
        self, live: Any, layer: Layer, name: str, changes: Mapping[str, Any], dtype: str | None
    ) -> Any:
        if layer.kind == "operation":
            return _copy_operation(live, name)
        if type(live) is keras.layers.Lambda:
            return type(live)(**lambda_arguments(live, name, dtype or live.dtype_policy))

        def make(kept: dict[str, Any]) -> Any:
            config = {**with_changes(kept, changes), "name": name}
            if dtype is not None:
                config = with_dtype(config, dtype)
            return _from_config(live, config)

        with keras.saving.custom_object_scope(custom_objects(live)):
            new = made_again(live, make)
        set_numbers(new, changes)
        return new

    def call(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if node.training is not None and _takes(layer, "training"):
            kwargs = {**kwargs, "training": node.training}
        return list(tree.flatten(layer(*args, **kwargs)))

    def connect(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if not _certain(layer, node, args, kwargs):
            return self.call(layer, node, args, kwargs)
        if not layer.built:
            layer.build(tree.map_structure(lambda tensor: tuple(tensor.shape), args[0]))
        layer._called = True
        output = keras.KerasTensor(node.shapes[0], node.dtypes[0])
        vars(layer)["compute_output_spec"] = lambda *_, **__: output
        try:
            return [keras.Operation.symbolic_call(layer, *args)]
        finally:
            del vars(layer)["compute_output_spec"]

    def model(self, inputs: Any, outputs: Any, old: Any) -> Any:
        model = keras.Model(inputs, outputs, name=old.name)
        return _named_like(model, old)

    def sequential(self, inputs: Any, layers: list[Any], old: Any) -> Any:
        entry = inputs._keras_history.operation
        return keras.Sequential([entry, *layers], name=old.name)


def _from_config(live: Any, config: dict[str, Any]) -> Any:
    """A new layer; where its class does not take its own configuration, from its arguments."""
    try:
        return type(live).from_config(config)
    except TypeError:
        given = getattr(getattr(live, "_auto_config", None), "config", None)
        if given is None:
            raise
        known = {*given, "name", "trainable", "dtype"}
        kept = {key: value for key, value in config.items() if key in known}
        return type(live).from_config({**given, **kept})


def _copy_operation(live: Any, name: str) -> Any:
    """Raw operations hold no weights: a copy needs only a history of its own."""
    new = copy.copy(live)
    new._inbound_nodes, new._outbound_nodes = [], []
    new.name = name
    return new


def _certain(layer: Any, node: Node, args: Any, kwargs: Any) -> bool:
    """Whether all that Keras would find out by a call is known: its output, no mask, no loss.

    That takes as long as making the layer. Only layers of Keras's own, without parts, are
    sure to do no more than that when they are called.
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


def _plain(tensor: Any) -> bool:
    return (
        type(tensor) is keras.KerasTensor
        and not getattr(tensor, "sparse", False)
        and getattr(tensor, "_keras_mask", None) is None
    )


def _takes(layer: Any, argument: str) -> bool:
    parameters = inspect.signature(layer.call).parameters
    return argument in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def _named_like(model: Any, old: Any) -> Any:
    """Keep the names by which losses and metrics address the outputs."""
    names = getattr(old, "output_names", None)
    if names is not None and len(names) == len(model.outputs):
        model.output_names = list(names)
    return model
