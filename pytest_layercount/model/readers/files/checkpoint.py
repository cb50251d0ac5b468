"""Read the index of a TensorFlow checkpoint, without TensorFlow.

A checkpoint is a table, ``NAME.index``, and its numbers in ``NAME.data-00000-of-00001`` and so
on. The table is a sorted string table as LevelDB has it: blocks of keys and values, each key
without what it shares with the one before, and a block that says where the others are. Its
values are protocol buffers. Of both only the few fields are read that say which array is where
(tensorflow/core/protobuf/tensor_bundle.proto, trackable_object_graph.proto).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.files import opened
from pytest_layercount.model.readers.files.container import MOST_BYTES
from pytest_layercount.model.stored import StoredLayer, StoredWeight, StoredWeights, in_order

MOST_ENTRIES = 1_000_000

_MAGIC = 0xDB4775248B80FB57
_FOOTER, _TRAILER = 48, 5  # bytes; a block ends in its compression and a checksum
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SLOT = "/.OPTIMIZER_SLOT/"
_SHARD = ".data-{:05d}-of-{:05d}"
# Numbers of tensorflow/core/framework/types.proto. Text is of no fixed size.
_STRING = 7
_TYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
# What hangs on a model beside its layers, under the names that Keras and TensorFlow give it.
_STATES = re.compile(
    r"(^|/)(_?optimizer|optimizers|save_counter|keras_api|\w*metrics?|loss_tracker|"
    r"_?random_generator|seed_generator|_seed_generators|state_variables)(/|$)"
)
_LAYER = re.compile(r"(.*(?:^|/)layer(?:_with_weights)?-\d+)/(.+)")
_LISTED = re.compile(r"(^|/)(_?variables|weights)/\d+$")
# Names of checkpoints of TensorFlow 1: what an optimizer keeps beside each weight.
_OLD_STATES = re.compile(r"(^|/)(global_step|beta[12]_power|\w*Adam(_\d)?|Momentum|RMSProp(_\d)?)$")


class _Entry(NamedTuple):
    """Where an array is."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


def is_checkpoint(path: Path) -> bool:
    """Whether ``path`` is a checkpoint's index, or the name without ``.index``."""
    return index_of(path).is_file()


def index_of(path: Path) -> Path:
    """The index of the checkpoint that ``path`` names."""
    return path if path.suffix == ".index" else path.with_name(f"{path.name}.index")


def read_checkpoint(path: Path, source: str | None = None) -> StoredWeights:
    """The weights in a checkpoint, layer by layer; ``source`` names it, ``path`` if nothing does.

    Raises:
        ModelError: it is no checkpoint, or damaged.
        OSError: it cannot be read.
    """
    index = index_of(path)
    try:
        entries, shards = _entries(_index(index))
        names = _variable_names(index, entries, shards)
    except (ValueError, TypeError, LookupError, OverflowError, struct.error) as error:
        raise ModelError(f"{index}: the checkpoint is damaged ({error})") from None
    layers: dict[str, list[tuple[StoredWeight, str]]] = {}
    states = []
    for key, entry in entries.items():
        if key == _GRAPH:
            continue
        place = key.removesuffix(_VALUE)
        is_state = _SLOT in key or _STATES.search(place) or _OLD_STATES.search(place)
        layer, name = _split(place, names.get(key, ""))
        dtype = _TYPES.get(entry.dtype, "string" if entry.dtype == _STRING else "unknown")
        weight = StoredWeight(name, entry.shape, dtype, key)
        if is_state:
            states.append(weight)
        else:
            layers.setdefault(layer, []).append((weight, names.get(key, "")))
    folder = index.with_suffix("")

    def read(weight: StoredWeight) -> Any:
        return _array(folder, entries[weight.place], shards, weight.dtype)

    return StoredWeights(
        source=source or str(path),
        format="checkpoint",
        writer="TensorFlow",
        layers=tuple(
            StoredLayer(
                _called([name for _, name in weights]) or place,
                tuple(weight for weight, _ in weights),
                place,
            )
            for place, weights in sorted(layers.items(), key=lambda item: in_order(item[0]))
        ),
        states=tuple(states),
        read=read,
    )


def _split(place: str, variable: str) -> tuple[str, str]:
    """Return the layer that an array belongs to, and its name there.

    ::

    layer_with_weights-2/layer_with_weights-0/kernel    conv2d/kernel    a model inside
    layer_with_weights-3/forward_layer/cell/kernel                       a layer made of layers
    variables/6                                         conv2d/kernel    an entry of a list
    MobilenetV2/Conv/weights                                             as TensorFlow 1 wrote it
    """
    layer = _LAYER.match(place)
    if layer:
        return layer[1], layer[2]
    if variable and _LISTED.search(place):
        place = variable
    above, _, name = place.rpartition("/")
    return above, name


def _called(variables: list[str]) -> str:
    """What the variables of one layer have in common: ``conv/kernel``, ``conv/bias``: ``conv``."""
    above = [name.split("/")[:-1] for name in variables]
    alike = takewhile(lambda parts: len(set(parts)) == 1, zip(*above, strict=False))
    return "/".join(parts[0] for parts in alike)


def _index(path: Path) -> bytes:
    with opened(path) as stream:
        raw = stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ModelError(f"{path}: larger than {MOST_BYTES >> 20} MB, as no real index is")
    if len(raw) < _FOOTER or struct.unpack_from("<Q", raw, len(raw) - 8)[0] != _MAGIC:
        raise ModelError(f"{path}: not the index of a TensorFlow checkpoint")
    return raw


def _entries(raw: bytes) -> tuple[dict[str, _Entry], int]:
    """The arrays by their keys, and the number of files that hold them."""
    footer, shards = len(raw) - _FOOTER, 1
    _, place = _varint(raw, footer)  # the offset and the size of a block of statistics
    _, place = _varint(raw, place)
    offset, place = _varint(raw, place)
    size, _ = _varint(raw, place)
    entries: dict[str, _Entry] = {}
    for _, handle in _block(raw, offset, size):
        offset, place = _varint(handle, 0)
        size, _ = _varint(handle, place)
        for key, value in _block(raw, offset, size):
            if not key:
                shards = next((n for field, n in _fields(value) if field == 1), 1)
                if next((n for field, n in _fields(value) if field == 2), 0):
                    raise ValueError("written by a big-endian machine")
                continue
            entries[key.decode("utf-8", "replace")] = _entry(value)
            if len(entries) > MOST_ENTRIES:
                raise ValueError(f"more than {MOST_ENTRIES:,} arrays")
    if any(entry.shard >= shards for entry in entries.values()):
        raise ValueError("an array is in a file that is none of its own")
    return entries, shards


def _block(raw: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of one block.

    ::

    shared  unshared  length  the rest of the key  value      each entry
    place of an entry with a whole key ...  their number      the end, 4 bytes each
    """
    if offset + size + _TRAILER > len(raw):
        raise ValueError("a block ends after the file does")
    if raw[offset + size]:
        raise ValueError("a compressed block, which TensorFlow does not write")
    block = raw[offset : offset + size]
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    end, place, key = size - 4 * (restarts + 1), 0, b""
    while place < end:
        shared, place = _varint(block, place)
        rest, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + rest + length > end:
            raise ValueError("an entry is longer than its block")
        key = key[:shared] + block[place : place + rest]
        place += rest
        yield key, block[place : place + length]
        place += length


def _entry(value: bytes) -> _Entry:
    numbers: dict[int, Any] = {1: 0, 3: 0, 4: 0, 5: 0}
    shape: tuple[int, ...] = ()
    for field, content in _fields(value):
        if field == 2:  # a shape: field 2 is a dimension, whose field 1 is its size
            sizes = [
                dict(_fields(dim)).get(1, 0) for number, dim in _fields(content) if number == 2
            ]
            shape = tuple(sizes)
        elif field in numbers:
            numbers[field] = content
    if not all(
        isinstance(number, int) and number < 1 << 63 for number in (*numbers.values(), *shape)
    ):
        raise ValueError("a size is no number")
    return _Entry(numbers[1], shape, numbers[3], numbers[4], numbers[5])


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: numbers, or bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield field, value
        elif wire == 2:
            length, place = _varint(message, place)
            if place + length > len(message):
                raise ValueError("a field is longer than its message")
            yield field, message[place : place + length]
            place += length
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:
            raise ValueError("a field of no known kind")


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    number = 0
    for shift in range(0, 64, 7):
        byte = raw[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("a number of more than 64 bits")


def _variable_names(index: Path, entries: Mapping[str, _Entry], shards: int) -> dict[str, str]:
    """What the variables are called, by their keys; empty where the checkpoint does not say.

    The graph of objects is one text among the arrays: its length, a checksum of that, and bytes.
    """
    entry = entries.get(_GRAPH)
    if entry is None or entry.dtype != _STRING or entry.size > MOST_BYTES:
        return {}
    try:
        raw = _raw(index.with_suffix(""), entry, shards)
    except OSError:  # the index alone
        return {}
    length, place = _varint(raw, 0)
    names = {}
    for field, node in _fields(raw[place + 4 : place + 4 + length]):
        for kind, attribute in _fields(node) if field == 1 else ():
            if kind == 2:
                said = dict(_fields(attribute))
                texts = [said.get(number, b"") for number in (2, 3)]
                if all(isinstance(text, bytes) and text for text in texts):
                    name, key = (text.decode("utf-8", "replace") for text in texts)
                    names[key] = name
    return names


def _raw(folder: Path, entry: _Entry, shards: int) -> bytes:
    file = folder.with_name(folder.name + _SHARD.format(entry.shard, shards))
    with opened(file) as stream:
        # A size is only what the index says: as much as is there is read, and no more.
        if entry.offset + entry.size > os.fstat(stream.fileno()).st_size:
            raise ValueError(f"an array ends after {file.name} does")
        stream.seek(entry.offset)
        return stream.read(entry.size)


def _array(folder: Path, entry: _Entry, shards: int, dtype: str) -> Any:
    if entry.dtype not in _TYPES:
        raise ModelError(f"{folder}: holds an array of a type that is not read ({dtype})")
    try:
        return numbers(_raw(folder, entry, shards), dtype, entry.shape)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: the checkpoint is damaged ({first_line(error)})") from None


def numbers(raw: bytes, dtype: str, shape: tuple[int, ...]) -> Any:
    """The array of which these are the bytes; of bfloat16, which NumPy has not, as float32."""
    import numpy as np

    if dtype == "bfloat16":  # the upper half of a float32
        halves = np.frombuffer(raw, "<u2").astype("<u4") << 16
        return halves.view("<f4").reshape(shape)
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)
