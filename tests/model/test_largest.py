"""What is large in a model, and its layers in a list."""

from __future__ import annotations

from dataclasses import replace

from pytest_layercount.model.count import largest, longest_way, rows
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from tests.graphs import SHAPE, chain


def branches() -> ModelGraph:
    """``a`` calls ``b`` and ``c``, ``c`` calls ``d``, and ``add`` takes ``b`` and ``d``."""
    reads = {"in": (), "a": (0,), "b": (1,), "c": (1,), "d": (3,), "add": (2, 4)}
    kinds = {"in": ("InputLayer", "input"), "add": ("Add", "layer")}
    layers = tuple(Layer(name, *kinds.get(name, ("Dense", "layer"))) for name in reads)
    nodes = tuple(
        Node(number, args=tuple(map(Value, read)), shapes=(SHAPE,))
        for number, read in enumerate(reads.values())
    )
    top = tuple(layer.type for layer in layers)
    return ModelGraph("net", "Keras 3", layers, nodes, Value(0), Value(5), top)


def test_the_longest_way_goes_through_the_longer_branch():
    assert [layer.path for layer in longest_way(branches())] == ["a", "c", "d", "add"]


def test_the_longest_way_of_a_model_without_calls_is_empty():
    assert longest_way(chain("InputLayer")) == []


def test_the_largest_come_first_and_those_without_are_left_out():
    graph = chain("InputLayer", "Conv2D", "Activation", "Dense")
    layers = list(graph.layers)
    layers[3] = replace(layers[3], parameters=30, trainable_parameters=4)
    graph = replace(graph, layers=tuple(layers))
    assert [(layer.path, n) for layer, n in largest(graph, "parameters")] == [
        ("dense3", 30),
        ("conv2d1", 10),
    ]
    assert [layer.path for layer, _ in largest(graph, "trainable_parameters")] == ["dense3"]
    assert [(layer.type, n) for layer, n in largest(graph, "macs")] == [
        ("Conv2D", 8 * 8 * 4 * 3 * 3 * 4),
        ("Dense", 8 * 8 * 4 * 4),
    ]


def test_a_row_says_what_is_not_known():
    graph = chain("InputLayer", Layer("own", "Mine", "layer", weighed=False, builtin=False))
    _, row = rows(graph)
    assert (row.path, row.type, row.shapes) == ("own", "Mine", (SHAPE,))
    assert (row.parameters, row.macs) == (None, None)
