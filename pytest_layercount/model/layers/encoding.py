"""Layers that look up, hash or split into bins: they return integers or encoded rows."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import Call, Config, LayerType, Output

_LOOKS_INSIDE = (3, 14)
"""The version of Keras 3 since which lookups return rows for the parts of a sample."""


def _encoded(type_: str, *, looks_up: bool = False) -> Output:
    """The output of such a layer.

    Of (batch, n), "int" makes an integer each, "one_hot" a row each, (batch, n, depth), and the
    other modes a row for each sample, (batch, depth). A text has the axis of its words first.
    """
    text = type_ == "TextVectorization"

    def output(call: Call) -> list[Shape]:
        shape, config, mode = call.shape, call.config, call.config.get("output_mode", "int")
        if mode == "int":
            return [(shape[0], config["output_sequence_length"]) if text else shape]
        depth = _looked_up(config) if looks_up else _depth(config)
        if call.generation == 2 or (looks_up and (3,) <= call.version < _LOOKS_INSIDE):
            # These return a row for each sample, whatever the sample is.
            return [(*shape[:1], depth)]
        # A text becomes as many words as it has.
        if text and config.get("split") is not None:
            shape = (*shape, None)
        elif text and len(shape) == 1:
            shape = (*shape, 1)
        if mode == "one_hot" and type_ != "Hashing" and (len(shape) == 1 or shape[-1] != 1):
            return [(*shape, depth)]
        if mode != "one_hot" and type_ == "Discretization":
            return [(shape[0], *shape[2:], depth)]
        return [(*shape[:-1], depth)]

    return output


def _looked_up(config: Config) -> int:
    return int(config["max_tokens" if config["pad_to_max_tokens"] else "vocabulary_size"])


def _depth(config: Config) -> int:
    if "num_tokens" in config:
        return int(config["num_tokens"])
    if config.get("bin_boundaries") is not None:
        return len(config["bin_boundaries"]) + 1
    return int(config["num_bins"])


def _dtype(call: Call, computes: str) -> str:
    whole = call.config.get("output_mode") == "int"
    return "int32" if whole and computes == "float32" else computes


def _looked_up_dtype(call: Call, computes: str) -> str:
    if call.config.get("output_mode") != "int":
        return "float32" if computes == "string" else computes
    if call.generation == 2 and call.config.get("invert"):
        return str(call.config.get("vocabulary_dtype", "string"))
    return "int64"


def _encoder(type_: str, *writes: str, **usual: str) -> LayerType:
    return LayerType(
        writes=writes,
        output=_encoded(type_),
        dtype=_dtype,
        usual=usual,
        typed_by_output=True,
    )


def _lookup(type_: str, *writes: str, **usual: int | str) -> LayerType:
    return LayerType(
        writes=writes,
        output=_encoded(type_, looks_up=True),
        dtype=_looked_up_dtype,
        usual=usual,
        typed_by_output=True,
    )


TYPES: Mapping[str, LayerType] = {
    "CategoryEncoding": _encoder("CategoryEncoding", "output_mode", output_mode="multi_hot"),
    "Discretization": _encoder("Discretization"),
    "HashedCrossing": _encoder("HashedCrossing", "num_bins"),
    "Hashing": _encoder("Hashing", "num_bins"),
    "IntegerLookup": _lookup("IntegerLookup", "num_oov_indices", oov_token=-1),
    "StringLookup": _lookup("StringLookup", "num_oov_indices", oov_token="[UNK]"),  # noqa: S106
    "TextVectorization": _lookup("TextVectorization", "standardize"),
}
