"""Read the weights of a saved model's layers from its file, without Keras.

The kinds of layers are known whose weights folding reads and writes. Keras 3 numbers
the weights of a layer in the order in which it made them, older files name them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_layercount.model.layers import row_of
from pytest_layercount.model.readers.files.open import OpenFile
from pytest_layercount.model.readers.files.saved_layer import SavedLayer
from pytest_layercount.model.readers.files.weights import (
    UNREADABLE,
    datasets,
    places_of,
    weights_in,
)

_OTHER_NAMES = {"depthwise_kernel": "kernel"}  # Keras 3's DepthwiseConv calls it kernel

Read = Callable[[int, tuple[str, ...]], Mapping[str, NDArray[np.float64]] | None]


def stored_weights(path: Path, opened: OpenFile) -> Read | None:
    """How to read the weights in the file at ``path``; None without h5py."""
    try:
        import h5py
    except ModuleNotFoundError:
        return None
    places = {id(layer): found for layer, found in reversed(list(places_of(opened.model)))}

    def read(number: int, names: tuple[str, ...]) -> Mapping[str, NDArray[np.float64]] | None:
        if not names:
            return {}
        layer = opened.layers[number]
        try:
            with weights_in(path) as stream:
                if stream is None or id(layer) not in places:
                    return None
                with h5py.File(stream, "r") as file:
                    found = _found(file, places[id(layer)])
                    if layer.type == "Normalization":
                        return _statistics(layer, found)
                    return _named(layer.type, layer.config, names, found)
        except (*UNREADABLE, TypeError):
            return None

    return read


def _found(file: Any, places: tuple[str, str]) -> dict[str, Any]:
    numbered, named = places
    outermost = named.partition("/")[0]  # which Keras 3 repeats before the layers of a model
    for place in (numbered, f"model_weights/{named}", f"model_weights/{outermost}/{named}"):
        if place in file:
            found = {
                name.rpartition("/")[2].partition(":")[0]: np.asarray(item)
                for name, item in datasets(file[place])
            }
            if found:
                return found
    return {}


def _named(
    kind: str, config: Mapping[str, Any], names: tuple[str, ...], found: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]] | None:
    """The arrays ``found`` in the file under ``names``; None if they are not what is expected."""
    there = _expected(kind, config, names)
    floats = all(array.dtype.kind == "f" for array in found.values())
    if there is None or len(found) != len(there) or not floats:
        return None
    if all(name.isdecimal() for name in found):
        pairs = {name: found[str(place)] for place, name in enumerate(there)}
    else:
        pairs = {n: found[n] if n in found else found[_OTHER_NAMES[n]] for n in there}
    return {name: array.astype(np.float64) for name, array in pairs.items()}


def _statistics(
    layer: SavedLayer, found: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]] | None:
    """What a Normalization was given, as the float32 that Keras makes of it, or has adapted to."""
    kinds = ("mean", "variance")
    if layer.config.get("mean") is not None:
        shape, axes = layer.built[0], layer.config.get("axis", -1)
        axes = [] if axes is None else axes if isinstance(axes, list) else [axes]
        size = math.prod(int((shape or ())[axis] or 0) for axis in axes)
        given = (np.ravel(np.float32(layer.config[kind])).astype(np.float64) for kind in kinds)
        return {kind: np.broadcast_to(each, size) for kind, each in zip(kinds, given, strict=True)}
    pairs = [found.get(kind, found.get(str(place))) for place, kind in enumerate(kinds)]
    if any(each is None or each.dtype.kind != "f" for each in pairs):
        return None
    read = {kind: each.astype(np.float64) for kind, each in zip(kinds, pairs, strict=True)}
    return {**read, **{f"adapt_{kind}": each for kind, each in read.items()}}


def _expected(
    kind: str, config: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Those of ``names`` that such a layer has, in the order in which it makes them."""
    optional = row_of(kind).optional
    if optional is None:
        return None
    usual = kind != "EinsumDense"  # which has a bias where it is said along which axes
    return tuple(
        name for name in names if name not in optional or config.get(optional[name], usual)
    )
