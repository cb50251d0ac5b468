"""See inside subclassed models: call them on symbolic inputs and read what was recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pytest_layercount.errors import first_line
from pytest_layercount.model.graph import Shape, leaves, map_tree
from pytest_layercount.model.keras.adapter import Adapter, Unseen, wraps_call


def trace(
    adapter: Adapter,
    layer: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    training: bool | None = None,
    sized: Callable[[Shape], Shape] = lambda shape: shape,
) -> Any:
    """The functional graph that ``layer.call`` records for arguments like these.

    Its inputs stand in the order of the symbolic tensors in ``(args, kwargs)``; ``sized``
    may give them other shapes.

    Raises:
        Unseen: the call fails on symbolic tensors, or returns something else.
    """
    inputs: list[Any] = []

    def stand_in(leaf: Any) -> Any:
        if not adapter.is_tensor(leaf):
            return leaf
        inputs.append(adapter.placeholder(leaf, sized(adapter.shape(leaf))))
        return inputs[-1]

    inside = map_tree((args, kwargs), stand_in)
    graph = _join(adapter, layer, inputs, inside, training)
    for call in adapter.calls(graph):
        if wraps_call(call.layer):  # the graph would run what that adds twice
            raise Unseen(f"it calls {call.layer.name!r}, whose class has a __call__() of its own")
    return graph


def trace_root(adapter: Adapter, model: Any) -> Any:
    """The functional graph of a subclassed model that has been called or built.

    Raises:
        Unseen: as :func:`trace`, or what the model takes is not known yet.
    """
    inside = adapter.built_with(model)
    if inside is None and model.built:
        raise Unseen(
            "Keras could not follow its call() on symbolic inputs either, as a branch on a "
            "tensor's value or a raw TensorFlow function prevents"
        )
    if inside is None:
        raise Unseen("it has not been called yet, so its inputs are unknown; call it once first")
    args, kwargs = inside
    # Of a single argument the structure is kept, as a functional model takes it.
    lone = len(args) == 1 and not kwargs
    inputs = list(filter(adapter.is_tensor, leaves((args, *kwargs.values()))))
    return _join(adapter, model, args[0] if lone else inputs, inside)


def _join(
    adapter: Adapter, layer: Any, inputs: Any, inside: Any, training: bool | None = None
) -> Any:
    args, kwargs = inside
    if "training" in inspect.signature(layer.call).parameters:
        # A flag in kwargs wins: the code around gave it.
        kwargs = {"training": training, **kwargs}
    try:
        with adapter.following():
            # call() and not __call__: the latter would record one call of the layer and nothing
            # inside.
            outputs = layer.call(*args, **kwargs)
        return adapter.join(inputs, outputs)
    except Exception as error:  # whatever a user's code does with tensors that hold no numbers
        first = first_line(error)
        raise Unseen(f"its call() cannot be followed on symbolic inputs ({first})") from error
