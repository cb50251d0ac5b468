"""Composite layers of a user's own: followed only where the graph recorded is what they compute.

``call`` is followed three times, with other training flags and with other sizes where these
are free. A call that branches on Python state, on a batch size or on the flag, that draws
random numbers or counts, records something else at one of them, and the layer stays whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from pytest_layercount.model.graph import Shape, leaves, map_tree
from pytest_layercount.model.keras.adapter import Adapter, Call
from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.keras.variables import array_of
from pytest_layercount.model.readers.described import dtype_name
from pytest_layercount.model.readers.trace import Unseen, trace

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
    _check_call(adapter, call, training, masked)
    with _as_it_was(layer):
        graph = trace(adapter, layer, call.args, call.kwargs)
        recorded = _Recorded(adapter, layer, graph)
        for flag, batch, size in _ALIKE:
            sized = partial(_sized, batch=batch, size=size)
            again = trace(adapter, layer, call.args, call.kwargs, training=flag, sized=sized)
            if _Recorded(adapter, layer, again).steps != recorded.steps:
                raise Unseen("its call() does not do the same at every size and every time")
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
    base = next(cls for cls in type(layer).__mro__ if is_own(cls))
    if type(layer).__call__ is not base.__call__:
        raise Unseen("its class has a __call__() of its own")
    if training:
        raise Unseen("it is called with training=True")
    if masked or call.kwargs.get("mask") is not None:
        raise Unseen("what it reads carries a mask")
    if getattr(layer, "quantization_mode", None):
        raise Unseen("it is quantized")
    for tensor in filter(adapter.is_tensor, leaves((call.args, call.kwargs))):
        dtype = dtype_name(tensor.dtype)
        if "float" in dtype and dtype != dtype_name(layer.compute_dtype):
            raise Unseen(f"it casts what it reads from {dtype}")
        if getattr(tensor, "sparse", False) or type(tensor).__name__ != "KerasTensor":
            raise Unseen("it reads a tensor that is not dense")


def _check_outputs(adapter: Adapter, call: Call, outputs: list[Any]) -> None:
    """Refuse a call whose outputs Keras describes otherwise than the layers inside do."""

    def described(tensor: Any) -> tuple[Any, ...]:
        masked = getattr(tensor, "_keras_mask", None) is not None
        return adapter.shape(tensor), dtype_name(tensor.dtype), masked

    if list(map(described, outputs)) != list(map(described, call.outputs)):
        raise Unseen("its outputs are not those of the layers in it")


class _Recorded:
    """What following a call recorded, comparable with what it recorded another time.

    ``weights`` are the ids of the weights that layers or operations of it use.
    """

    def __init__(self, adapter: Adapter, layer: Any, graph: Any) -> None:
        self.adapter, self.layer = adapter, layer
        self.parts = set(map(id, layer._flatten_layers()))
        self.weights: set[int] = set()
        _, outputs, flat = adapter.ends(graph)
        self.known: dict[int, Any] = {id(tensor): place for place, tensor in enumerate(flat)}
        self.steps: list[Any] = []
        for call in adapter.calls(graph):
            if not self.known.keys() >= set(map(id, call.outputs)):
                self._add(call)
        self.outputs: list[Any] = []
        map_tree(outputs, self.outputs.append)
        self.steps.append(self._said(outputs))

    def _add(self, call: Call) -> None:
        if call.training:
            raise Unseen(f"it calls {call.layer.name} with training=True")
        step = self._who(call.layer), self._said(call.args), self._said(call.kwargs)
        for place, tensor in enumerate(call.outputs):
            self.known[id(tensor)] = (len(self.steps), place)
        self.steps.append(step)

    def _who(self, layer: Any) -> Any:
        """What tells a layer or operation from others; those made in ``call`` are new each time."""
        weights = list(getattr(layer, "weights", ()))
        self.weights.update(map(id, weights))
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
            settings = {key: each for key, each in vars(layer).items() if not _is_private(key)}
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
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
            array = array_of(leaf)
            return dtype_name(array.dtype), array.shape, array.tobytes()
        return type(leaf), repr(leaf)


def _is_private(name: str) -> bool:
    return name.startswith("_") or name == "name"


@contextmanager
def _as_it_was(layer: Any) -> Iterator[None]:
    """Put back what following its call changes in a layer and the parts of it.

    Raises:
        Unseen: the call changes what is the user's own, or values of variables.
    """
    parts = list(layer._flatten_layers())
    before = [_State(part) for part in parts]
    fixed = [(each, array_of(each).copy()) for each in _untrained(layer)]
    stand_ins = [(part, _instead(part)) for part in parts]
    for part, attributes in stand_ins:
        vars(part).update(attributes)
    try:
        yield
    finally:
        changed = [
            state.put_back(stand_in) for state, (_, stand_in) in zip(before, stand_ins, strict=True)
        ]
        for variable, value in fixed:
            if array_of(variable).tobytes() != value.tobytes():
                variable.assign(value)
                changed.append(True)
    if any(changed):
        raise Unseen("its call() changes the layer")


def _untrained(layer: Any) -> list[Any]:
    trained = set(map(id, layer.trainable_weights))
    return [each for each in layer.variables if id(each) not in trained]


def _instead(part: Any) -> dict[str, Any]:
    """Attributes for a part while a call is followed."""
    found: dict[str, Any] = {"add_weight": _no_weight}
    if getattr(part, "_functional", None) is not None:
        # A Sequential of Keras 3 runs on other sizes than it was built with, but
        # refuses symbolic ones: as an operation like others it does not.
        base: Any = next(cls for cls in type(part).__mro__ if cls.__name__ == "Operation")
        found["compute_output_spec"] = partial(base.compute_output_spec, part)
    return found


def _no_weight(*_: Any, **__: Any) -> None:
    raise Unseen("it would make a weight")


class _State:
    """The attributes of a layer, and what is in those that are lists, dictionaries or sets."""

    def __init__(self, layer: Any) -> None:
        self.layer, self.own = layer, not is_own(type(layer))
        self.cls: Any = type(layer)
        self.attributes = dict(vars(layer))
        self.contents = {
            key: [(held, held.copy()) for held in _containers(value)]
            for key, value in self.attributes.items()
            if key not in _NODES
        }

    def put_back(self, expected: Collection[str]) -> bool:
        """Whether anything was otherwise but ``expected`` and Keras's own bookkeeping."""
        now = vars(self.layer)
        changed = {key for key in now.keys() | self.attributes.keys() if self._differs(key)}
        for key in changed:
            if key in self.attributes:
                now[key] = self.attributes[key]
            else:
                del now[key]
        for key, containers in self.contents.items():
            refilled = [_refilled(held, contents) for held, contents in containers]
            changed.update([key] if any(refilled) else ())
        return self.own and not changed - set(expected) <= _bookkeeping(self.cls)

    def _differs(self, key: str) -> bool:
        missing = object()
        return vars(self.layer).get(key, missing) is not self.attributes.get(key, missing)


_NODES = ("_inbound_nodes", "_outbound_nodes")
_KINDS: tuple[Any, ...] = (list, dict, set)


def _containers(value: Any) -> list[Any]:
    """The lists, dictionaries or sets that an attribute is made of.

    Keras 2 keeps those of the user's in a wrapper, each beside a copy of what it last held.
    """
    names = ("_storage", "_last_wrapped_list_snapshot")
    if type(value).__name__ == "_DictWrapper":
        names = ("__wrapped__", "_self_last_wrapped_dict_snapshot")
    elif type(value).__name__ != "ListWrapper":
        return [value] if isinstance(value, _KINDS) else []
    return [held for name in names if isinstance(held := getattr(value, name, None), _KINDS)]


def _refilled(held: Any, contents: Any) -> bool:
    """Whether a container did not hold ``contents`` any more; it does now."""
    if _ids(held) == _ids(contents):
        return False
    kind: Any = next(kind for kind in _KINDS if isinstance(held, kind))
    kind.clear(held)  # what Keras 3 makes of a list would keep account of this
    kind.extend(held, contents) if kind is list else kind.update(held, contents)
    return True


def _ids(held: Any) -> Any:
    """What is in a container, by identity: tensors have no truth value."""
    if isinstance(held, dict):
        return {key: id(value) for key, value in held.items()}
    return list(map(id, held)) if isinstance(held, list) else set(map(id, held))


@lru_cache
def _bookkeeping(cls: Any) -> frozenset[str]:
    """The attributes that Keras itself gives to every layer."""
    base: Any = next(base for base in cls.__mro__ if base.__name__ == "Layer" and is_own(base))
    return frozenset({*vars(base()), "_build_shapes_dict", *_NODES})
