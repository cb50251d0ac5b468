"""Keras 3: how it says what a graph is, and how its layers and models are made."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import tree
from keras.src.models.functional import Functional

from pytest_layercount.model.graph import Node
from pytest_layercount.model.keras.adapter import (
    Call,
    canonical_operation,
    keras_call,
    replaces_call,
    snake,
)
from pytest_layercount.model.keras.common import mask_of
from pytest_layercount.model.keras.making import Making
from pytest_layercount.model.keras.quick3 import is_certain, output_as_known
from pytest_layercount.model.layers.arguments import flag_of, in_call_order
from pytest_layercount.model.quick import quick


class Keras3(Making):
    """Keras 3.3 and later, any backend."""

    keras = keras

    def functional(self, model: Any) -> Any | None:
        if replaces_call(model):
            return None
        if isinstance(model, keras.Sequential):
            # A subclass with a call() of its own may do anything; its graph is what was built from
            # its layers, not what it computes.
            own = type(model).call is keras.Sequential.call
            return model._functional if own else None
        if isinstance(model, Functional) and type(model).call is Functional.call:
            return model
        return None

    def built_with(self, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        # A subclass of a functional model knows its inputs, whatever its call() does with them.
        known = getattr(getattr(model, "_functional", model), "_inputs_struct", None)
        if known is not None:
            return (tree.map_structure(self.entry, known),), {}
        shapes = getattr(model, "_build_shapes_dict", None)
        # Notes of build(): {"x_shape": ...} for each argument of call(), "input_shape" where
        # build() names none.
        if not model.built or not shapes:
            return None

        def entry(shape: Any, name: str) -> Any:
            return keras.Input(shape=shape[1:], dtype=model.input_dtype, name=name)

        arguments = {
            name.removesuffix("_shape"): _map_shapes(shape, entry, name.removesuffix("_shape"))
            for name, shape in shapes.items()
        }
        # "input" is the name in Model.build(), not that of an argument of call().
        if list(arguments) == ["input"]:
            return (arguments["input"],), {}
        return (), arguments

    def is_tensor(self, leaf: Any) -> bool:
        return isinstance(leaf, keras.KerasTensor)

    def is_masked(self, leaf: Any) -> bool:
        return mask_of(leaf) is not None

    def source(self, tensor: Any) -> Any:
        return tensor._keras_history.operation

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
        # Depth counts from the outputs, so that the greatest is farthest up.
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

    def called(self, call: Any, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if node.training is not None and _takes(layer, "training"):
            kwargs = {**kwargs, "training": node.training}
        return list(tree.flatten(call(*args, **kwargs)))

    def connect(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if quick() and is_certain(layer, node, args, kwargs):
            return [output_as_known(layer, node, args)]
        return self.called(keras_call(layer), layer, node, args, kwargs)

    def copy_operation(self, live: Any, name: str) -> Any:
        # It holds no weights: what a copy needs of its own is a history.
        new = copy.copy(live)
        new._inbound_nodes, new._outbound_nodes = [], []
        new.name = name
        return new


def _map_shapes(shapes: Any, leaf: Any, name: str) -> Any:
    """``shapes`` with each shape in it replaced by ``leaf(shape, name)``, a key being a name."""
    if isinstance(shapes, dict):
        return {key: _map_shapes(item, leaf, str(key)) for key, item in shapes.items()}
    if all(size is None or isinstance(size, int) for size in shapes):
        return leaf(shapes, name)
    return [_map_shapes(item, leaf, f"{name}_{number}") for number, item in enumerate(shapes)]


def _takes(layer: Any, argument: str) -> bool:
    parameters = inspect.signature(layer.call).parameters
    return argument in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )
