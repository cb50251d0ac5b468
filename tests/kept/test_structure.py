"""A structure as JSON and back, the same whatever Keras and whatever was built before."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pytest_layercount import explain
from pytest_layercount.kept.structure import Opaque, canonical, from_data, to_data
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from tests.compare.sketch import Sketch
from tests.kept.models import NETS

INNER = Layer("inner", "Dense", config={"units": 3})


def through_json(graph: ModelGraph) -> ModelGraph:
    return from_data(json.loads(json.dumps(to_data(graph))))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("keras", [2, 3])
def test_round_trip(name, keras):
    graph, sources = canonical(NETS[name](keras))
    assert through_json(graph) == graph
    assert sorted(sources) == list(range(len(graph.layers)))
    assert explain(NETS[name](keras), graph).same


def test_canonical_is_the_same_the_second_time():
    once, _ = canonical(NETS["residual"]())
    twice, sources = canonical(once)
    assert twice == once
    assert sources == list(range(len(once.layers)))


def test_the_order_of_construction_has_no_part_in_it():
    def branches(first: int, backwards: bool) -> ModelGraph:
        net = Sketch()
        image = net.input()
        kinds = ["Conv2D", "DepthwiseConv2D"]
        made = {}
        for kind in reversed(kinds) if backwards else kinds:
            number = first + len(made)
            made[kind] = net.add(kind, image, name=f"{kind.lower()}_{number}")
        graph = net.model(net.add("Subtract", *(made[kind] for kind in kinds)))
        return replace(graph, name=f"functional_{first}")

    data = [to_data(canonical(branches(n, b))[0]) for n, b in ((0, False), (7, False), (3, True))]
    assert data[0] == data[1]
    assert {**data[0], "names": []} == {**data[2], "names": []}


def test_operations_of_both_generations_have_one_name():
    data = []
    for keras in (2, 3):
        net = Sketch(keras)
        data.append(to_data(canonical(net.model(net.operation("add", net.input(), 3.0)))[0]))
    assert [one["layers"][1]["operation"] for one in data] == ["add", "add"]
    assert [one["names"] for one in data] == [["input", "add"]] * 2
    assert data[0]["nodes"] == data[1]["nodes"]


def test_what_is_usual_of_a_layer_is_not_written():
    usual = Layer("dense", "Dense")
    graph = ModelGraph("net", "Keras 3.15.0", (usual,), (Node(0),), Value(0), Value(0))
    assert to_data(graph)["layers"] == [{"type": "Dense"}]
    for change in (
        {"kind": "input"},
        {"builtin": False},
        {"config": {"units": 3}},
        {"operation": "relu"},
        {"parameters": 7},
        {"settings": {"seed": 1}},
    ):
        other = replace(graph, layers=(replace(usual, **change),))
        assert to_data(other)["layers"] == [{"type": "Dense", **change}]
        assert through_json(other).layers == other.layers


@pytest.mark.parametrize(
    ("given", "back"),
    [
        (slice(None, 3, None), slice(None, 3, None)),
        (float("inf"), float("inf")),
        ((1, (2.5, "same")), [1, [2.5, "same"]]),
        ({"axis": -1}, {"axis": -1}),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (object(), Opaque("object")),
        (np.zeros(5000), Opaque("float64 [5000]")),
        (
            Layer("inner", "Dense", config={"units": 3}),
            Layer("inner", "Dense", config={"units": 3}),
        ),
    ],
)
def test_arguments(given, back):
    nodes = (Node(0), Node(1, (Value(0), given), {"given": given}))
    layers = (Layer("in", "InputLayer", "input"), Layer("op", "Op", "operation", operation="op"))
    graph = ModelGraph("net", "Keras 3.15.0", layers, nodes, Value(0), Value(1))
    node = through_json(graph).nodes[1]
    assert node.args == (Value(0), back)
    assert node.kwargs == {"given": back}


def test_arrays_among_the_arguments():
    nodes = (Node(0), Node(0, (Value(0), np.array([[1.0, 2.0]]))))
    graph = ModelGraph("", "", (Layer("a", "A"),), nodes, Value(0), Value(1))
    np.testing.assert_array_equal(through_json(graph).nodes[1].args[1], [[1.0, 2.0]])


@pytest.mark.parametrize("spoil", ["layer", "value"])
def test_what_does_not_fit_together_is_refused(spoil):
    data = to_data(canonical(NETS["plain"]())[0])
    data["nodes"][2] = (
        {"layer": 99} if spoil == "layer" else {"layer": 2, "args": [{"value": [99, 0]}]}
    )
    with pytest.raises(ValueError, match="that is not there"):
        from_data(data)
