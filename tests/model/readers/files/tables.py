"""Write the index of a TensorFlow checkpoint, byte by byte, and its numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

MAGIC = 0xDB4775248B80FB57
TYPES = {"float32": 1, "float64": 2, "int64": 9, "float16": 19}


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def block(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block of a table: each key without what it shares with the one before."""
    out, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        out += (
            varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        )
        before = key
    return out + struct.pack("<II", 0, 1)


def entry(array: np.ndarray, offset: int, shard: int = 0) -> bytes:
    """A BundleEntryProto."""
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    return (
        field(1, TYPES[array.dtype.name])
        + field(2, shape)
        + field(3, shard)
        + field(4, offset)
        + field(5, array.nbytes)
        + varint(6 << 3 | 5)
        + b"\0\0\0\0"  # a checksum, which is not read
    )


def text_entry(offset: int, size: int) -> bytes:
    """The BundleEntryProto of one text."""
    return field(1, 7) + field(2, b"") + field(4, offset) + field(5, size)


def object_graph(names: Mapping[str, str]) -> bytes:
    """A TrackableObjectGraph whose variables have these names, as an array of one text."""
    attributes = b"".join(
        field(2, field(1, b"VARIABLE_VALUE") + field(2, name.encode()) + field(3, key.encode()))
        for key, name in names.items()
    )
    text = field(1, attributes)
    return varint(len(text)) + b"\0\0\0\0" + text


def table(entries: Iterable[tuple[bytes, bytes]], header: bytes = field(1, 1)) -> bytes:
    """A whole index of one block."""
    data = block([(b"", header), *sorted(entries)])
    raw = data + b"\0" * 5
    statistics = len(raw), len(block([]))
    raw += block([]) + b"\0" * 5
    index = block([(b"zzz", varint(0) + varint(len(data)))])
    place = len(raw), len(index)
    raw += index + b"\0" * 5
    handles = b"".join(varint(number) for number in (*statistics, *place))
    return raw + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def write(
    path: Path, arrays: Mapping[str, np.ndarray], names: Mapping[str, str] | None = None
) -> None:
    """A checkpoint called ``path``, with these arrays under these keys."""
    data, entries = b"", []
    for key, array in arrays.items():
        entries.append((key.encode(), entry(array, len(data))))
        data += array.tobytes()
    if names is not None:
        graph = object_graph(names)
        entries.append((b"_CHECKPOINTABLE_OBJECT_GRAPH", text_entry(len(data), len(graph))))
        data += graph
    path.with_name(f"{path.name}.index").write_bytes(table(entries))
    path.with_name(f"{path.name}.data-00000-of-00001").write_bytes(data)
