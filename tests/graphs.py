"""Small models as plain data, for tests that need no Keras."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value

SHAPE = (None, 8, 8, 4)

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "Activation": {"activation": "relu"},
    "BatchNormalization": {"axis": -1, "center": True, "epsilon": 1e-3, "scale": True},
    "Conv2D": {
        "activation": "linear",
        "data_format": "channels_last",
        "dilation_rate": (1, 1),
        "groups": 1,
        "kernel_size": (3, 3),
        "padding": "same",
        "strides": (1, 1),
        "use_bias": True,
    },
    "Dense": {"activation": "linear", "use_bias": True},
}
"""What the folding rules ask about, where it differs from "nothing"."""

WITHOUT_PARAMETERS = {"Activation", "Dropout", "Flatten", "InputLayer"}


def chain(*layers: str | Layer, name: str = "net", keras: str = "Keras 3.15.0") -> ModelGraph:
    """A model that calls ``layers`` one after the other.

    A type stands for a layer of this type, named after it and its place:
    ``chain("InputLayer", "Conv2D")`` has the layers ``input_layer0`` and ``conv2d1``.
    All have the shape :data:`SHAPE` and, but for those without any, ten parameters.
    """
    made = tuple(as_layer(layer, number) for number, layer in enumerate(layers))
    nodes = tuple(
        Node(layer=number, args=(Value(number - 1),) if number else (), shapes=(SHAPE,))
        for number in range(len(made))
    )
    return ModelGraph(
        name=name,
        keras=keras,
        layers=made,
        nodes=nodes,
        inputs=Value(0),
        outputs=Value(len(made) - 1),
        top=tuple(layer.type for layer in made),
    )


def as_layer(layer: str | Layer, number: int) -> Layer:
    """``layer`` itself, or a layer of the type it names."""
    if isinstance(layer, Layer):
        return layer
    return Layer(
        path=f"{_snake(layer)}{number}",
        type=layer,
        kind="input" if layer == "InputLayer" else "layer",
        config=CONFIGS.get(layer, {}),
        parameters=0 if layer in WITHOUT_PARAMETERS else 10,
    )


def of_size(layers: int, name: str = "net") -> ModelGraph:
    """A model of so many layers, each with ten parameters but the first."""
    return chain("InputLayer", *["Dense"] * (layers - 1), name=name)


def _snake(type_: str) -> str:
    return "".join(_letters(type_)).removeprefix("_")


def _letters(text: str) -> Iterable[str]:
    for index, letter in enumerate(text):
        starts = letter.isupper() and not text[index - 1 : index].isdigit()
        yield f"_{letter.lower()}" if starts else letter.lower()
