"""What the inputs of a model mean: the layers that read them say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from pytest_layercount.folding.equivalence.inputs import InputSpec
from pytest_layercount.folding.rules import OURS
from pytest_layercount.folding.rules.inert import Inert
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, values_in
from pytest_layercount.model.keras.common import parts
from pytest_layercount.model.keras.config import FLOATS
from pytest_layercount.model.readers.live import OpenModel

MOVES = {
    *("Concatenate", "Flatten", "Lambda", "Masking", "Permute", "RepeatVector", "Reshape"),
    *("cast", "concatenate", "copy", "expand_dims", "get_item", "identity"),
    *("moveaxis", "repeat", "reshape", "slice", "split", "squeeze", "stack", "stop_gradient"),
    *("swapaxes", "tile", "transpose", "unstack"),
}
"""Layers and operations that move numbers, or cast them, and leave them what they mean."""

COMPUTES = {
    *("BatchNormalization", "Normalization", "Rescaling"),
    *("add", "divide", "multiply", "negative", "square", "subtract"),
}
"""Layers and operations that integers are numbers to, not the names of something."""

ROWS = ("input_dim", "vocabulary_size", "num_tokens")
"""Attributes of layers that say how many integers they know."""


def input_specs(opened: OpenModel) -> list[InputSpec]:
    """What the model's inputs take, in the order of ``model.inputs``."""
    return [_spec(opened, value) for value in values_in(opened.graph.inputs)]


def _spec(opened: OpenModel, value: Value) -> InputSpec:
    graph = opened.graph
    nodes = list(_readers(graph, value))
    layers = [graph.layers[node.layer] for node in nodes]
    dtype = graph.dtype(value)
    # Drawn in float64 and rounded later to what the model takes.
    dtype = dtype if dtype not in FLOATS else "float64"
    held = [part for node in nodes for part in parts(opened.layers[node.layer])]
    limit, words = _limit(held, dtype), _words(held, dtype)
    integer = "int" in dtype and limit is None
    computes = integer and any(map(_computes, layers))
    return InputSpec(
        name=graph.layer_of(value.node).name,
        shape=graph.shape(value) or (None,),
        dtype=dtype,
        limit=None if words else limit,
        pixels=any(layer.type == "Rescaling" for layer in layers),
        # All 256 values of a byte are harmless; of wider integers the largest would drown all
        # others.
        whole=integer and np.dtype(dtype).itemsize == 1,
        wide=computes and np.dtype(dtype).itemsize > 1,
        words=words,
        span=_span(held),
        mask=_mask(held, limit),
    )


def _readers(graph: ModelGraph, value: Value) -> Iterator[Node]:
    """The calls that read ``value``, or what was only moved or cast since."""
    # A number still means the same behind a Reshape or a cast, so readers of these count as well.
    pending, seen = [value], set()
    while pending:
        value = pending.pop()
        for number, node in enumerate(graph.nodes):
            if value in node.inputs and number not in seen:
                seen.add(number)
                yield node
                if _moves(graph.layers[node.layer]):
                    pending += [Value(number, index) for index in range(len(node.shapes))]


def _moves(layer: Layer) -> bool:
    name = layer.operation or layer.type
    return layer.builtin and (name in MOVES or isinstance(OURS.rule_for(layer), Inert))


def _computes(layer: Layer) -> bool:
    name = layer.operation or layer.type
    return layer.builtin and (name in COMPUTES or isinstance(OURS.rule_for(layer), Weighted))


def _limit(parts: list[Any], dtype: str) -> int | None:
    """How many rows there are to look up; of several tables inside a layer, those of the largest.

    Keras 2 reads integers from inputs of its default type, float32.
    """
    tables = [part for part in parts if type(part).__name__ == "Embedding"]
    # A float is looked up only in an Embedding; for integers other layers may say how many there
    # are.
    known = tables if "float" in dtype or tables else parts
    sizes = [getattr(part, name, None) for part in known for name in ROWS]
    rows = [size for size in sizes if isinstance(size, int)]
    if dtype in ("bool", "string") or not rows:
        return None
    return max(rows)


def _words(parts: list[Any], dtype: str) -> tuple[Any, ...]:
    """What the vocabularies know, and something that they do not."""
    words: list[Any] = []
    for part in parts:
        if hasattr(part, "get_vocabulary"):
            with suppress(Exception):  # whatever a layer raises that has not learned one
                words += list(part.get_vocabulary())[: 2**10]
    if dtype == "string":
        known = [str(word) for word in words]
        # Words in a row, for layers that split texts.
        texts = [" ".join(known[first : first + 3]) for first in range(len(known))]
        return (*known, *texts, "something else") if known else ()
    numbers = [int(word) for word in words if isinstance(word, (int, np.integer))]
    return (*numbers, max(numbers) + 1) if numbers and "int" in dtype else ()


def _span(parts: list[Any]) -> tuple[float, float] | None:
    """From below the first boundary between bins to above the last."""
    kept = [getattr(part, "bin_boundaries", None) for part in parts]
    bounds = [float(bound) for edges in kept if edges is not None for bound in edges]
    if not bounds:
        return None
    # One bin's width on the average; 1 where there is but one boundary.
    beyond = (max(bounds) - min(bounds)) / len(bounds) or 1.0
    return min(bounds) - beyond, max(bounds) + beyond


def _mask(parts: list[Any], limit: int | None) -> float | None:
    for part in parts:
        if type(part).__name__ == "Masking":
            return float(part.mask_value)
        if limit is not None and getattr(part, "mask_zero", False):
            return 0.0
    return None
