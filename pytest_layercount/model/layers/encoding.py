"""What layers that look up, hash or split into bins return: numbers, or one place for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import Described

_LOOKUPS = ("IntegerLookup", "StringLookup", "TextVectorization")
_LOOKS_INSIDE = (3, 14)
"""The version of Keras 3 since which lookups return rows for the parts of a sample."""

ENCODERS = ("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", *_LOOKUPS)


def encoded(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    """The shape of what such a layer returns."""
    shape, config, mode = shapes[0], layer.config, layer.config.get("output_mode", "int")
    assert shape is not None
    text = layer.type == "TextVectorization"
    if mode == "int":
        return [(shape[0], config["output_sequence_length"]) if text else shape]
    depth = _depth(layer, config)
    if layer.generation == 2 or (layer.type in _LOOKUPS and (3,) <= layer.version < _LOOKS_INSIDE):
        # These return a row for each sample, whatever the sample is.
        return [(*shape[:1], depth)]
    if text and config.get("split") is not None:
        shape = (*shape, None)
    elif text and len(shape) == 1:
        shape = (*shape, 1)
    if mode == "one_hot" and layer.type != "Hashing" and (len(shape) == 1 or shape[-1] != 1):
        return [(*shape, depth)]
    if mode != "one_hot" and layer.type == "Discretization":
        return [(shape[0], *shape[2:], depth)]
    return [(*shape[:-1], depth)]


def encoded_dtype(layer: Described, computes: str) -> str:
    """The data type of what such a layer returns, if it ``computes`` in another one."""
    config, whole = layer.config, layer.config.get("output_mode") == "int"
    if layer.type in _LOOKUPS:
        if not whole:
            return "float32" if computes == "string" else computes
        if layer.generation == 2 and config.get("invert"):
            return str(config.get("vocabulary_dtype", "string"))
        return "int64"
    return "int32" if whole and computes == "float32" else computes


def _depth(layer: Described, config: Mapping[str, Any]) -> int:
    if layer.type == "CategoryEncoding":
        return int(config["num_tokens"])
    if layer.type in _LOOKUPS:
        return int(config["max_tokens" if config["pad_to_max_tokens"] else "vocabulary_size"])
    if config.get("bin_boundaries") is not None:
        return len(config["bin_boundaries"]) + 1
    return int(config["num_bins"])
