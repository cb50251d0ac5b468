"""Keras 3: how it says what a graph is, and how its layers and models are made."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
from keras import tree
from keras.src.models.functional import Functional

from pytest_layercount.model.graph import Layer, Node, Shape
from pytest_layercount.model.keras.adapter import (
    Call,
    canonical_operation,
    keras_call,
    replaces_call,
    snake,
)
from pytest_layercount.model.keras.common import mask_of
from pytest_layercount.model.keras.config import (
    custom_objects,
    lambda_arguments,
    made_again,
    set_numbers,
    with_changes,
    with_dtype,
)
from pytest_layercount.model.keras.quick3 import is_certain, output_as_known
from pytest_layercount.model.layers.arguments import flag_of, in_call_order
from pytest_layercount.model.quick import quick


class Keras3:
    """Keras 3.3 and later, any backend."""

    def functional(self, model: Any) -> Any | None:
        if replaces_call(model):
            return None
        if isinstance(model, keras.Sequential):
            own = type(model).call is keras.Sequential.call
            return model._functional if own else None
        if isinstance(model, Functional) and type(model).call is Functional.call:
            return model
        return None

    def built_with(self, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        # A subclass of a functional model knows its inputs, whatever its call() does with them.
        known = getattr(getattr(model, "_functional", model), "_inputs_struct", None)
        if known is not None:
            return (tree.map_structure(self._entry, known),), {}
        shapes = getattr(model, "_build_shapes_dict", None)
        if not model.built or not shapes:
            return None

        def entry(shape: Any, name: str) -> Any:
            return keras.Input(shape=shape[1:], dtype=model.input_dtype, name=name)

        arguments = {
            name.removesuffix("_shape"): _map_shapes(shape, entry, name.removesuffix("_shape"))
            for name, shape in shapes.items()
        }
        if list(arguments) == ["input"]:
            return (arguments["input"],), {}
        return (), arguments

    def placeholder(self, tensor: Any, shape: Shape) -> Any:
        return keras.Input(batch_shape=shape, dtype=tensor.dtype)

    def _entry(self, tensor: Any) -> Any:
        """A new input of the same name as the InputLayer behind ``tensor``."""
        name = self.source(tensor).name
        return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)

    def is_tensor(self, leaf: Any) -> bool:
        return isinstance(leaf, keras.KerasTensor)

    def is_masked(self, leaf: Any) -> bool:
        return mask_of(leaf) is not None

    def source(self, tensor: Any) -> Any:
        return tensor._keras_history.operation

    def join(self, inputs: Any, outputs: Any) -> Any:
        return keras.Model(inputs, outputs)

    @contextmanager
    def following(self) -> Iterator[None]:
        # A graph makes tensors of its inputs first. Symbolic ones Keras 3.3 cannot convert,
        # and later versions record an operation for them, even where there is nothing to do.
        convert = Functional._convert_inputs_to_tensors

        def converted(functional: Any, flat: list[Any]) -> list[Any]:
            own = zip(flat, functional._inputs, strict=False)
            if all(self.is_tensor(leaf) and leaf.dtype == like.dtype for leaf, like in own):
                return list(flat)
            return list(convert(functional, flat))

        Functional._convert_inputs_to_tensors = converted
        try:
            yield
        finally:
            Functional._convert_inputs_to_tensors = convert

    def calls(self, functional: Any) -> Iterator[Call]:
        by_depth = functional._nodes_by_depth
        for depth in sorted(by_depth, reverse=True):
            for node in by_depth[depth]:
                kwargs = dict(node.arguments.kwargs)
                training = flag_of(kwargs.pop("training", None))
                if kwargs.get("mask", self) is None:
                    del kwargs["mask"]  # Keras 3.3 records the mask that was not given
                kwargs = in_call_order(node.operation, kwargs)
                yield Call(
                    node.operation, tuple(node.arguments.args), kwargs, node.outputs, training
                )

    def ends(self, functional: Any) -> tuple[Any, Any, list[Any]]:
        return functional._inputs_struct, functional._outputs_struct, list(functional._inputs)

    def shape(self, tensor: Any) -> tuple[int | None, ...] | None:
        shape = getattr(tensor, "shape", None)
        return None if shape is None else tuple(shape)

    def operation(self, layer: Any) -> str | None:
        return None if self.counted(layer) else canonical_operation(snake(type(layer).__name__))

    def counted(self, layer: Any) -> bool:
        return isinstance(layer, keras.Layer)

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        # A Keras 3 model hands its own flag to every layer it calls, over theirs.
        return own if outer is None else outer

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
        return self._called(layer, layer, node, args, kwargs)

    def _called(self, call: Any, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if node.training is not None and _takes(layer, "training"):
            kwargs = {**kwargs, "training": node.training}
        return list(tree.flatten(call(*args, **kwargs)))

    def connect(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if quick() and is_certain(layer, node, args, kwargs):
            return [output_as_known(layer, node, args)]
        return self._called(keras_call(layer), layer, node, args, kwargs)

    def model(self, inputs: Any, outputs: Any, old: Any) -> Any:
        model = keras.Model(inputs, outputs, name=old.name)
        return _named_like(model, old)

    def sequential(self, inputs: Any, layers: list[Any], old: Any) -> Any:
        return keras.Sequential([self.source(inputs), *layers], name=old.name)


def _map_shapes(shapes: Any, leaf: Any, name: str) -> Any:
    """``shapes`` with each shape in it replaced by ``leaf(shape, name)``, a key being a name."""
    if isinstance(shapes, dict):
        return {key: _map_shapes(item, leaf, str(key)) for key, item in shapes.items()}
    if all(size is None or isinstance(size, int) for size in shapes):
        return leaf(shapes, name)
    return [_map_shapes(item, leaf, f"{name}_{number}") for number, item in enumerate(shapes)]


def _from_config(live: Any, config: dict[str, Any]) -> Any:
    """A new layer; where its class does not take its own configuration, from its arguments."""
    try:
        return type(live).from_config(config)
    except TypeError:
        # Up to 3.15 Keras notes what a layer was made with; where it does not, the error stands.
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
