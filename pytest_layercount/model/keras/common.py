"""What both generations of Keras keep private under the same names."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from pytest_layercount.model.graph import leaves
from pytest_layercount.model.keras.origin import LIBRARIES, is_model, is_own

RELOADED = ("KerasLayer", "ReloadedLayer", "TFSMLayer")
_RELOADING = (*LIBRARIES, "tensorflow_hub")
_MISSING = object()


def parts(layer: Any) -> Iterator[Any]:
    """A layer and the layers inside it, in the order in which Keras tracks them.

    ``_flatten_layers``, from Keras 2.15 to 3.15: nothing public lists those that a user's
    layer keeps in attributes, lists and dictionaries. Raw operations of Keras 3 have none.
    """
    if getattr(layer, "_layers", None) == [] or not hasattr(layer, "_flatten_layers"):
        return iter((layer,))  # Keras 3 keeps them in a list, and walking takes ten times as long
    return iter(layer._flatten_layers())


def is_composite(layer: Any) -> bool:
    """Whether a layer is the user's own and made of other layers."""
    # What Keras's own layers are made of is theirs: they count as one.
    if is_own(type(layer)):
        return False
    return len(list(parts(layer))) > 1


def inner_layers(layer: Any) -> Iterable[Any]:
    """The layers that Keras tracks in a layer or model, not those inside them."""
    if is_model(type(layer)):
        return list(layer.layers)
    if not hasattr(layer, "_flatten_layers"):
        return ()
    return list(layer._flatten_layers(include_self=False, recursive=False))


def mask_of(tensor: Any) -> Any:
    """The mask that Keras carries along with a tensor, symbolic or not.

    ``_keras_mask``, from Keras 2.15 to 3.15; later Keras 3 has a function for it, 3.3 has not.
    """
    return getattr(tensor, "_keras_mask", None)


def with_mask(tensor: Any, mask: Any) -> Any:
    """The tensor itself, with ``mask`` set on it unless that is None."""
    if mask is not None:
        tensor._keras_mask = mask
    return tensor


@contextmanager
def leaving_no_trace(model: Any) -> Iterator[None]:
    """Take back the nodes that symbolic calls add to the layers of ``model``.

    A layer would keep each of these calls, and with them all tensors between.
    """
    layers = list(parts(model))
    before = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in layers]
    try:
        yield
    finally:
        # Calls append to these lists, so that what was there before is still in front.
        for layer, (inbound, outbound) in zip(layers, before, strict=True):
            for nodes, number in (
                (layer._inbound_nodes, inbound),
                (layer._outbound_nodes, outbound),
            ):
                if len(nodes) > number:
                    del nodes[number:]


def variables_of(layer: Any) -> list[Any]:
    """The variables of a layer or model, without the tables that Keras 2 lists among weights."""
    return [weight for weight in getattr(layer, "weights", ()) if hasattr(weight, "shape")]


def states_of(layer: Any) -> list[Any]:
    """The variables in which recurrent layers carry their state from one call to the next.

    Of ``stateful=True``; neither Keras lists them among the weights.
    """
    carrying = [part for part in parts(layer) if getattr(part, "stateful", False)]
    states = [state for part in carrying for state in leaves(getattr(part, "states", ()))]
    return list({id(state): state for state in states if hasattr(state, "assign")}.values())


def size_of(variable: Any) -> tuple[int, ...]:
    """The shape of a variable; sizes that are free, of a table that was learned, as 0."""
    return tuple(int(size or 0) for size in variable.shape)


def shape_and_dtype(variable: Any) -> tuple[tuple[int, ...], str]:
    """What ``size_of`` and ``dtype_name`` say of a variable.

    For Keras 3, up to 3.15, this reads the private fields behind the properties, which take ten
    times as long.
    """
    shape, dtype = getattr(variable, "_shape", None), getattr(variable, "_dtype", None)
    if type(shape) is tuple and type(dtype) is str:
        return shape, dtype
    return size_of(variable), dtype_name(variable.dtype)


@lru_cache
def dtype_name(dtype: Any) -> str:
    """``"float32"``, whatever object stands for it."""
    return str(getattr(dtype, "name", dtype))


@cache
def item_size(dtype: str) -> int:
    """The bytes of one scalar: 2 for ``bfloat16``, 1 for ``float8_e4m3fn``, 4 where unknown."""
    if dtype == "bool":
        return 1
    # The first number in a name is that of the bits: float8_e4m3fn has 8.
    bits = re.search(r"\d+", dtype)
    return max(int(bits[0]) // 8, 1) if bits else 4


def attribute(layer: Any, name: str) -> Any:
    """The attribute, under the private name that some versions of Keras give it.

    None if the layer has neither: an attention layer's ``query_dense`` is ``_query_dense``,
    where Keras 3 gives it no property.
    """
    # None may be the value: a layer without a bias has "bias", which is None.
    value = getattr(layer, name, _MISSING)
    return getattr(layer, f"_{name}", None) if value is _MISSING else value


def spellings(name: str) -> tuple[str, str]:
    """The names under which :func:`attribute` looks for one."""
    return name, f"_{name}"


def dtype_policy(layer: Any) -> Any:
    """The policy of data types that a layer has itself: Keras 2 has no public name for it."""
    own = vars(layer)
    return own.get("dtype_policy", own.get("_dtype_policy"))


def holds_saved_model(cls: type) -> bool:
    """Whether layers of a class hold a whole SavedModel."""
    return any(
        base.__name__ in RELOADED and base.__module__.partition(".")[0] in _RELOADING
        for base in cls.__mro__
    )


def saved_function(layer: Any) -> Any | None:
    """What a layer calls that holds a SavedModel: an endpoint, a signature, or what was loaded.

    A TFSMLayer of Keras 3 names its endpoint; a KerasLayer of TensorFlow Hub, which is no
    part of Keras, keeps ``_func`` and ``_signature``.
    """
    if hasattr(layer, "call_endpoint_fn"):
        return layer.call_endpoint_fn
    loaded, signature = getattr(layer, "_func", None), getattr(layer, "_signature", None)
    if signature:
        return getattr(loaded, "signatures", {}).get(signature)
    return getattr(loaded, "__call__", None)  # noqa: B004  the function, not whether there is one


def seed_generators() -> Iterator[random.Random]:
    """The generators of seeds: TensorFlow's for eager operations, and those of Keras 2.

    ``_rng`` in TensorFlow 2.15 to 2.21, ``_SEED_GENERATOR`` in Keras 2.15: neither
    library tells in what state its seeds are.
    """
    context = sys.modules.get("tensorflow.python.eager.context")
    made = getattr(getattr(context, "context_safe", lambda: None)(), "_rng", None)
    if made is not None:
        yield made
    for library in LIBRARIES:
        holder = getattr(sys.modules.get(f"{library}.src.backend"), "_SEED_GENERATOR", None)
        generator = getattr(holder, "generator", None)
        if isinstance(generator, random.Random):
            yield generator
