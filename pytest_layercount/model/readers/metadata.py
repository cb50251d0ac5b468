"""What Keras 2 writes beside a SavedModel: the configuration that the model was made from.

``keras_metadata.pb`` is a protocol buffer of two levels. Only the fields needed are
picked out of it, so that neither TensorFlow nor a schema is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.files import read_bytes
from pytest_layercount.model.readers.archive import MOST_BYTES, Saved
from pytest_layercount.model.readers.load import KERAS_METADATA

_NODES = 1
_PATH, _TEXT = 3, 5
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def saved_configuration(path: Path) -> Saved | None:
    """The configuration of the Keras 2 model in a SavedModel; None where there is none."""
    try:
        if (path / KERAS_METADATA).stat().st_size > MOST_BYTES:
            return None
        root = _root(read_bytes(path / KERAS_METADATA))
    except (OSError, LookupError, RecursionError, ValueError):
        return None
    config = root.get("model_config") or root
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        return None
    return Saved(path, config, str(root.get("keras_version") or "2"))


def configurations(path: Path) -> Iterator[Mapping[str, Any]]:
    """What is said of each object in a SavedModel; Keras makes every one of them again.

    Raises:
        ModelError: it cannot be read, so what it holds cannot be known.
    """
    file = path / KERAS_METADATA
    try:
        for number, node in _fields(read_bytes(file)):
            text = dict(_fields(node)).get(_TEXT) if isinstance(node, bytes) else None
            if number == _NODES and isinstance(text, bytes):
                yield json.loads(text)
    except (OSError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read ({first_line(error)})") from error


def _root(raw: bytes) -> Mapping[str, Any]:
    """What is said of the model itself, the object that holds all others."""
    for number, node in _fields(raw):
        if number != _NODES or not isinstance(node, bytes):
            continue
        said = dict(_fields(node))
        if said.get(_PATH) == b"root":
            text = said[_TEXT]
            found = json.loads(text, object_hook=_listed) if isinstance(text, bytes) else {}
            return found if isinstance(found, dict) else {}
    return {}


def _listed(entry: dict[str, Any]) -> Any:
    """Tuples and shapes as the lists that other files have in their place."""
    marked = entry.get("class_name") in ("__tuple__", "TensorShape")
    return entry["items"] if marked and isinstance(entry.get("items"), list) else entry


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: their numbers, and what they hold."""
    place = 0
    while place < len(raw):
        key, place = _varint(raw, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(raw, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _varint(raw, place)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("not a protocol buffer")
        if place + size > len(raw):
            raise ValueError("a truncated protocol buffer")
        yield key >> 3, raw[place : place + size]
        place += size


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("not a protocol buffer")
