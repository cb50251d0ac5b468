"""Making layers and models with Keras 2: ``tf.keras`` up to TensorFlow 2.15, ``tf_keras``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tensorflow import TensorSpec, name_scope, nest

from pytest_layercount.model.graph import Layer, Node
from pytest_layercount.model.keras.config import (
    custom_objects,
    lambda_arguments,
    made_again,
    set_numbers,
    with_changes,
    with_dtype,
)
from pytest_layercount.model.keras.origin import is_own, library_of


class Keras2Writer:
    """See :class:`pytest_layercount.folding.rewrite.layers.Writer`."""

    def __init__(self, model: Any) -> None:
        self.keras = sys.modules[library_of(model) or "keras"]

    def input(self, live: Any, name: str) -> Any:
        return type(live).from_config({**live.get_config(), "name": name}).output

    def copy(
        self, live: Any, layer: Layer, name: str, changes: Mapping[str, Any], dtype: str | None
    ) -> Any:
        if layer.operation is not None:
            return _copy_operation(live, name)
        if type(live) is self.keras.layers.Lambda:
            return type(live)(**lambda_arguments(live, name, dtype or live.dtype_policy))

        def make(kept: dict[str, Any]) -> Any:
            config = {**with_changes(kept, changes), "name": name}
            if dtype is not None:
                config = with_dtype(config, dtype)
            return type(live).from_config(config)

        with self.keras.utils.custom_object_scope(custom_objects(live)):
            new = made_again(live, make)
        set_numbers(new, changes)
        return new

    def call(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if node.training is not None and layer._call_spec.expects_training_arg:
            kwargs = {**kwargs, "training": node.training}
        return list(nest.flatten(layer(*args, **kwargs)))

    def connect(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        with _inferring_nothing(layer, node, args, kwargs):
            return self.call(layer, node, args, kwargs)

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


@contextmanager
def _inferring_nothing(layer: Any, node: Node, args: Any, kwargs: Any) -> Iterator[None]:
    """Spare a layer finding out what it returns by running it in a graph of its own.

    Only layers of Keras's own, whose parts, losses and masks do not depend on being run.
    """
    tensors = [leaf for leaf in nest.flatten((args, kwargs)) if hasattr(leaf, "_keras_history")]
    kinds = {type(tensor) for tensor in tensors}
    if (
        not _plain(layer)
        or any(node.masked)
        or any(getattr(tensor, "_keras_mask", None) is not None for tensor in tensors)
        or [kind.__name__ for kind in kinds] != ["KerasTensor"]
        or len(node.shapes) != 1
        or node.shapes[0] is None
        or "float" not in node.dtypes[0]
    ):
        yield
        return
    (kind,) = kinds

    def known(inputs: Any, args: Any, kwargs: Any, masks: Any) -> Any:
        with name_scope(layer._name_scope()):
            layer._maybe_build(inputs)
        layer._set_save_spec(inputs, args, kwargs)
        return kind(TensorSpec(node.shapes[0], node.dtypes[0]))

    vars(layer)["_infer_output_signature"] = known
    try:
        yield
    finally:
        del vars(layer)["_infer_output_signature"]


def _plain(layer: Any) -> bool:
    module = type(layer).__module__
    # The first call of an operation is best made here: made where autograph is off, it
    # would have TensorFlow forget the arguments of the function, for all models.
    own = is_own(module) and not module.endswith(".tf_op_layer")
    parts = next(iter(layer._flatten_layers(include_self=False)), None)
    return own and parts is None and getattr(layer, "_activity_regularizer", None) is None
