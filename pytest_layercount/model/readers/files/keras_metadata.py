"""What Keras 2 writes beside a SavedModel: the configuration that the model was made from.

``keras_metadata.pb`` is a protocol buffer of two levels; before TensorFlow 2.5 its texts stood
in ``saved_model.pb``, with the objects that they describe. Only the fields needed are
picked out, so that neither TensorFlow nor a schema is needed ::

    file = (1: node) *                 for each object
    node = 3: "root.layer-0", 5: {"class_name": ...}, as JSON, and other fields
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.files import read_bytes
from pytest_layercount.model.keras.load import KERAS_METADATA, SAVED_MODEL
from pytest_layercount.model.readers.files.container import MOST_BYTES, Saved

_NODES = 1
_PATH, _TEXT = 3, 5
_WAY_TO_ROOT = (2, 7, 1, 4, 3)
"""Fields of ``saved_model.pb``: graph, objects, the first of them, Keras's part of it, its text."""
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def saved_configuration(path: Path) -> Saved | None:
    """The configuration of the Keras 2 model in a SavedModel; None where there is none."""
    beside = (path / KERAS_METADATA).exists()
    file = path / (KERAS_METADATA if beside else SAVED_MODEL)
    try:
        if file.stat().st_size > MOST_BYTES:
            return None
        root = _root(read_bytes(file)) if beside else _first_object(read_bytes(file))
    except (OSError, LookupError, RecursionError, TypeError, ValueError):
        return None
    config = root.get("model_config") or root
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        return None
    return Saved(path, config, str(root.get("keras_version") or "2"))


def configurations(path: Path) -> Iterator[Mapping[str, Any]]:
    """The configuration of each object in a SavedModel; loading makes every one of them.

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
    """The entry of the model itself, the object that holds all others."""
    for number, node in _fields(raw):
        if number != _NODES or not isinstance(node, bytes):
            continue
        fields = dict(_fields(node))
        if fields.get(_PATH) == b"root":
            return _parsed(fields[_TEXT])
    return {}


def _first_object(raw: bytes) -> Mapping[str, Any]:
    """The entry of the model itself in the graph of objects, where it is the first."""
    for wanted in _WAY_TO_ROOT:
        values = (value for number, value in _fields(raw) if number == wanted)
        raw = next((value for value in values if isinstance(value, bytes)), b"{}")
    return _parsed(raw)


def _parsed(text: int | bytes) -> Mapping[str, Any]:
    tree = json.loads(text, object_hook=_listed) if isinstance(text, bytes) else {}
    return tree if isinstance(tree, dict) else {}


def _listed(entry: dict[str, Any]) -> Any:
    """Tuples and shapes as the lists that other files have in their place."""
    marked = entry.get("class_name") in ("__tuple__", "TensorShape")
    return entry["items"] if marked and isinstance(entry.get("items"), list) else entry


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: their numbers, and what they hold."""
    place = 0
    while place < len(raw):
        # A key is (number << 3) | kind.
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
        # Slicing would give fewer bytes without a word.
        if place + size > len(raw):
            raise ValueError("a truncated protocol buffer")
        yield key >> 3, raw[place : place + size]
        place += size


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[place]
        place += 1
        # Seven bits a byte, the lowest first; the highest bit says that more follow.
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("not a protocol buffer")
