"""Keras 2 (``tf.keras`` up to TensorFlow 2.15, ``tf_keras``): reading and making, as Keras 3."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tensorflow import nest

from pytest_layercount.model.graph import Node
from pytest_layercount.model.keras.adapter import (
    Call,
    canonical_operation,
    keras_call,
    replaces_call,
)
from pytest_layercount.model.keras.common import mask_of
from pytest_layercount.model.keras.making import Making
from pytest_layercount.model.keras.quick2 import inferring_nothing
from pytest_layercount.model.layers.arguments import flag_of, in_call_order

_SLICING, _ENDS = "SlicingOpLambda", {"start", "stop", "step"}


class Keras2(Making):
    """Keras 2.15 and tf_keras."""

    def __init__(self, library: str) -> None:
        self.keras = sys.modules[library]

    def functional(self, model: Any) -> Any | None:
        functional: Any = next((b for b in type(model).__mro__ if b.__name__ == "Functional"), None)
        if replaces_call(model):
            return None
        if isinstance(model, self.keras.Sequential):
            # Without an input shape a Sequential has no graph before its first call.
            own = type(model).call is self.keras.Sequential.call
            return model if own and model._graph_initialized else None
        if functional is not None and type(model).call is functional.call:
            return model
        return None

    def built_with(self, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        # A subclass of a functional model knows its inputs, whatever its call() does with them.
        known = getattr(model, "_nested_inputs", None)
        if known is not None:
            return (nest.map_structure(self.entry, known),), {}
        # TensorSpecs of all arguments of the first call, with the batch size left open.
        spec = model.save_spec(dynamic_batch=True)
        if spec is None:
            return None
        args, kwargs = nest.map_structure(
            lambda tensor: self.keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name),
            spec,
        )
        return tuple(args), dict(kwargs)

    def is_tensor(self, leaf: Any) -> bool:
        return any(base.__name__ == "KerasTensor" for base in type(leaf).__mro__)

    def is_masked(self, leaf: Any) -> bool:
        return mask_of(leaf) is not None

    def source(self, tensor: Any) -> Any:
        return tensor._keras_history.layer

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
        # Depth counts from the outputs, so that the greatest is farthest up.
        for depth in sorted(by_depth, reverse=True):
            for node in by_depth[depth]:
                args, kwargs = _by_name(node)
                training = kwargs.pop("training", None)
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

    def called(self, call: Any, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        if node.training is not None and layer._call_spec.expects_training_arg:
            kwargs = {**kwargs, "training": node.training}
        if type(layer).__name__ == _SLICING:
            args, kwargs = nest.map_structure(_without_slices, (args, kwargs))
        return list(nest.flatten(call(*args, **kwargs)))

    def connect(self, layer: Any, node: Node, args: Any, kwargs: Any) -> list[Any]:
        with inferring_nothing(layer, node, args, kwargs):
            return self.called(keras_call(layer), layer, node, args, kwargs)

    def copy_operation(self, live: Any, name: str) -> Any:
        # TFOpLambda and its relatives are made again from what their constructors take.
        taken = inspect.signature(type(live).__init__).parameters
        arguments = {
            key: getattr(live, key) for key in taken if hasattr(live, key) and key != "name"
        }
        return type(live)(**arguments, name=name)


def _by_name(node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call as Keras 2 saves them: all but the first by name."""
    args, kwargs = tuple(node.call_args), dict(node.call_kwargs)
    if type(node.layer).__name__ == _SLICING:
        args, kwargs = _with_slices(args), _with_slices(kwargs)
    spec = node.layer._call_spec
    names = spec.arg_names[1:]
    # Of call(self, *args) the further arguments have no names.
    if spec.full_argspec.varargs is not None or len(args) > 1 + len(names):
        return args, kwargs
    return args[:1], {**dict(zip(names, args[1:], strict=False)), **kwargs}


def _with_slices(tree: Any) -> Any:
    """``tree`` with slices in the place of dictionaries of start, stop and step."""
    if isinstance(tree, dict):
        if tree.keys() == _ENDS and all(end is None or type(end) is int for end in tree.values()):
            return slice(tree["start"], tree["stop"], tree["step"])
        return {key: _with_slices(item) for key, item in tree.items()}
    return type(tree)(map(_with_slices, tree)) if type(tree) in (list, tuple) else tree


def _without_slices(leaf: Any) -> Any:
    return {end: getattr(leaf, end) for end in _ENDS} if isinstance(leaf, slice) else leaf


def _flatten(tensors: Any) -> list[Any]:
    return list(nest.flatten(tensors))
