"""What TensorFlow 2.15 and 2.21 traced of layers and functions, read without TensorFlow.

``tests/model/record_traces.py`` wrote it down, and what the layers are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_layercount.model.graph import Layer, ModelGraph, values_in
from pytest_layercount.model.readers.tensorflow.build import graph_of_function
from pytest_layercount.model.readers.tensorflow.ops import Function, Op
from tests.model.recorded import traces

VERSIONS = ("2.15", "2.21")
LAYERS = [(version, name) for version in VERSIONS for name in traces(version)["layers"]]
OTHERWISE: Mapping[tuple[str, str], str] = {
    ("2.15", "Activation 6"): "ReLU",
    ("2.15", "RepeatVector 81"): "ExpandDims+Tile",
    ("2.21", "Activation 6"): "ReLU",
    ("2.21", "EinsumDense 49"): "Dense",
    ("2.21", "RepeatVector 81"): "Reshape+ExpandDims+Tile",
}
"""Layers of which nothing but operations is left, or another layer that does the same."""
UNTOLD = {
    "2.15": {"groups", "input_mean", "invert", "mask_zero", "pad_to_aspect_ratio", "trainable"},
    "2.21": {
        "input_mean",
        "invert",
        "mask_zero",
        "pad_to_aspect_ratio",
        "rms_scaling",
        "trainable",
    },
}
"""Settings that operations do not show."""
UNTOLD_HERE = {
    ("2.15", "Conv2DTranspose 114"): {"padding"},
    ("2.15", "Conv2DTranspose 123"): {"padding"},
}
"""Dilated by operations that compute how much they pad."""
USUAL = {"data_format": "channels_last", "groups": 1, "interpolation": "nearest"}
"""What operations tell and one of the Kerases does not, for layers that have no such setting."""


def function_of(record: Any) -> Function:
    """A function from what is recorded of it, where tuples are lists."""
    told = in_tuples(record)
    ops = tuple(Op(**op) for op in told["ops"])
    trainable = frozenset(told["trainable"])
    return Function(told["name"], told["version"], ops, told["inputs"], told["outputs"], trainable)


def in_tuples(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: in_tuples(item) for key, item in tree.items()}
    return tuple(map(in_tuples, tree)) if isinstance(tree, list) else tree


def layers_of(graph: ModelGraph) -> list[Layer]:
    return [layer for layer in graph.layers if layer.kind != "input"]


def alike(name: str, value: Any, rank: int) -> Any:
    """A setting in the one way of several in which both Kerases write it."""
    if name == "axis" and rank:
        axes = value if isinstance(value, tuple) else (value,)
        return tuple(axis + rank if axis < 0 else axis for axis in axes)
    if name == "epsilon":
        return pytest.approx(value, rel=1e-6)
    if name == "size" and isinstance(value, int):
        return (value,)
    return "silu" if value == "swish" else value


@pytest.mark.parametrize(("version", "name"), LAYERS)
def test_a_traced_layer_is_the_layer(version: str, name: str) -> None:
    said = traces(version)["layers"][name]
    graph = graph_of_function(function_of(said["function"]))
    (layer,) = layers_of(graph)
    assert layer.type == OTHERWISE.get((version, name), said["type"])
    assert layer.kind == "layer"
    if layer.type == "Normalization":  # constants of Keras's, weights to TensorFlow
        assert layer.parameters == 4 + 4
    else:
        assert layer.parameters == said["parameters"]
        assert layer.trainable_parameters == said["trainable"]
    if (version, name) in OTHERWISE:
        return
    rank = len(graph.nodes[0].shapes[0] or ())
    wanted = in_tuples(said["config"])
    for setting in {*layer.config, *wanted}:
        ours, keras = layer.config.get(setting), wanted.get(setting)
        if ours is None:
            untold = UNTOLD[version] | UNTOLD_HERE.get((version, name), set())
            assert keras is None or setting in untold, setting
        elif keras is None:
            assert setting in USUAL or (version, setting) == ("2.15", "use_bias"), setting
            assert ours == USUAL.get(setting, False), setting
        elif (setting, name) == ("target_shape", "Reshape 78"):
            assert (ours, keras) == ((3, 8), (-1, 8))  # which TensorFlow has computed
        else:
            assert alike(setting, ours, rank) == alike(setting, keras, rank), setting


@pytest.mark.parametrize(("version", "name"), LAYERS)
def test_a_traced_layer_takes_and_returns_what_the_function_does(version: str, name: str) -> None:
    function = function_of(traces(version)["layers"][name]["function"])
    graph = graph_of_function(function)
    node = graph.nodes[-1]
    last, number = next(iter(function.outputs.values()))
    assert node.shapes[0] == function.ops[last].shapes[number]
    assert node.dtypes[0] == function.ops[last].dtypes[number]
    assert [value.node for value in values_in(graph.inputs)] == list(range(len(function.inputs)))
    assert {value.node for value in node.inputs} == set(range(len(function.inputs)))


FUNCTIONS: Mapping[str, list[tuple[str, dict[str, Any]]]] = {
    "silu by hand": [("Activation", {"activation": "silu"})],
    "a gate that is not silu": [("Activation", {"activation": "sigmoid"}), ("Multiply", {})],
    "hard sigmoid of Keras 2": [("Activation", {"activation": "hard_sigmoid"})],
    "flatten": [("Flatten", {"data_format": "channels_last"})],
    "a reshape of the batch": [("reshape", {})],
    "a permutation of the batch": [("transpose", {})],
    "a permutation": [("Permute", {"dims": (2, 1)})],
    "zeros on one side": [("ZeroPadding1D", {"padding": (1, 0), "data_format": "channels_last"})],
    "ones around": [("pad_v2", {})],
    "channels padded": [("pad", {})],
    "the batch padded": [("pad", {})],
    "twice as large": [
        (
            "UpSampling2D",
            {"size": (2, 2), "data_format": "channels_last", "interpolation": "nearest"},
        )
    ],
    "as large": [("Resizing", {"interpolation": "bilinear", "data_format": "channels_last"})],
    "not whole times as large": [
        ("Resizing", {"interpolation": "bicubic", "data_format": "channels_last"})
    ],
    "a table": [("Embedding", {"output_dim": 5})],
    "a choice of data": [("gather_v2", {})],
    "a mean over space": [
        ("GlobalAveragePooling2D", {"data_format": "channels_last", "keepdims": False})
    ],
    "a mean over channels": [("mean", {})],
    "the largest, channels first": [
        ("GlobalMaxPooling2D", {"data_format": "channels_first", "keepdims": True})
    ],
    "the largest of all": [("max", {})],
    "a scale per channel": [("Mul", {})],
    "concat": [("Concatenate", {"axis": 1})],
    "leaky": [("LeakyReLU", {})],
    "crop": [("strided_slice", {})],
    "crop from behind": [("strided_slice", {})],
    "channels cut": [("strided_slice", {})],
    "every second": [("strided_slice", {})],
}
"""The layer that each function is, or the name of its operation."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_by_hand(name: str, version: str) -> None:
    graph = graph_of_function(function_of(traces(version)["functions"][name]))
    assert [
        (
            layer.operation or layer.type,
            {key: value for key, value in layer.config.items() if value is not None},
        )
        for layer in layers_of(graph)
    ] == FUNCTIONS[name]
    assert sum(layer.parameters for layer in graph.layers) == {
        "a table": 9 * 5,
        "a scale per channel": 4,
    }.get(name, 0)


def test_every_function_is_looked_at() -> None:
    for version in VERSIONS:
        assert traces(version)["functions"].keys() == FUNCTIONS.keys()
