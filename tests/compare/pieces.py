"""Pieces of a model, each in two forms, and the cause that their difference is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pytest_layercount.model.graph import Value
from tests.compare.sketch import POOLED, Sketch

Draw = Callable[[Sketch, Value], Value]


class Piece(NamedTuple):
    """``delta`` is what the count of layers changes by from ``long`` to ``short``."""

    long: Draw
    short: Draw
    code: str
    delta: int


def _normalised(net: Sketch, x: Value) -> Value:
    return net.add("BatchNormalization", net.add("Conv2D", x, use_bias=False))


def _convolved(net: Sketch, x: Value) -> Value:
    return net.add("Conv2D", x)


def _depthwise_normalised(net: Sketch, x: Value) -> Value:
    return net.add("BatchNormalization", net.add("DepthwiseConv2D", x, use_bias=False))


def _depthwise(net: Sketch, x: Value) -> Value:
    return net.add("DepthwiseConv2D", x)


def _dropped(net: Sketch, x: Value) -> Value:
    return net.add("Dropout", net.add("Conv2D", x))


def _activated(net: Sketch, x: Value) -> Value:
    return net.add("Activation", net.add("Conv2D", x), activation="tanh")


def _fused(net: Sketch, x: Value) -> Value:
    return net.add("Conv2D", x, activation="tanh")


def _relu(net: Sketch, x: Value) -> Value:
    return net.add("ReLU", net.add("Conv2D", x))


def _relu_by_name(net: Sketch, x: Value) -> Value:
    return net.add("Activation", net.add("Conv2D", x))


def _two_convolutions(net: Sketch, x: Value) -> Value:
    return net.add("Conv2D", net.add("DepthwiseConv2D", x, use_bias=False), kernel_size=(1, 1))


def _separable(net: Sketch, x: Value) -> Value:
    return net.add("SeparableConv2D", x)


def _padded(net: Sketch, x: Value) -> Value:
    padded = net.add("ZeroPadding2D", x, shape=(None, 10, 10, 4))
    return net.add("Conv2D", padded, padding="valid")


def _gate(net: Sketch, x: Value) -> Value:
    bounded = net.add("ReLU", net.operation("add", x, 3.0), max_value=6.0)
    return net.operation("multiply", bounded, 1 / 6)


def _swish_written_out(net: Sketch, x: Value) -> Value:
    y = net.add("Conv2D", x)
    return net.add("Multiply", y, _gate(net, y))


def _swish(net: Sketch, x: Value) -> Value:
    return net.add("Activation", net.add("Conv2D", x), activation="hard_silu")


def _pooled(net: Sketch, x: Value) -> Value:
    y = net.add("GlobalAveragePooling2D", x, shape=POOLED)
    y = net.add("Reshape", y, shape=(None, 1, 1, 4), target_shape=(1, 1, 4))
    return net.add("Multiply", x, y)


def _pooled_keeping(net: Sketch, x: Value) -> Value:
    y = net.add("GlobalAveragePooling2D", x, shape=(None, 1, 1, 4), keepdims=True)
    return net.add("Multiply", x, y)


PIECES = {
    "batch norm": Piece(_normalised, _convolved, "batch-norms-folded", -1),
    "depthwise batch norm": Piece(_depthwise_normalised, _depthwise, "batch-norms-folded", -1),
    "dropout": Piece(_dropped, _convolved, "no-ops", -1),
    "fused activation": Piece(_activated, _fused, "activations-fused", -1),
    "activation layer": Piece(_relu, _relu_by_name, "activation-layers", 0),
    "separable": Piece(_two_convolutions, _separable, "separable", -1),
    "padding": Piece(_padded, _convolved, "padding", -1),
    "hard swish": Piece(_swish_written_out, _swish, "hard-swish", -1),
    "pooling": Piece(_pooled, _pooled_keeping, "pooling", -1),
}
