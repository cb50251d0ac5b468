"""A structure as JSON and back, the same whatever Keras and whatever was built before."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pytest_layercount import explain
from pytest_layercount.kept.lines import lines
from pytest_layercount.kept.record import ModelRecord
from pytest_layercount.kept.record_file import model_data, model_from
from pytest_layercount.kept.structure import canonical
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from pytest_layercount.model.names import model_name, stable_paths
from tests.compare.sketch import Sketch
from tests.kept.models import NETS

INNER = Layer("inner", "Dense", config={"units": 3})
NASTY = [
    "a b",
    "x | y",
    "x -> y",
    "lora",
    "it's",
    "\u00e9/\ud800",
    "training=True",
    "3 bytes",
    "as X",
]


def through_file(graph: ModelGraph) -> ModelGraph:
    """A graph as a record of it gives it back."""
    made, _ = canonical(graph)
    data = json.loads(json.dumps(model_data(ModelRecord(made))))
    read = model_from(data, "net").graph
    assert read == made
    return read


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("keras", [2, 3])
def test_round_trip(name, keras):
    graph = NETS[name](keras)
    read = through_file(graph)
    assert sorted(canonical(graph)[1]) == list(range(len(graph.layers)))
    assert (read.name, read.keras, read.sequential) == (
        model_name(graph),
        graph.keras,
        graph.sequential,
    )
    assert sorted(read.top) == sorted(graph.top)
    assert explain(through_file(NETS[name](2)), read).same


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

    once, again, backwards = (
        canonical(branches(n, b))[0] for n, b in ((0, False), (7, False), (3, True))
    )
    assert once == again
    assert lines(once) == lines(backwards)


def test_operations_of_both_generations_have_one_name():
    found = []
    for keras in (2, 3):
        net = Sketch(keras)
        found.append(through_file(net.model(net.operation("add", net.input(), 3.0))))
    assert [graph.layers[1].operation for graph in found] == ["add", "add"]
    assert [graph.layers[1].type for graph in found] == ["TFOpLambda", "Add"]
    assert [[layer.path for layer in graph.layers] for graph in found] == [["input", "add"]] * 2
    assert found[0].nodes == found[1].nodes


def test_the_class_of_an_operation_of_a_users_own():
    net = Sketch()
    graph = net.model(net.operation("twist", net.input()))
    own = replace(graph.layers[1], type="Twist", builtin=False)
    read = through_file(replace(graph, layers=(graph.layers[0], own))).layers[1]
    assert (read.type, read.operation, read.builtin) == ("Twist", "twist", False)


def test_settings_that_are_not_known_stay_so():
    graph = NETS["plain"]()
    assert {layer.settings for layer in through_file(graph).layers} == {None}
    known = tuple(replace(layer, settings={}) for layer in graph.layers)
    read = through_file(replace(graph, layers=known))
    assert all(layer.settings is not None for layer in read.layers)


@pytest.mark.parametrize("name", NASTY)
def test_names_are_kept_whatever_they_are(name):
    net = Sketch()
    x = net.add("Dense", net.add("Dense", net.input(), name=name), name="block/last")
    paths = [layer.path for layer in through_file(net.model(x)).layers]
    assert paths == ["input", stable_paths(net.model(x))[name], "block/last"]


@pytest.mark.parametrize(
    ("given", "back"),
    [
        (slice(None, 3, None), slice(None, 3, None)),
        (float("inf"), float("inf")),
        (1 / 3, 1 / 3),
        ((1, [2.5, "same"]), (1, [2.5, "same"])),
        ({"axis": -1}, {"axis": -1}),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (object(), "other object"),
        (np.full(4096, 1 / 3), [1 / 3] * 4096),
        (np.array([[1.0, 2.0]]), [[1.0, 2.0]]),
        (Ellipsis, Ellipsis),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arguments(given, back):
    nodes = (Node(0), Node(1, (Value(0), given), {"given": given}))
    layers = (Layer("in", "InputLayer", "input"), Layer("op", "Op", "operation", operation="op"))
    graph = ModelGraph("net", "Keras 3.15.0", layers, nodes, Value(0), Value(1))
    node = through_file(graph).nodes[1]
    assert node.args == (Value(0), back)
    assert node.kwargs == {"given": back}


def test_larger_arrays_are_told_apart_by_their_numbers():
    def argument(last):
        values = np.zeros(4097)
        values[-1] = last
        nodes = (Node(0), Node(0, (Value(0), values)))
        return (
            through_file(ModelGraph("", "", (Layer("a", "A"),), nodes, Value(0), Value(1)))
            .nodes[1]
            .args[1]
        )

    assert argument(0).startswith("4097 values ")
    assert argument(0) != argument(1)


@pytest.mark.parametrize("name", ["3D", "lambda", "a b", "None"])
def test_classes_and_functions_may_be_called_anything(name):
    net = Sketch()
    x = net.add(name, net.input(), builtin=False, name="one")
    read = through_file(net.model(net.operation(name, x)))
    assert [layer.path for layer in read.layers[1:2]] == ["one"]
    assert [layer.kind for layer in read.layers] == ["input", "layer", "operation"]
