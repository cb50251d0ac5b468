"""How Keras 2 (``tf.keras`` up to TensorFlow 2.15, ``tf_keras``) says what a graph is."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.keras.adapter import Call, canonical_operation, replaces_call
from pytest_layercount.model.keras.origin import library_of
from pytest_layercount.model.layers.arguments import flag_of, in_call_order


class Keras2:
    """Keras 2.15 and tf_keras."""

    def functional(self, model: Any) -> Any | None:
        keras = sys.modules[library_of(model) or "keras"]
        functional: Any = next((b for b in type(model).__mro__ if b.__name__ == "Functional"), None)
        if replaces_call(model):
            return None
        if isinstance(model, keras.Sequential):
            own = type(model).call is keras.Sequential.call
            return model if own and model._graph_initialized else None
        if functional is not None and type(model).call is functional.call:
            return model
        return None

    def built_with(self, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        from tensorflow import nest

        keras = sys.modules[library_of(model) or "keras"]
        # A subclass of a functional model knows its inputs, whatever its call() does with them.
        known = getattr(model, "_nested_inputs", None)
        if known is not None:
            return (nest.map_structure(lambda tensor: _entry(keras, tensor), known),), {}
        spec = model.save_spec(dynamic_batch=True)
        if spec is None:
            return None
        args, kwargs = nest.map_structure(
            lambda tensor: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name),
            spec,
        )
        return tuple(args), dict(kwargs)

    def placeholder(self, tensor: Any, shape: Shape) -> Any:
        keras = sys.modules[type(tensor).__module__.partition(".")[0]]
        return keras.Input(batch_shape=shape, dtype=tensor.dtype)

    def is_tensor(self, leaf: Any) -> bool:
        return any(base.__name__ == "KerasTensor" for base in type(leaf).__mro__)

    def join(self, inputs: Any, outputs: Any) -> Any:
        keras = sys.modules[type(_flatten(inputs)[0]).__module__.partition(".")[0]]
        return keras.Model(inputs, outputs)

    @contextmanager
    def following(self) -> Iterator[None]:
        # Keras 2 warns of every weight that an operation reads, each time that it is followed.
        logger = logging.getLogger("tensorflow")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)

    def calls(self, functional: Any) -> Iterator[Call]:
        by_depth = functional._nodes_by_depth
        for depth in sorted(by_depth, reverse=True):
            for node in by_depth[depth]:
                args, kwargs = tuple(node.call_args), dict(node.call_kwargs)
                training = kwargs.pop("training", None)
                names = node.layer._call_spec.arg_names if len(args) > 1 else []
                if "training" in names[: len(args)]:
                    position = names.index("training")
                    training = args[position]
                    args = (*args[:position], None, *args[position + 1 :])
                kwargs = in_call_order(node.layer, kwargs)
                outputs = _flatten(node.outputs)
                yield Call(node.layer, args, kwargs, outputs, flag_of(training))

    def ends(self, functional: Any) -> tuple[Any, Any, list[Any]]:
        return functional._nested_inputs, functional._nested_outputs, list(functional.inputs)

    def shape(self, tensor: Any) -> tuple[int | None, ...] | None:
        shape = getattr(tensor, "shape", None)
        return None if shape is None or shape.rank is None else tuple(shape.as_list())

    def operation(self, layer: Any) -> str | None:
        if type(layer).__module__.endswith("tf_op_layer"):
            symbol = str(getattr(layer, "symbol", None) or type(layer).__name__)
            return canonical_operation(symbol.rpartition(".")[2])
        return None

    def counted(self, layer: Any) -> bool:
        return True

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        # A Keras 2 layer obeys the flag given to its own call first.
        return outer if own is None else own


def _entry(keras: Any, tensor: Any) -> Any:
    """A new input of the same name as the InputLayer behind ``tensor``."""
    name = tensor._keras_history.layer.name
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)


def _flatten(tensors: Any) -> list[Any]:
    from tensorflow import nest

    return list(nest.flatten(tensors))
