"""Making layers and models, as far as both generations of Keras do it alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from pytest_layercount.model.graph import Layer, Node, Shape
from pytest_layercount.model.keras.config import (
    custom_objects,
    lambda_arguments,
    made_again,
    set_numbers,
    with_changes,
    with_dtype,
)


class Making(ABC):
    """What an adapter makes with ``keras``; the two generations add what they do differently."""

    keras: Any

    @abstractmethod
    def source(self, tensor: Any) -> Any:
        """The layer or operation that returned a symbolic tensor."""

    @abstractmethod
    def copy_operation(self, live: Any, name: str) -> Any:
        """A copy of a low-level operation."""

    @abstractmethod
    def called(self, call: Any, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        """The output tensors of ``call``, which calls ``layer``, with the flag of ``node``."""

    def placeholder(self, tensor: Any, shape: Shape) -> Any:
        return self.keras.Input(batch_shape=shape, dtype=tensor.dtype)

    def entry(self, tensor: Any) -> Any:
        """A new input of the same name as the InputLayer behind ``tensor``."""
        name = self.source(tensor).name
        return self.keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)

    def input(self, live: Any, name: str) -> Any:
        return type(live).from_config({**live.get_config(), "name": name}).output

    def copy(
        self, live: Any, layer: Layer, name: str, changes: Mapping[str, Any], dtype: str | None
    ) -> Any:
        if layer.operation is not None:
            return self.copy_operation(live, name)
        # Exactly a Lambda: a subclass of the user's may take other arguments.
        if type(live) is self.keras.layers.Lambda:
            return type(live)(**lambda_arguments(live, name, dtype or live.dtype_policy))

        def make(kept: dict[str, Any]) -> Any:
            config = {**with_changes(kept, changes), "name": name}
            if dtype is not None:
                config = with_dtype(config, dtype)
            return _from_config(live, config)

        # Of its own, the configuration finds only what the user has registered.
        with self.keras.saving.custom_object_scope(custom_objects(live)):
            new = made_again(live, make)
        # After construction, since a configuration has lists where a layer needs an array.
        set_numbers(new, changes)
        return new

    def call(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        return self.called(layer, layer, node, args, kwargs)

    def join(self, inputs: Any, outputs: Any) -> Any:
        return self.keras.Model(inputs, outputs)

    def model(self, inputs: Any, outputs: Any, old: Any) -> Any:
        model = self.keras.Model(inputs, outputs, name=old.name)
        # Losses and metrics address the outputs by these names.
        if len(getattr(old, "output_names", None) or ()) == len(model.outputs):
            model.output_names = list(old.output_names)
        return model

    def sequential(self, inputs: Any, layers: list[Any], old: Any) -> Any:
        return self.keras.Sequential([self.source(inputs), *layers], name=old.name)


def _from_config(live: Any, config: dict[str, Any]) -> Any:
    """A new layer; where its class does not take its own configuration, from its arguments."""
    try:
        return type(live).from_config(config)
    except TypeError:
        # Keras 3 notes up to 3.15 what a layer was made with; where it does not, the error stands.
        arguments = getattr(getattr(live, "_auto_config", None), "config", None)
        if arguments is None:
            raise
        known = {*arguments, "name", "trainable", "dtype"}
        kept = {key: value for key, value in config.items() if key in known}
        return type(live).from_config({**arguments, **kept})
