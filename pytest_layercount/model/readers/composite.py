"""Composite layers of a user's own: followed only where the graph recorded is what they compute.

``call`` is followed three times, with other training flags and with other sizes where these
are free. A call that branches on Python state, on a batch size or on the flag, that draws
random numbers or counts, records something else at one of them, and the layer stays whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pytest_layercount.model.graph import Shape, leaves, map_tree
from pytest_layercount.model.keras.adapter import Adapter, Call, Unseen
from pytest_layercount.model.keras.common import dtype_name, parts
from pytest_layercount.model.keras.untouched import as_it_was
from pytest_layercount.model.keras.variables import array_of
from pytest_layercount.model.readers.symbolic import trace

_ALIKE = ((None, 1, 64), (False, 3, 96))
"""What must record the same graph again: training flag, batch size, other free sizes."""


def followed(adapter: Adapter, call: Call, training: bool | None, masked: bool) -> Any:
    """The functional graph that is inside ``call`` of a composite layer.

    ``training`` is the flag that the call runs with, ``masked`` says whether anything that
    it reads carries a mask.

    Raises:
        Unseen: the call cannot be followed, or what is recorded may not be what it computes.
    """
    layer = call.layer
    # First what needs no following, which takes long.
    _check_call(adapter, call, training, masked)
    with as_it_was(layer):
        graph = trace(adapter, layer, call.args, call.kwargs)
        recorded = _Recorded(adapter, layer, graph)
        for flag, batch, size in _ALIKE:
            sized = partial(_sized, batch=batch, size=size)
            again = trace(adapter, layer, call.args, call.kwargs, training=flag, sized=sized)
            if _Recorded(adapter, layer, again).steps != recorded.steps:
                raise Unseen("its call() does not do the same at every size and every time")
    # A weight that neither layers nor operations use goes into the result unseen, through a
    # function of TensorFlow for one.
    missing = [weight for weight in layer.weights if id(weight) not in recorded.weights]
    if missing:
        raise Unseen(f"its weight {missing[0].name} is not used by a layer or an operation")
    _check_outputs(adapter, call, recorded.outputs)
    return graph


def _sized(shape: Shape, batch: int, size: int) -> Shape:
    if shape is None:
        return None
    first, *others = shape
    return (batch if first is None else first, *[size if n is None else n for n in others])


def _check_call(adapter: Adapter, call: Call, training: bool | None, masked: bool) -> None:
    """Refuse what happens around ``call()``, in ``__call__``, and is not recorded."""
    layer = call.layer
    if training:
        raise Unseen("it is called with training=True")
    if masked or call.kwargs.get("mask") is not None:
        raise Unseen("what it reads carries a mask")
    if getattr(layer, "quantization_mode", None):
        raise Unseen("it is quantized")
    # __call__ casts inputs to the type that the layer computes in, before call() is run.
    for tensor in filter(adapter.is_tensor, leaves((call.args, call.kwargs))):
        dtype = dtype_name(tensor.dtype)
        if "float" in dtype and dtype != dtype_name(layer.compute_dtype):
            raise Unseen(f"it casts what it reads from {dtype}")
        if getattr(tensor, "sparse", False) or type(tensor).__name__ != "KerasTensor":
            raise Unseen("it reads a tensor that is not dense")


def _check_outputs(adapter: Adapter, call: Call, outputs: list[Any]) -> None:
    """Refuse a call whose outputs differ in shape, type or mask from those of the layers inside."""

    def described(tensor: Any) -> tuple[Any, ...]:
        return adapter.shape(tensor), dtype_name(tensor.dtype), adapter.is_masked(tensor)

    if list(map(described, outputs)) != list(map(described, call.outputs)):
        raise Unseen("its outputs are not those of the layers in it")


class _Recorded:
    """What was recorded when a call was followed, comparable with another recording.

    ``weights`` are the ids of the weights that layers or operations of it use.
    """

    def __init__(self, adapter: Adapter, layer: Any, graph: Any) -> None:
        self.adapter, self.layer = adapter, layer
        self.parts = set(map(id, parts(layer)))
        self.weights: set[int] = set()
        _, outputs, flat = adapter.ends(graph)
        self.known: dict[int, Any] = {id(tensor): place for place, tensor in enumerate(flat)}
        self.steps: list[Any] = []
        for call in adapter.calls(graph):
            # Not the calls of the inputs, which are numbered already.
            if not self.known.keys() >= set(map(id, call.outputs)):
                self._add(call)
        self.outputs: list[Any] = []
        map_tree(outputs, self.outputs.append)
        # The results are the last step, so that two graphs that return other values differ.
        self.steps.append(self._said(outputs))

    def _add(self, call: Call) -> None:
        if call.training:
            raise Unseen(f"it calls {call.layer.name} with training=True")
        step = self._who(call.layer), self._said(call.args), self._said(call.kwargs)
        for place, tensor in enumerate(call.outputs):
            self.known[id(tensor)] = (len(self.steps), place)
        self.steps.append(step)

    def _who(self, layer: Any) -> Any:
        """The identity of a part, or the settings of what ``call`` makes anew each time."""
        weights = list(getattr(layer, "weights", ()))
        self.weights.update(map(id, weights))
        # By identity: the layer must be the same object every time, and not only be made alike.
        if id(layer) in self.parts:
            return id(layer)
        if weights:
            raise Unseen(f"its call() uses {layer.name}, whose weights Keras does not know as its")
        operation = self.adapter.operation(layer)
        if operation is None:
            settings = {**layer.get_config(), "name": None}
        elif self.adapter.counted(layer):
            settings = {}  # Keras 2: all that it computes with stands in the call
        else:
            settings = {key: value for key, value in vars(layer).items() if not _is_private(key)}
        return type(layer), operation, self._said(settings)

    def _said(self, tree: Any) -> Any:
        """A tree of arguments as plain data."""
        if isinstance(tree, Mapping):
            return tuple((str(key), self._said(tree[key])) for key in sorted(tree, key=str))
        if isinstance(tree, (list, tuple)):
            return tuple(map(self._said, tree))
        if isinstance(tree, slice):
            return ("slice", *map(self._said, (tree.start, tree.stop, tree.step)))
        if tree is None or isinstance(tree, (bool, int, float, complex, str, bytes, type)):
            return type(tree), tree
        return self._leaf(tree)

    def _leaf(self, leaf: Any) -> Any:
        if self.adapter.is_tensor(leaf):
            if id(leaf) not in self.known:
                raise Unseen("it uses a tensor of another model")
            return "value", self.known[id(leaf)]
        if hasattr(leaf, "assign"):
            dtype = dtype_name(leaf.dtype)
            if "float" in dtype and dtype != dtype_name(self.layer.compute_dtype):
                raise Unseen(f"it casts its weight {leaf.name}")
            self.weights.add(id(leaf))
            return "weight", id(leaf)
        if callable(leaf):
            raise Unseen("it hands a function to an operation")
        if hasattr(leaf, "dtype"):
            array = array_of(leaf)
            # By bytes: a constant drawn at random differs every time.
            return dtype_name(array.dtype), array.shape, array.tobytes()
        return type(leaf), repr(leaf)


def _is_private(name: str) -> bool:
    return name.startswith("_") or name == "name"
