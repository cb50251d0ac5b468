"""Graphs written down as text, for tests that need no Keras.

One call a line: ``name: Type(arguments) -> sizes``, the batch left out. A name that
stands before an ``=`` names the value where the layer is called again:
``second=name(arguments)``. The last line says what the model returns.
"""

from __future__ import annotations

import re
from typing import Any

from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value

_CONV = {
    "padding": "valid",
    "data_format": "channels_last",
    "kernel_size": (3, 3),
    "strides": (1, 1),
    "dilation_rate": (1, 1),
    "groups": 1,
    "use_bias": False,
    "activation": "linear",
}
_NORM = {"axis": -1, "epsilon": 1e-3, "center": True, "scale": True, "trainable": True}
CONFIGS: dict[str, dict[str, Any]] = {
    "Conv2D": _CONV,
    **dict.fromkeys(("Conv1D", "Conv3D", "Conv2DTranspose"), _CONV),
    "DepthwiseConv2D": {**_CONV, "depth_multiplier": 1},
    "SeparableConv2D": {**_CONV, "depth_multiplier": 2},
    "BatchNormalization": _NORM,
    "Dense": {"use_bias": True, "activation": "linear"},
    "Concatenate": {"axis": -1},
    "Activation": {"activation": "tanh"},
    "ReLU": {"max_value": None, "threshold": 0.0},
    "Dropout": {},
    "Flatten": {"data_format": "channels_last"},
}

_CALL = re.compile(r"(?:(\w+)=)?(\w+)(?:: (\w+))?\(([\w, ]*)\) -> ([\d ]+)(.*)")


def graph(text: str) -> ModelGraph:
    """The graph that ``text`` describes."""
    layers: list[Layer] = []
    nodes: list[Node] = []
    numbers: dict[str, int] = {}
    values: dict[str, Value] = {}
    *lines, last = [line.strip() for line in text.strip().splitlines()]
    for line in lines:
        match = _CALL.fullmatch(line)
        assert match is not None, line
        value, name, kind, arguments, sizes, settings = match.groups()
        if kind is not None:
            numbers[name] = len(layers)
            layers.append(_layer(name, kind, settings))
        given = tuple(values[each] for each in arguments.split(", ") if each)
        values[value or name] = Value(len(nodes))
        shape = (None, *map(int, sizes.split()))
        args = given if len(given) < 2 else (list(given),)
        nodes.append(Node(numbers[name], args, shapes=(shape,), dtypes=("float32",)))
    inputs = tuple(values[layer.path] for layer in layers if layer.kind == "input")
    outputs = tuple(values[name] for name in last.removeprefix("return ").split(", "))
    return ModelGraph("drawn", "Keras", tuple(layers), tuple(nodes), inputs, outputs)


def drawn(graph: ModelGraph) -> str:
    """The same the other way round, each layer with those settings that are not the usual ones."""
    names: dict[Value, str] = {}
    lines: list[str] = []
    for number, node in enumerate(graph.nodes):
        layer = graph.layers[node.layer]
        again = any(earlier.layer == node.layer for earlier in graph.nodes[:number])
        names[Value(number)] = f"{layer.path}{number}" if again else layer.path
        called = f"{names[Value(number)]}={layer.path}" if again else f"{layer.path}: {layer.type}"
        shape = " ".join(map(str, (node.shapes[0] or ())[1:]))
        arguments = ", ".join(names[value] for value in node.inputs)
        lines.append(f"{called}({arguments}) -> {shape}{_unusual(layer)}")
    returned = ", ".join(names[value] for value in graph.outputs)
    return "\n".join([*lines, f"return {returned}"])


def _layer(name: str, kind: str, settings: str) -> Layer:
    if kind == "Input":
        return Layer(name, "InputLayer", kind="input")
    config = dict(CONFIGS.get(kind, {}))
    for setting in settings.split():
        key, _, value = setting.partition("=")
        config[key] = {"True": True, "False": False}.get(value, value)
        if value.lstrip("-").isdigit():
            config[key] = int(value)
    return Layer(name, kind, config=config)


def _unusual(layer: Layer) -> str:
    usual = CONFIGS.get(layer.type, {})
    return "".join(
        f" {key}={value}" for key, value in layer.config.items() if usual.get(key) != value
    )
