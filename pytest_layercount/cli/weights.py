"""What ``layercount count`` says of a file that holds weights alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pytest_layercount.cli.answer import Answer, table
from pytest_layercount.model.readers.files.stored_weights import read_weights
from pytest_layercount.model.stored import StoredLayer, StoredWeights
from pytest_layercount.text import number, rounded


def answer(path: str) -> Answer:
    """List the layers that have weights in the file.

    Raises:
        ModelError: the file cannot be read.
    """
    stored = read_weights(path)
    return Answer(_text(stored), _facts(stored))


def _text(stored: StoredWeights) -> str:
    total = number(len(stored.layers), "layer")
    # As Keras says it: "found 9 saved layers".
    saved = "" if stored.saved is None else f", {stored.saved} saved layers as Keras counts"
    states = number(len(stored.states), "array")
    left = f"; not counted: {states} of optimizers, metrics and random states"
    return "\n".join(
        [
            f"{stored.source}: {total} with weights{saved}",
            f"written by {stored.writer}{left if stored.states else ''}",
            f"parameters: {stored.parameters:,}, {rounded(stored.bytes)}B",
            *_listed(stored.layers),
        ]
    )


def _listed(layers: tuple[StoredLayer, ...]) -> list[str]:
    if not layers:
        return []
    head = ("layer", "weights", "type", "parameters")
    lines = [
        (
            layer.path,
            " ".join(f"({', '.join(map(str, shape))})" for shape in layer.shapes),
            " ".join(sorted({weight.dtype for weight in layer.weights})),
            f"{layer.parameters:,}",
        )
        for layer in layers
    ]
    return ["", *table([head, *lines], numbers=1)]


def _facts(stored: StoredWeights) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "source": stored.source,
        "format": stored.format,
        "writer": stored.writer,
        "saved_layers": stored.saved,
        "parameters": stored.parameters,
        "bytes": stored.bytes,
        "layers": [
            {
                "path": layer.path,
                "place": layer.place,
                "parameters": layer.parameters,
                "weights": [asdict(weight) for weight in layer.weights],
            }
            for layer in stored.layers
        ],
        "states": [asdict(state) for state in stored.states],
    }
