"""The weights that a file holds: how many for a layer, and their values, without Keras.

How many is asked where the configuration does not say: of users' own layers, and of those
whose input's shape is not known. Only headers are read then. Values are read of the kinds
of layers whose weights folding reads and writes. Layers are found by their places among the
model's layers, as Keras finds them. Keras 3 numbers the weights of a layer in the order in
which it made them, older files name them. All this needs h5py.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_layercount.files import opened
from pytest_layercount.model.keras.adapter import snake_in_files
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.names import WEIGHTS_OTHERWISE
from pytest_layercount.model.readers.files.container import HIGHEST_RATIO
from pytest_layercount.model.readers.files.parameters import parameters
from pytest_layercount.model.readers.files.saved_layer import OpenFile, SavedLayer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNREADABLE = (OSError, LookupError, RuntimeError, ValueError, zipfile.BadZipFile, struct.error)
"""What a file without weights that can be read may raise."""

Read = Callable[[int, tuple[str, ...]], "Mapping[str, NDArray[np.float64]] | None"]
"""The weights of these names of the layer of this number; None where they cannot be read."""

MOST_DATASETS = 100_000

_WEIGHTS = "model.weights.h5"
# A member's own header has 30 bytes, the last four of them the lengths of what follows: its name
# and extra fields. The table of the archive does not tell the length of the latter.
_LOCAL_HEADER = struct.Struct("<26xHH")


def count_own_weights(path: Path, model: SavedLayer) -> None:
    """Note on the layers of ``model`` that do not say it how many weights the file has for them."""
    own = [(layer, places) for layer, places in _places_of(model) if parameters(layer) is None]
    if not own:
        return
    try:
        import h5py
    except ModuleNotFoundError:
        return
    try:
        with weights_in(path) as stream:
            if stream is None:
                return
            with h5py.File(stream, "r") as file:
                for layer, places in own:
                    layer.stored = next(filter(None, (_size(file, place) for place in places)), 0)
    except UNREADABLE:
        return  # a file without readable weights: its structure stands


def stored_weights(path: Path, opened: OpenFile) -> Read | None:
    """How to read the weights in the file at ``path``; None without h5py."""
    try:
        import h5py
    except ModuleNotFoundError:
        return None
    # Reversed, so that of a layer that stands twice the first place is kept.
    places = {id(layer): place for layer, place in reversed(list(_places_of(opened.model)))}

    def read(number: int, names: tuple[str, ...]) -> Mapping[str, NDArray[np.float64]] | None:
        if not names:
            return {}
        layer = opened.layers[number]
        try:
            with weights_in(path) as stream:
                if stream is None or id(layer) not in places:
                    return None
                with h5py.File(stream, "r") as file:
                    place = _found(file, places[id(layer)])
                    if layer.type == "Normalization":
                        return _statistics(layer, place)
                    return _named(layer.type, layer.config, names, place)
        except (*UNREADABLE, TypeError):
            return None

    return read


def _found(file: Any, places: tuple[str, str]) -> dict[str, Any]:
    import numpy as np  # late, as in _statistics: counting needs none of it

    numbered, named = places
    outermost = named.partition("/")[0]  # which Keras 3 repeats before the layers of a model
    # Keras 3 by number; HDF5 of both by name, below the outermost model once more in Keras 3.
    for place in (numbered, f"model_weights/{named}", f"model_weights/{outermost}/{named}"):
        if place in file:
            arrays = {
                # "conv/kernel:0" is the kernel.
                name.rpartition("/")[2].partition(":")[0]: np.asarray(item)
                for name, item in datasets(file[place])
            }
            if arrays:
                return arrays
    return {}


def _named(
    kind: str, config: Mapping[str, Any], names: tuple[str, ...], arrays: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]] | None:
    """The ``arrays`` of a file under ``names``, as float64; None if they are not as expected."""
    there = _expected(kind, config, names)
    floats = all(array.dtype.kind == "f" for array in arrays.values())
    if there is None or len(arrays) != len(there) or not floats:
        return None
    # Keras 3 numbers them in the order of making; HDF5 files have names, some of them other ones.
    if all(name.isdecimal() for name in arrays):
        pairs = {name: arrays[str(place)] for place, name in enumerate(there)}
    else:
        pairs = {n: arrays[n] if n in arrays else arrays[WEIGHTS_OTHERWISE[n]] for n in there}
    return {name: array.astype("float64") for name, array in pairs.items()}


def _statistics(
    layer: SavedLayer, arrays: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]] | None:
    """Mean and variance of a Normalization, (n,) each: given to it, or adapted from data.

    Numbers that were given are rounded to float32, as Keras does.
    """
    import numpy as np

    kinds = ("mean", "variance")
    if layer.config.get("mean") is not None:
        # Numbers given to the constructor, one or as many as the axes have together: (n,) of each.
        shape, axes = layer.built[0], layer.config.get("axis", -1)
        axes = [] if axes is None else axes if isinstance(axes, list) else [axes]
        size = math.prod(int((shape or ())[axis] or 0) for axis in axes)
        # float32 first, since Keras rounds so.
        numbers = (np.ravel(np.float32(layer.config[kind])).astype(np.float64) for kind in kinds)
        return {
            kind: np.broadcast_to(each, size) for kind, each in zip(kinds, numbers, strict=True)
        }
    pairs = [arrays.get(kind, arrays.get(str(place))) for place, kind in enumerate(kinds)]
    if any(each is None or each.dtype.kind != "f" for each in pairs):
        return None
    read = {kind: each.astype(np.float64) for kind, each in zip(kinds, pairs, strict=True)}
    return {**read, **{f"adapt_{kind}": each for kind, each in read.items()}}


def _expected(
    kind: str, config: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[str, ...] | None:
    """The weights among ``names`` that such a layer has, in the order in which it makes them."""
    optional = row_of(kind).optional
    if optional is None:
        return None
    usual = kind != "EinsumDense"  # which has a bias where it is said along which axes
    return tuple(
        name for name in names if name not in optional or config.get(optional[name], usual)
    )


def _places_of(
    model: SavedLayer, above: tuple[tuple[str, str], ...] = ()
) -> Iterator[tuple[SavedLayer, tuple[str, str]]]:
    """The layers, and where their weights are: by place, and by name in old files."""
    numbers: dict[str, int] = {}
    if model.network is None:
        return
    for layer in model.network.layers:
        if not layer.counted:
            continue
        # As Keras numbers them: the second Dense among the layers of one model is "dense_1".
        kind = snake_in_files(layer.type)
        number = numbers[kind] = numbers.get(kind, -1) + 1
        here = (f"layers/{kind}_{number}" if number else f"layers/{kind}", layer.name)
        if layer.network is not None:
            yield from _places_of(layer, (*above, here))
        else:
            trail = (*above, here)
            yield (
                layer,
                ("/".join(part for part, _ in trail), "/".join(name for _, name in trail)),
            )


def _size(file: Any, place: str) -> int:
    """The scalars under ``place``; the states of random number generators are not weights."""
    total = 0
    for root in (place, f"model_weights/{place}"):
        if root in file and not total:
            names = datasets(file[root])
            total = sum(int(item.size) for name, item in names if "seed_generator" not in name)
    return total


def child(group: Any, path: str) -> Any:
    """What stands at ``path`` in ``group`` itself; None where nothing does, or in another file."""
    import h5py

    for part in path.split("/"):
        if not hasattr(group, "keys") or not isinstance(
            group.get(part, getlink=True), h5py.HardLink
        ):
            return None
        group = group[part]
    return group


def datasets(group: Any) -> Iterator[tuple[str, Any]]:
    """The data under ``group`` by path, as far as it is in this file and of a size it can have.

    Links to other files are not followed, and nothing is visited twice.
    """
    import h5py

    seen: set[int] = set()
    pending = [("", group)]
    # Groups may hold one another, so that visited ones are told by their addresses in the file.
    while pending:
        path, group = pending.pop(0)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item, place = group[name], f"{path}{name}"
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) > MOST_DATASETS:
                continue
            seen.add(address)
            if hasattr(item, "keys"):
                pending.append((f"{place}/", item))
            elif _is_plain(item):
                yield place, item


def _is_plain(item: Any) -> bool:
    """Whether a dataset's numbers are all in this file, and not merely said to be many."""
    # A dataset may say any shape and hold nothing, or lie in other files: reading it would fill the
    # memory, or read what the user did not name.
    stored = max(item.id.get_storage_size(), 1 << 12)
    return not (item.external or item.is_virtual) and item.nbytes <= HIGHEST_RATIO * stored


@contextmanager
def weights_in(path: Path) -> Iterator[BinaryIO | None]:
    """The HDF5 data of a saved model. In an archive it must not be compressed: Keras never does."""
    if path.is_dir():
        path = path / _WEIGHTS
    with opened(path) as stream:
        if not zipfile.is_zipfile(stream):
            stream.seek(0)
            yield stream if stream.read(4) == b"\x89HDF" else None
            return
        with zipfile.ZipFile(stream) as archive:
            info = archive.getinfo(_WEIGHTS)
        if info.compress_type != zipfile.ZIP_STORED:
            yield None
            return
        stream.seek(info.header_offset)
        name, extra = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
        start = info.header_offset + _LOCAL_HEADER.size + name + extra
        yield io.BufferedReader(_Part(stream, start, info.file_size))


class _Part(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self._stream, self._start, self._size, self._place = stream, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._place))
        self._stream.seek(self._start + self._place)
        read = self._stream.read(count)
        buffer[: len(read)] = read
        self._place += len(read)
        return len(read)
