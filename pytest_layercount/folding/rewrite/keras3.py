"""Making layers and models with Keras 3."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import keras
from keras import tree

from pytest_layercount.folding.rewrite.copying import (
    custom_objects,
    keep_functions,
    lambda_arguments,
    set_numbers,
    with_changes,
    with_dtype,
)
from pytest_layercount.model.graph import Layer, Node


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
        config = {**with_changes(live.get_config(), changes), "name": name}
        if dtype is not None:
            config = with_dtype(config, dtype)
        with keras.saving.custom_object_scope(custom_objects(live)):
            new = _from_config(live, config)
        keep_functions(live, new, changes)
        set_numbers(new, changes)
        return new

    def call(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if node.training is not None and _takes(layer, "training"):
            kwargs = {**kwargs, "training": node.training}
        return list(tree.flatten(layer(*args, **kwargs)))

    def connect(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        return self.call(layer, node, args, kwargs)

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
