"""ModelGraph and the helpers over nested structures."""

from __future__ import annotations

from collections import namedtuple

import pytest

from pytest_layercount.model.graph import Cycle, Node, Value, leaves, map_tree, needed, values_in
from tests.graphs import chain

Pair = namedtuple("Pair", "left right")


def test_values_in_dictionaries_come_by_key() -> None:
    tree = {"b": Value(1), "a": [Value(2), (Value(3), 5)]}
    assert list(values_in(tree)) == [Value(2), Value(3), Value(1)]


def test_keyword_arguments_come_in_the_order_of_the_call() -> None:
    node = Node(0, (Value(0),), {"sequences": [Value(1)], "initial_state": Value(2)})
    assert node.inputs == (Value(0), Value(1), Value(2))
    assert node.argument(0, "x") == Value(0)
    assert node.argument(1, "mask", "initial_state") == Value(2)
    assert node.argument(1, "mask") is None


def test_map_tree_keeps_the_structure() -> None:
    tree = {"a": [1, (2, Pair(3, 4))]}
    assert map_tree(tree, str) == {"a": ["1", ("2", Pair("3", "4"))]}


def test_calls_lists_the_nodes_of_each_layer() -> None:
    graph = chain("InputLayer", "Conv2D", "Dense")
    assert graph.calls == {0: (0,), 1: (1,), 2: (2,)}


def test_the_name_is_the_last_part_of_the_path() -> None:
    graph = chain("InputLayer")
    assert graph.layers[0].name == graph.layers[0].path


def test_leaves_are_all_that_is_no_container() -> None:
    assert list(leaves([1, (None, {"b": "two", "a": 3.0}), []])) == [1, None, 3.0, "two"]


READS = {"end": ["b", "a"], "b": ["a"], "a": [], "aside": ["a"]}


def test_what_is_needed_stands_after_what_it_reads() -> None:
    assert needed(["end"], READS.__getitem__) == ["a", "b", "end"]
    assert needed(["aside", "b"], READS.__getitem__) == ["a", "aside", "b"]


def test_a_long_chain_is_no_deep_recursion() -> None:
    assert needed([5_000], lambda n: [n - 1] if n else []) == list(range(5_001))


def test_a_cycle_is_named() -> None:
    reads = {"end": ["a"], "a": ["b"], "b": ["a"]}
    with pytest.raises(Cycle, match="a"):
        needed(["end"], reads.__getitem__)
