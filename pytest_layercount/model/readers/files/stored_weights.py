"""Read which weights a file holds, of every format that Keras has written, without Keras.

Files of weights alone are read, and the weights inside of whole models. Only headers are read
until a value is asked for. HDF5 needs h5py.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.files import opened
from pytest_layercount.model.readers.files.checkpoint import (
    is_checkpoint,
    numbers,
    read_checkpoint,
)
from pytest_layercount.model.readers.files.container import MOST_BYTES
from pytest_layercount.model.readers.files.open import is_saved_model
from pytest_layercount.model.readers.files.weights import UNREADABLE, child, datasets, weights_in
from pytest_layercount.model.stored import StoredLayer, StoredWeight, StoredWeights, in_order

MOST_SHARDS = 10_000

_UNREADABLE = (*UNREADABLE, TypeError)
"""What a damaged file may raise where its attributes are read as well."""

# "layers/functional/layers/conv2d_1" is a layer, as deep as it may stand; what hangs on it, like
# the cell of a recurrent layer, is its own.
_LAYER = re.compile(r"((?:.*/)?layers/[^/]+)(?:/(.*))?$")
# Keras 2.13 called the folder of layers by the attribute that holds them.
_OLD_LAYERS = "_layer_checkpoint_dependencies"
_STATES = re.compile(
    r"(^|/)(optimizer|metrics|compile_metrics|loss_tracker|_metrics_tracker|\w*tracker|"
    r"seed_generator|_seed_generators?|_random_generator|state_variables)(/|$)"
)


def read_weights(path: str | Path) -> StoredWeights:
    """List the weights that a file holds, layer by layer, without Keras or TensorFlow.

    ``path`` is a ``.weights.h5`` or ``.weights.json`` of Keras 3, an HDF5 file of weights of
    Keras 1, 2 or tf.keras, a checkpoint of TensorFlow (its ``.index`` or the name without), or a
    whole model saved as ``.keras``, ``.h5`` or SavedModel. Nothing in it is run.

    Raises:
        ModelError: it holds no weights, cannot be read, or is damaged.
    """
    path = Path(path)
    try:
        if is_saved_model(path):
            return read_checkpoint(path / "variables" / "variables", source=str(path))
        if not path.is_dir() and is_checkpoint(path):
            return read_checkpoint(path)
        if not path.exists():
            raise ModelError(f"{path}: no such file")
        if path.suffix == ".json":
            return _read_shards(path)
        with _file(path) as file:
            return _read_file(path, file)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        # A pipe, a device, a name that no file can have; h5py's own errors are named below.
        raise ModelError(f"{path}: cannot be read ({first_line(error)})") from None


def holds_weights_alone(path: str | Path) -> bool:
    """Whether a file holds weights and says nothing of the model that they are of."""
    path = Path(path)
    try:
        if is_checkpoint(path) or path.name.endswith(".weights.json"):
            return True
        with opened(path) as stream:
            if stream.read(4) != b"\x89HDF":
                return False
        import h5py

        with h5py.File(path, "r") as file:
            return "model_config" not in file.attrs
    except ModuleNotFoundError:
        return path.name.endswith(".weights.h5")
    except (OSError, ValueError, RuntimeError):
        return False  # whoever reads it will say what is wrong with it


def _read_file(path: Path, file: Any) -> StoredWeights:
    try:
        root = child(file, "model_weights") or file
        listing = _by_name if _text_list(root, "layer_names") is not None else _by_place
        return listing(path, root)
    except _UNREADABLE as error:
        raise ModelError(f"{path}: the file is damaged ({first_line(error)})") from None


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    """The HDF5 data in a file of weights or in a whole model.

    Raises:
        ModelError: there is none, or h5py is missing.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise ModelError(f"{path}: reading HDF5 needs h5py: pip install h5py") from None
    try:
        with weights_in(path) as stream:
            if stream is None:
                raise ModelError(f"{path}: holds no weights that Keras has written")
            with h5py.File(stream, "r") as file:
                yield file
    except (KeyError, RuntimeError, struct.error) as error:
        raise ModelError(f"{path}: the file is damaged ({first_line(error)})") from None


# HDF5 as Keras 1, 2 and tf.keras write it, and Keras 3 still reads it::
#
#     layer_names = [conv, backbone, head]          an attribute: the order of the model
#     conv/       weight_names = [conv/kernel:0, conv/bias:0]
#     backbone/   weight_names = [conv_1/kernel:0, ...]       a model inside: one "saved layer"


def _by_name(path: Path, root: Any) -> StoredWeights:
    layers: dict[str, list[StoredWeight]] = {}
    names = _text_list(root, "layer_names") or []
    saved = 0
    for name in names:
        group = child(root, name)
        if group is None:
            raise ValueError(f"it lists {name!r} among its layers and does not have it")
        weights = _text_list(group, "weight_names") or []
        saved += bool(weights)
        known = dict(datasets(group))
        for weight in weights:
            if weight not in known:
                raise ValueError(f"it lists {weight!r} among its weights and does not have it")
            array = known[weight]
            layer, own = _owner(name, weight.partition(":")[0] if ":" in weight else weight)
            layers.setdefault(layer, []).append(
                StoredWeight(own, array.shape, _dtype(array), array.name)
            )
    version = _text(root.attrs.get("keras_version", "1"))
    return StoredWeights(
        source=str(path),
        format="hdf5",
        writer=f"Keras {version}",
        layers=tuple(StoredLayer(layer, tuple(own), layer) for layer, own in layers.items()),
        saved=saved,
        read=_reader(lambda weight: (path, weight.place)),
    )


def _owner(group: str, weight: str) -> tuple[str, str]:
    """Return the layer that a weight of a group belongs to, and its name there.

    ::

    conv      conv/kernel                        conv              kernel
    birnn     birnn/forward_lstm/cell/kernel     birnn             forward_lstm/cell/kernel
    backbone  conv_1/kernel                      backbone/conv_1   kernel
    dense_1   dense_1_W                          dense_1           dense_1_W      Keras 1
    """
    first, _, rest = weight.partition("/")
    if not rest:
        return group, weight
    return (group, rest) if first == group else (f"{group}/{first}", rest)


def _text_list(group: Any, name: str) -> list[str] | None:
    """An attribute that lists names; HDF5 holds 64 KiB of one, so that long ones are numbered."""
    if name in group.attrs:
        return [_text(item) for item in group.attrs[name]]
    parts: list[str] = []
    number = 0
    while f"{name}{number}" in group.attrs:
        parts += [_text(item) for item in group.attrs[f"{name}{number}"]]
        number += 1
    return parts if number else None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


# HDF5 as Keras 3 writes it, and Keras 2.13 on for .keras and .weights.h5::
#
#     layers/conv2d/vars            name = "stem"   since Keras 3.7; 0, 1: the arrays
#     layers/functional/layers/...                  a model inside
#     layers/bidirectional/forward_layer/cell/vars  a layer made of layers
#     optimizer/vars


def _by_place(path: Path, root: Any) -> StoredWeights:
    layers: dict[str, list[StoredWeight]] = {}
    states: list[StoredWeight] = []
    for place, array in datasets(root):
        _sort_in(place, array, layers, states)
    if not layers and child(root, "layers") is None:
        raise ModelError(f"{path}: holds no weights that Keras has written")
    named = {place: _named(root, place) for place in layers}
    return _of_keras_3(path, layers, states, named, _reader(lambda weight: (path, weight.place)))


def _read_shards(path: Path) -> StoredWeights:
    """Weights in several files, of which a JSON file says which is where.

    Raises:
        ModelError: it is no such file, or names files elsewhere.
    """
    with opened(path) as stream:
        raw = stream.read(MOST_BYTES + 1)
    try:
        shards = json.loads(raw)["weight_map"]
        files = {name for where in shards.values() for name in _as_list(where)}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path}: lists no files of weights, as Keras 3 writes it") from None
    elsewhere = [name for name in files if not isinstance(name, str) or Path(name).name != name]
    if elsewhere or len(files) > MOST_SHARDS:
        what = f"a file elsewhere, {elsewhere[0]!r}" if elsewhere else f"{len(files):,} files"
        raise ModelError(f"{path}: names {what}")
    layers: dict[str, list[StoredWeight]] = {}
    states: list[StoredWeight] = []
    homes: dict[str, Path] = {}
    named: dict[str, tuple[str, ...]] = {}
    for name in sorted(files):
        shard = path.with_name(name)
        with _file(shard) as file:
            there: dict[str, list[StoredWeight]] = {}
            for place, array in datasets(file):
                homes[array.name] = shard
                _sort_in(place, array, there, states)
            named.update({place: _named(file, place) for place in there})
        for place, weights in there.items():
            layers.setdefault(place, []).extend(weights)
    read = _reader(lambda weight: (homes[weight.place], weight.place))
    return _of_keras_3(path, layers, states, named, read)


def _as_list(where: Any) -> list[Any]:
    return where if isinstance(where, list) else [where]


def _sort_in(
    place: str,
    array: Any,
    layers: dict[str, list[StoredWeight]],
    states: list[StoredWeight],
) -> None:
    """Note an array with its layer, or with the states where it belongs to none."""
    above, _, number = place.rpartition("/")
    if above.rpartition("/")[2] != "vars":
        return  # not of Keras's making
    above = above.removesuffix("vars").rstrip("/").replace(_OLD_LAYERS, "layers")
    inside = _LAYER.match(above)
    layer, own = (inside[1], inside[2] or "") if inside else (above, "")
    weight = StoredWeight(f"{own}/{number}".lstrip("/"), array.shape, _dtype(array), array.name)
    if _STATES.search(above):
        states.append(weight)
    else:
        layers.setdefault(layer, []).append(weight)


def _named(root: Any, place: str) -> tuple[str, ...]:
    """The names of a layer and of the models around it, as far as the file has them."""
    names, parts = [], place.split("/")
    for end in range(2, len(parts) + 1, 2):
        group = child(root, "/".join([*parts[:end], "vars"]))
        name = None if group is None else group.attrs.get("name")
        names.append(_text(name) if name is not None else parts[end - 1])
    return tuple(names)


def _of_keras_3(
    path: Path,
    layers: Mapping[str, list[StoredWeight]],
    states: list[StoredWeight],
    named: Mapping[str, tuple[str, ...]],
    read: Callable[[StoredWeight], Any],
) -> StoredWeights:
    stored = [
        StoredLayer(
            "/".join(named[place]) or place or "(the model)",
            tuple(sorted(weights, key=lambda weight: in_order(weight.name))),
            place,
            re.sub(r"_\d+$", "", place.rpartition("/")[2]),
        )
        for place, weights in layers.items()
    ]
    return StoredWeights(
        source=str(path),
        format="keras-3",
        writer="Keras 3, or 2.13 and later",
        layers=tuple(sorted(stored, key=lambda layer: in_order(layer.place))),
        states=tuple(states),
        read=read,
    )


def _dtype(array: Any) -> str:
    # HDF5 has no bfloat16: Keras writes two bytes of no type.
    return "bfloat16" if array.dtype.str == "|V2" else str(array.dtype)


def _reader(where: Callable[[StoredWeight], tuple[Path, str]]) -> Callable[[StoredWeight], Any]:
    """A function that reads the values of one weight."""

    def read(weight: StoredWeight) -> Any:
        path, place = where(weight)
        try:
            with _file(path) as file:
                array = file[place]
                if _dtype(array) == "bfloat16":
                    return numbers(array[()].tobytes(), "bfloat16", array.shape)
                return array[()]
        except _UNREADABLE as error:
            raise ModelError(f"{path}: {place} cannot be read ({first_line(error)})") from None

    return read
