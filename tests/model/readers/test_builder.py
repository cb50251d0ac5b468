"""The graph builder, fed with calls of no Keras at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_layercount.model.graph import Node, Value
from pytest_layercount.model.keras.adapter import Call
from pytest_layercount.model.readers.builder import GraphBuilder, Inner, Scope


@dataclass(eq=False)
class Plain:
    """A layer, and the graph that is in it, if any; ``followed`` as a ``call()`` of a user's."""

    name: str
    operation: str | None = None
    graph: Graph | None = None
    followed: bool = False
    masks: bool = False


@dataclass(eq=False)
class Tensor:
    layer: Plain
    masked: bool = False


@dataclass
class Graph:
    inputs: Any
    calls: list[Call] = field(default_factory=list)
    outputs: Any = None

    def __post_init__(self) -> None:
        flat = self.inputs if isinstance(self.inputs, list) else [self.inputs]
        self.calls = [Call(tensor.layer, (), {}, [tensor], None) for tensor in flat]

    def call(self, layer: Plain, *args: Any, training: bool | None = None, **kwargs: Any) -> Tensor:
        self.outputs = Tensor(layer)
        self.calls.append(Call(layer, args, kwargs, [self.outputs], training))
        return self.outputs


class Source:
    """Graphs of the classes above; a model's flag goes over that of a call in it."""

    def calls(self, graph: Graph) -> list[Call]:
        return graph.calls

    def ends(self, graph: Graph) -> tuple[Any, Any, list[Any]]:
        flat = graph.inputs if isinstance(graph.inputs, list) else [graph.inputs]
        return graph.inputs, graph.outputs, flat

    def inside(self, call: Call, path: str, training: Any, reads_mask: Any) -> Inner | None:
        given = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
        inner = call.layer.graph
        return inner and Inner(inner, given, call.layer.followed)

    def operation(self, layer: Plain) -> str | None:
        return layer.operation

    def shape(self, tensor: Tensor) -> tuple[None, int]:
        return (None, 3)

    def dtype(self, layer: Plain, tensor: Tensor) -> str:
        return "float32"

    def is_masked(self, leaf: Any) -> bool:
        return isinstance(leaf, Tensor) and leaf.masked

    def hands_mask_on(self, layer: Plain) -> bool:
        return layer.masks

    def entry_name(self, tensor: Tensor) -> str:
        return tensor.layer.name

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        return own if outer is None else outer


def entry(name: str = "input", *, masked: bool = False) -> Tensor:
    return Tensor(Plain(name), masked)


def built(graph: Graph, **options: Any) -> GraphBuilder:
    builder = GraphBuilder(Source())
    builder.ends = builder.add_graph(graph, **options)  # type: ignore[attr-defined]
    return builder


def test_tensors_become_values_wherever_they_stand() -> None:
    graph = Graph(entry())
    graph.call(Plain("add"), [graph.inputs, 2.0], other={"x": graph.inputs})
    (_, node), ends = built(graph).nodes, built(graph).ends

    assert node == Node(
        layer=1,
        args=([Value(0), 2.0],),
        kwargs={"other": {"x": Value(0)}},
        shapes=((None, 3),),
        dtypes=("float32",),
        masked=(False,),
    )
    assert ends == (Value(0), Value(1))


def test_a_layer_that_is_called_twice_is_one() -> None:
    graph, dense = Graph(entry()), Plain("dense")
    graph.call(dense, graph.call(dense, graph.inputs))

    assert [node.layer for node in built(graph).nodes] == [0, 1, 1]


def nested(*, followed: bool = False) -> Graph:
    """A model that calls another one with ``training=True``, which hands its own flag on."""
    inner = Graph(entry("inner_input"))
    inner.call(Plain("Add_9", "add"), inner.call(Plain("bn"), inner.inputs))
    graph = Graph(entry())
    model = Plain("block", graph=inner, followed=followed)
    graph.call(Plain("end"), graph.call(model, graph.inputs, training=True))
    return graph


def test_what_is_inside_stands_in_the_place_of_the_call() -> None:
    builder = built(nested())

    assert builder.paths == ["input", "block/bn", "block/Add_9", "end"]
    assert [node.inputs for node in builder.nodes] == [(), (Value(0),), (Value(1),), (Value(2),)]
    assert [node.training for node in builder.nodes] == [None, True, True, None]
    assert builder.trained == set()  # as long as no one hands the model another flag


def test_what_a_call_of_the_users_does_is_named_by_what_it_does() -> None:
    assert built(nested(followed=True)).paths == ["input", "block/bn", "block/add", "end"]


def test_what_such_a_call_trains_is_trained_whatever_the_model_is_called_with() -> None:
    inner = Graph(entry("inner_input"))
    inner.call(Plain("bn"), inner.inputs, training=True)
    graph = Graph(entry())
    graph.call(Plain("block", graph=inner, followed=True), graph.inputs, training=False)
    builder = built(graph)

    assert builder.trained == {"block/bn"}
    assert [node.training for node in builder.nodes] == [None, True]


def test_inputs_in_a_dictionary_are_told_by_the_names_of_their_layers() -> None:
    inner = Graph([entry("right"), entry("left")])
    inner.call(Plain("subtract"), *inner.inputs)
    graph = Graph([entry("one"), entry("two")])
    one, two = graph.inputs
    graph.call(Plain("model", graph=inner), {"right": one, "left": two})

    assert built(graph).nodes[-1].inputs == (Value(0), Value(1))


def test_a_mask_goes_through_a_model_inside_whose_own_calls_note_none() -> None:
    for hands_on in (True, False):
        inner = Graph(entry("inner_input"))
        inner.call(Plain("dense", masks=hands_on), inner.inputs)
        graph = Graph(entry(masked=True))
        graph.call(Plain("model", graph=inner), graph.inputs)

        assert built(graph).nodes[-1].masked == (hands_on,)


def test_a_mask_that_a_call_notes_and_does_not_hand_on_ends_there() -> None:
    graph = Graph(entry(masked=True))
    graph.call(Plain("dense", masks=True), graph.inputs)

    assert built(graph).nodes[-1].masked == (False,)


def test_calls_can_be_added_one_by_one_to_inputs_without_a_layer() -> None:
    builder, known, given = GraphBuilder(Source()), {}, (object(), object())
    values = [builder.add_input(tensor, (None, 2), "int32", known) for tensor in given]
    call = Call(Plain("dense"), (given[1],), {}, [object()], None)
    builder.add_call(call, known, Scope("block/"), training=True)

    assert values == [Value(0), Value(1)]
    assert builder.layers == [None, None, call.layer]
    assert builder.paths == ["input", "input_1", "block/dense"]
    assert builder.nodes[0].shapes == ((None, 2),)
    assert builder.nodes[-1].inputs == (Value(1),)
    assert builder.nodes[-1].training
