"""What a graph must keep: each rule, broken once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from pytest_layercount.model.verify import verify

SHAPE = (None, 4)
ENTRY, DENSE = Layer("x", "InputLayer", "input"), Layer("f", "Dense", parameters=20)
READ = Node(1, (Value(0),), shapes=(SHAPE,), dtypes=("float32",))
GIVEN = Node(0, shapes=(SHAPE,))


def broken(**changes: Any) -> ModelGraph:
    """A graph of an input and a Dense layer, changed without being verified."""
    graph = object.__new__(ModelGraph)
    sound: dict[str, Any] = {
        "name": "net",
        "keras": "Keras",
        "layers": (ENTRY, DENSE),
        "nodes": (GIVEN, READ),
        "inputs": Value(0),
        "outputs": Value(1),
    }
    for name, value in (sound | changes).items():
        object.__setattr__(graph, name, value)
    return graph


def test_a_sound_graph() -> None:
    verify(broken())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": (replace(ENTRY, path="f"), DENSE)}, "two layers have the path 'f'"),
        ({"layers": (ENTRY, DENSE, Layer("g", "ReLU"))}, "nothing calls 'g'"),
        ({"layers": (ENTRY, replace(DENSE, kind="model"))}, "of no known kind: 'model'"),
        ({"layers": (ENTRY, replace(DENSE, kind="operation"))}, "operation 'f' has no name"),
        ({"layers": (ENTRY, replace(DENSE, trainable_parameters=21))}, "'f' trains 21 of 20"),
        ({"layers": (ENTRY,)}, "node 1 calls layer 1 of 1"),
        ({"nodes": (GIVEN, replace(READ, args=(Value(1),)))}, "node 1, which comes no earlier"),
        ({"nodes": (GIVEN, replace(READ, args=(Value(0, 1),)))}, "output 1 of node 0, which"),
        ({"layers": (ENTRY, replace(DENSE, kind="input"))}, "is an input of the model, and reads"),
        ({"nodes": (GIVEN, replace(READ, dtypes=("a", "b")))}, "has 1 outputs and 2 types"),
        ({"nodes": (GIVEN, replace(READ, masked=(True, True)))}, "has 1 outputs and 2 masks"),
        ({"outputs": Value(2)}, "the model returns output 0 of node 2: there is none"),
        ({"outputs": Value(-1)}, "the model returns output 0 of node -1: there is none"),
        ({"inputs": Value(0, 3)}, "the model takes output 3 of node 0: there is none"),
        ({"inputs": Value(1)}, "the model takes node 1, which reads something"),
        ({"outputs": ()}, "the model returns nothing"),
        ({"inputs": ()}, "node 0 is an input that the model does not take"),
    ],
)
def test_a_broken_graph(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="the graph of 'net' is broken") as raised:
        verify(broken(**changes))
    assert message in str(raised.value)
