"""Counting views over plain graphs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import Layer, Node, Value
from tests.graphs import chain


def test_layers_are_counted_by_type_largest_first() -> None:
    counted = count_graph(chain("InputLayer", "Conv2D", "Dense", "Dense"))
    assert counted.total == 4
    assert list(counted.by_type.items()) == [("Dense", 2), ("Conv2D", 1), ("InputLayer", 1)]
    assert int(counted) == 4


def test_a_sequential_model_leaves_its_input_out() -> None:
    graph = replace(chain("InputLayer", "Dense"), sequential=True)
    assert count_graph(graph).by_type == {"Dense": 1}


def test_a_shared_layer_is_one_layer_and_two_nodes() -> None:
    graph = chain("InputLayer", "Dense")
    again = Node(layer=1, args=(Value(1),), shapes=graph.nodes[1].shapes)
    graph = replace(graph, nodes=(*graph.nodes, again), outputs=Value(2))
    assert count_graph(graph, "layers").by_type == {"Dense": 1, "InputLayer": 1}
    assert count_graph(graph, "nodes").by_type == {"Dense": 2}


def test_an_operation_is_a_node_and_no_layer() -> None:
    graph = chain("InputLayer", Layer("multiply", "Multiply", "operation", operation="multiply"))
    assert count_graph(graph, "layers").by_type == {"InputLayer": 1}
    assert count_graph(graph, "nodes").by_type == {"Multiply": 1}


def test_top_is_what_keras_lists() -> None:
    graph = replace(chain("InputLayer", "Dense"), top=("InputLayer", "Functional"))
    assert count_graph(graph, "top").by_type == {"Functional": 1, "InputLayer": 1}


def test_an_unknown_way_to_count_is_named() -> None:
    with pytest.raises(ValueError, match="count='depth': expected one of 'layers', 'nodes', 'top'"):
        count_graph(chain("InputLayer"), "depth")  # type: ignore[arg-type]
