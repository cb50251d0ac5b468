"""How many weights a file holds for the layers whose configuration does not say it.

These are users' own, and those whose input's shape is not known. Only the headers of
the HDF5 data are read, and only where h5py is installed. Layers are found by their
places among the model's layers, as Keras finds them.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pytest_layercount.files import opened
from pytest_layercount.model.readers.files.container import HIGHEST_RATIO
from pytest_layercount.model.readers.files.parameters import parameters
from pytest_layercount.model.readers.files.saved_layer import SavedLayer

UNREADABLE = (OSError, LookupError, RuntimeError, ValueError, zipfile.BadZipFile, struct.error)
"""What a file without weights that can be read may raise."""

MOST_DATASETS = 100_000

_WEIGHTS = "model.weights.h5"
_LOCAL_HEADER = struct.Struct("<26xHH")


def count_own_weights(path: Path, model: SavedLayer) -> None:
    """Note on the layers of ``model`` that do not say it how many weights the file has for them."""
    own = [(layer, places) for layer, places in places_of(model) if parameters(layer) is None]
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


def places_of(
    model: SavedLayer, above: tuple[tuple[str, str], ...] = ()
) -> Iterator[tuple[SavedLayer, tuple[str, str]]]:
    """The layers, and where their weights are: by place, and by name in old files."""
    numbers: dict[str, int] = {}
    if model.network is None:
        return
    for layer in model.network.layers:
        if not layer.counted:
            continue
        kind = _snake(layer.type)
        number = numbers[kind] = numbers.get(kind, -1) + 1
        here = (f"layers/{kind}_{number}" if number else f"layers/{kind}", layer.name)
        if layer.network is not None:
            yield from places_of(layer, (*above, here))
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


def datasets(group: Any) -> Iterator[tuple[str, Any]]:
    """The data under ``group`` by path, as far as it is in this file and of a size it can have.

    Links to other files are not followed, and nothing is visited twice.
    """
    import h5py

    seen: set[int] = set()
    pending = [("", group)]
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


def _snake(name: str) -> str:
    """A class name as Keras writes it in files."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
