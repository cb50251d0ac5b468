"""Calls as a configuration writes them: arguments with references to other calls' results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_layercount.model.graph import Shape, leaves
from pytest_layercount.model.layers.arguments import flag_of, in_known_order
from pytest_layercount.model.readers.files.infer import shape_from
from pytest_layercount.model.readers.files.saved_layer import SavedLayer

_CONSTANT = "_CONSTANT_VALUE"
_NUMBERS = ("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64")
_BINARY = ("add", "divide", "maximum", "minimum", "multiply", "subtract")


class Malformed(Exception):
    """A configuration that contradicts itself, or is none; its text says how."""


@dataclass(frozen=True)
class Reference:
    """Output number ``tensor`` of call number ``call`` of a layer, by the layer's name.

    Keras 3 notes its shape and data type beside it; in files of Keras 2 they are unknown.
    """

    layer: str
    call: int
    tensor: int
    shape: Shape = None
    dtype: str = ""


@dataclass(frozen=True)
class RawCall:
    """A call whose arguments hold references."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    training: bool | None


def raw_call(node: Any, layer: SavedLayer) -> RawCall:
    """One entry of ``inbound_nodes``, in either generation's form."""
    # Exactly these keys: an argument of Keras 2 may be a dictionary with any.
    if isinstance(node, Mapping) and set(node) == {"args", "kwargs"}:
        args, kwargs = _revived(node["args"]), _revived(node["kwargs"])
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise Malformed(f"a call of {layer.name!r} has no arguments")
        # ``layer`` stands for "not there". Keras 3.3 records the mask that was not given.
        if kwargs.get("mask", layer) is None:
            del kwargs["mask"]
        # The flag stands apart in our calls, since a model around may hand on another.
        training = flag_of(kwargs.pop("training", None))
        return RawCall(tuple(args), _ordered(kwargs, layer), training)
    return _nested_lists(node, layer)


def ends_of(tree: Any) -> Any:
    """The inputs or outputs of a model, with references for leaves."""
    # ["layer", 0, 0] alone is a reference, and a list of these a structure.
    if _is_leaf(tree):
        return Reference(*tree[:3])
    if isinstance(tree, dict):
        return {key: ends_of(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [ends_of(item) for item in tree]
    raise Malformed(f"{str(tree)[:40]!r} is not an input or output")


def references_in(tree: Any) -> Iterator[Reference]:
    """All references in order, dictionaries by key."""
    for leaf in leaves(tree):
        if isinstance(leaf, RawCall):
            yield from references_in((leaf.args, leaf.kwargs))
        elif isinstance(leaf, Reference):
            yield leaf


def _nested_lists(node: Any, layer: SavedLayer) -> RawCall:
    """Keras 2's form: the leaves of the first argument, each with all other arguments.

    ::

        [["conv", 0, 0, {"training": false}]]                      conv(x, training=False)
        [["a", 0, 0, {}], ["b", 1, 0, {}]]                         layer([a, b])
        ["_CONSTANT_VALUE", -1, 2.0, {"y": ["a", 0, 0]}]           tf.multiply(2.0, a)
    """
    kwargs: dict[str, Any] = {}

    def argument(tree: Any) -> Any:
        if isinstance(tree, list) and len(tree) >= 3 and tree[0] == _CONSTANT:
            kwargs.update(tree[3] if len(tree) > 3 else {})
            return _array(tree[2]) if isinstance(tree[2], list) else tree[2]
        if _is_leaf(tree):
            kwargs.update(tree[3] if len(tree) > 3 else {})
            return Reference(*tree[:3])
        if isinstance(tree, dict):
            return {key: argument(item) for key, item in tree.items()}
        if isinstance(tree, list):
            return [argument(item) for item in tree]
        raise Malformed(f"a call of {layer.name!r} has the argument {str(tree)[:40]!r}")

    first = argument(node)
    # A single tensor stands in a list too. An operation may take a list of one: tf.concat([x], 0).
    if layer.operation is None and isinstance(first, list) and len(first) == 1:
        first = first[0]
    others = {name: _plain(value, name, layer) for name, value in kwargs.items()}
    training = flag_of(others.pop("training", None))
    return RawCall((first,), _ordered(others, layer), training)


def _ordered(kwargs: dict[str, Any], layer: SavedLayer) -> dict[str, Any]:
    return in_known_order(layer.type, kwargs) if layer.builtin else kwargs


def _plain(value: Any, name: str, layer: SavedLayer) -> Any:
    """A keyword argument: references, and constants that Keras 2 wrote as lists."""
    if _is_leaf(value):
        return Reference(*value[:3])
    if isinstance(value, dict):
        # Keras 2 writes a slice as {"start": 1, "stop": None, "step": None}.
        ends = [value.get(name) for name in ("start", "stop", "step")]
        if len(value) == len(ends) and all(end is None or type(end) is int for end in ends):
            return slice(*ends)
        if value.get("class_name") == "__ellipsis__":
            return Ellipsis
        return {key: _plain(item, "", layer) for key, item in value.items()}
    if isinstance(value, list):
        # Of arithmetic, a list is a constant array; elsewhere it is a list of settings, such as
        # axes.
        if name in ("x", "y") and layer.operation in _BINARY:
            return _array(value)
        return [_plain(item, "", layer) for item in value]
    return value


def _revived(value: Any) -> Any:
    """Keras 3's form of an argument."""
    if isinstance(value, list):
        return [_revived(item) for item in value]
    if not isinstance(value, dict):
        return value
    config = value.get("config")
    # A dictionary of the user's, with arguments in it.
    if "class_name" not in value or not isinstance(config, (dict, str)):
        return {key: _revived(item) for key, item in value.items()}
    return _object(str(value["class_name"]), config if isinstance(config, dict) else {})


def _object(kind: str, config: Mapping[str, Any]) -> Any:
    if kind == "__keras_tensor__":
        history = config.get("keras_history")
        if not isinstance(history, list) or not _is_leaf(history):
            raise Malformed("a tensor does not say which call made it")
        shape, dtype = shape_from(config.get("shape")), str(config.get("dtype") or "")
        return Reference(history[0], history[1], history[2], shape, dtype)
    if kind in ("__numpy__", "__tensor__"):
        return _array(config.get("value"), str(config.get("dtype")))
    if kind == "__slice__":
        return slice(*(_revived(config.get(part)) for part in ("start", "stop", "step")))
    return Ellipsis if kind == "__ellipsis__" else kind


def _array(value: Any, dtype: str | None = None) -> Any:
    import numpy as np

    # NumPy has no bfloat16: its numbers are read as what JSON has.
    known = dtype if dtype in _NUMBERS else None
    try:
        array = np.asarray(value, dtype=known)
    except (OverflowError, TypeError, ValueError):
        raise Malformed("a constant is not made of numbers") from None
    if array.dtype.kind not in "biuf":
        raise Malformed("a constant is not made of numbers")
    return array


def _is_leaf(value: Any) -> bool:
    """Whether ``value`` is ``[layer, call, tensor]``, and perhaps arguments."""
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return False
    plain = all(isinstance(number, int) for number in value[1:3])
    return plain and (len(value) == 3 or isinstance(value[3], dict))
