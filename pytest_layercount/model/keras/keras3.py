"""How Keras 3 says what a graph is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.keras.adapter import Call, canonical_operation, replaces_call
from pytest_layercount.model.layers.arguments import flag_of, in_call_order


class Keras3:
    """Keras 3.3 and later, any backend."""

    def functional(self, model: Any) -> Any | None:
        from keras import Sequential
        from keras.src.models.functional import Functional

        if replaces_call(model):
            return None
        if isinstance(model, Sequential):
            own = type(model).call is Sequential.call
            return model._functional if own else None
        if isinstance(model, Functional) and type(model).call is Functional.call:
            return model
        return None

    def built_with(self, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        import keras

        # A subclass of a functional model knows its inputs, whatever its call() does with them.
        known = getattr(getattr(model, "_functional", model), "_inputs_struct", None)
        if known is not None:
            return (keras.tree.map_structure(self._entry, known),), {}
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
        import keras

        return keras.Input(batch_shape=shape, dtype=tensor.dtype)

    def _entry(self, tensor: Any) -> Any:
        """A new input of the same name as the InputLayer behind ``tensor``."""
        import keras

        name = tensor._keras_history.operation.name
        return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)

    def is_tensor(self, leaf: Any) -> bool:
        from keras import KerasTensor

        return isinstance(leaf, KerasTensor)

    def join(self, inputs: Any, outputs: Any) -> Any:
        import keras

        return keras.Model(inputs, outputs)

    @contextmanager
    def following(self) -> Iterator[None]:
        # A graph makes tensors of its inputs first. Symbolic ones Keras 3.3 cannot convert,
        # and later versions record an operation for them, even where there is nothing to do.
        from keras.src.models.functional import Functional

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
        from keras import Layer

        return isinstance(layer, Layer)

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        # A Keras 3 model hands its own flag to every layer it calls, over theirs.
        return own if outer is None else outer


def _map_shapes(tree: Any, leaf: Any, name: str) -> Any:
    """``tree`` with each shape in it replaced by ``leaf(shape, name)``, a key being a name."""
    if isinstance(tree, dict):
        return {key: _map_shapes(item, leaf, str(key)) for key, item in tree.items()}
    if all(size is None or isinstance(size, int) for size in tree):
        return leaf(tree, name)
    return [_map_shapes(item, leaf, f"{name}_{number}") for number, item in enumerate(tree)]


def snake(name: str) -> str:
    """``GetItem`` as ``get_item``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
