"""Making layers and models with Keras 2: ``tf.keras`` up to TensorFlow 2.15, ``tf_keras``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

from tensorflow import nest

from pytest_layercount.folding.rewrite.copying import (
    copy_learned_state,
    copy_variables,
    custom_objects,
    keep_functions,
    lambda_arguments,
    set_numbers,
    with_changes,
    with_dtype,
)
from pytest_layercount.model.graph import Layer, Node
from pytest_layercount.model.readers.dialect import library_of


class Keras2Writer:
    """See :class:`pytest_layercount.folding.rewrite.build.Writer`."""

    def __init__(self, model: Any) -> None:
        self.keras = sys.modules[library_of(model) or "keras"]

    def input(self, live: Any, name: str, dtype: str | None) -> Any:
        config = {**live.get_config(), "name": name}
        if dtype is not None:
            config = with_dtype(config, dtype)
        return type(live).from_config(config).output

    def copy(
        self, live: Any, layer: Layer, name: str, changes: Mapping[str, Any], dtype: str | None
    ) -> Any:
        if layer.operation is not None:
            return _copy_operation(live, name)
        if type(live) is self.keras.layers.Lambda:
            return type(live)(**lambda_arguments(live, name, dtype or live.dtype_policy))
        config = {**with_changes(live.get_config(), changes), "name": name}
        if dtype is not None:
            config = with_dtype(config, dtype)
        with self.keras.utils.custom_object_scope(custom_objects(live)):
            new = type(live).from_config(config)
        keep_functions(live, new, changes)
        set_numbers(new, changes)
        return new

    def call(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if node.training is not None and layer._call_spec.expects_training_arg:
            kwargs = {**kwargs, "training": node.training}
        return list(nest.flatten(layer(*args, **kwargs)))

    def copy_state(self, old: Any, new: Any) -> None:
        copy_variables(old, new)
        copy_learned_state(old, new)

    def model(self, inputs: Any, outputs: Any, old: Any) -> Any:
        model = self.keras.Model(inputs, outputs, name=old.name)
        if len(getattr(old, "output_names", None) or ()) == len(model.outputs):
            model.output_names = list(old.output_names)
        return model

    def sequential(self, inputs: Any, layers: list[Any], old: Any) -> Any:
        entry = inputs._keras_history.layer
        return self.keras.Sequential([entry, *layers], name=old.name)


def _copy_operation(live: Any, name: str) -> Any:
    """TFOpLambda and its relatives, each from what its constructor takes."""
    taken = inspect.signature(type(live).__init__).parameters
    given = {key: getattr(live, key) for key in taken if hasattr(live, key) and key != "name"}
    return type(live)(**given, name=name)
