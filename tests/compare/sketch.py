"""Models as plain data, drawn step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_layercount.model.graph import Layer, ModelGraph, Node, Shape, Value

SHAPE: Shape = (None, 8, 8, 4)
POOLED: Shape = (None, 4)

_CONV = {
    "activation": "linear",
    "data_format": "channels_last",
    "dilation_rate": (1, 1),
    "groups": 1,
    "kernel_size": (3, 3),
    "padding": "same",
    "strides": (1, 1),
    "use_bias": True,
}
_CONFIGS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "BatchNormalization": {"axis": -1, "center": True, "epsilon": 1e-3, "scale": True},
    "Conv2D": {**_CONV, "filters": 4},
    "DepthwiseConv2D": {**_CONV, "depth_multiplier": 1},
    "SeparableConv2D": {**_CONV, "depth_multiplier": 1, "filters": 4},
    "Dense": {"activation": "linear", "units": 4, "use_bias": True},
    "GlobalAveragePooling2D": {"data_format": "channels_last", "keepdims": False},
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "Rescaling": {"data_format": "channels_last", "offset": 0.0, "scale": 1 / 255},
    "ZeroPadding2D": {"data_format": "channels_last", "padding": ((1, 1), (1, 1))},
}


class Sketch:
    """A model in the making. ``keras=2`` gives operations as the layers that Keras 2 makes."""

    def __init__(self, keras: int = 3, prefix: str = "") -> None:
        self.keras = keras
        self.prefix = prefix
        self.layers: list[Layer] = []
        self.nodes: list[Node] = []
        self.inputs: list[Value] = []

    def input(self, shape: Shape = SHAPE) -> Value:
        value = self._call(Layer(self._path("input"), "InputLayer", "input"), (), shape)
        self.inputs.append(value)
        return value

    def add(
        self,
        type_: str,
        *sources: Value,
        shape: Shape = SHAPE,
        builtin: bool = True,
        name: str | None = None,
        **config: Any,
    ) -> Value:
        """A layer, called once."""
        known = {**_CONFIGS.get(type_, {}), **config}
        path = name if name is not None else self._path(type_.lower())
        return self._call(Layer(path, type_, builtin=builtin, config=known), sources, shape)

    def operation(self, name: str, *args: Any, shape: Shape = SHAPE) -> Value:
        """A low-level operation, which Keras 2 makes a layer."""
        kind = "layer" if self.keras == 2 else "operation"
        type_ = "TFOpLambda" if self.keras == 2 else name.title()
        return self._call(Layer(self._path(name), type_, kind, operation=name), args, shape)

    def again(self, value: Value, *sources: Value) -> Value:
        """Another call of the layer that made ``value``."""
        node = self.nodes[value.node]
        self.nodes.append(Node(node.layer, sources, shapes=node.shapes))
        return Value(len(self.nodes) - 1)

    def model(
        self, *outputs: Value, name: str = "net", top: Sequence[str] | None = None, **how: Any
    ) -> ModelGraph:
        listed = [layer.type for layer in self.layers if layer.kind != "operation"]
        return ModelGraph(
            name=name,
            keras="Keras 3.15.0" if self.keras == 3 else "Keras 2.15.0",
            layers=tuple(self.layers),
            nodes=tuple(self.nodes),
            inputs=list(self.inputs) if len(self.inputs) > 1 else self.inputs[0],
            outputs=list(outputs) if len(outputs) > 1 else outputs[0],
            top=tuple(listed if top is None else top),
            **how,
        )

    def _path(self, kind: str) -> str:
        return f"{self.prefix}{kind}_{len(self.layers)}"

    def _call(self, layer: Layer, args: tuple[Any, ...], shape: Shape) -> Value:
        self.layers.append(layer)
        self.nodes.append(Node(len(self.layers) - 1, args, shapes=(shape,)))
        return Value(len(self.nodes) - 1)
