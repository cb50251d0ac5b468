"""Graphs of TensorFlow put together from their descriptions, those that no TensorFlow wrote too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_layercount import ModelError
from pytest_layercount.model.readers.tensorflow import flatten
from pytest_layercount.model.readers.tensorflow.flatten import Flattening
from tests.conftest import needs_keras

pytestmark = needs_keras


def node(name: str, op: str, *inputs: str, **attributes: Any) -> Any:
    """A node of a graph; ``T`` and ``dtype`` are float32, and ``f`` names a function."""
    import tensorflow as tf

    made = tf.compat.v1.NodeDef(name=name, op=op, input=inputs)
    kinds = {"Placeholder": "dtype", "Relu": "T", "AddV2": "T", "Unpack": "T", "Cumsum": "T"}
    if op in kinds:
        made.attr[kinds[op]].type = tf.float32.as_datatype_enum
    for key, value in attributes.items():
        if key in ("f", "then_branch", "else_branch"):
            made.attr[key].func.name = value
        elif key == "shape":
            for size in value:
                made.attr["shape"].shape.dim.add(size=size)
        elif key.startswith("T"):
            made.attr[key].list.type.extend([value.as_datatype_enum])
        else:
            made.attr[key].i = value
    return made


def function(name: str, *body: Any, arguments: tuple[str, ...] = ("a",), result: str = "") -> Any:
    """A function of tensors that returns one."""
    import tensorflow as tf

    made = tf.compat.v1.GraphDef().library.function.add()
    made.signature.name = name
    for argument in arguments:
        made.signature.input_arg.add(name=argument, type=tf.float32.as_datatype_enum)
    made.signature.output_arg.add(name="r", type=tf.float32.as_datatype_enum)
    made.node_def.extend(body)
    made.ret["r"] = result or f"{body[-1].name}:activations:0"
    return made


def entry() -> Any:
    return node("x", "Placeholder", shape=(2, 3))


def relu(name: str = "relu", given: str = "a") -> Any:
    return node(name, "Relu", given)


def flat(nodes: list[Any], end: str, *functions: Any) -> list[tuple[str, str, Any]]:
    flattening = Flattening(functions)
    flattening.add_graph(nodes, ["x:0", end])
    return [(op.name, op.type, op.shapes) for op in flattening.ops({})]


SHAPES = ((2, 3),)


def test_a_call_of_a_function_by_its_own_name() -> None:
    """As TensorFlow 1 wrote calls: the operation is called like the function."""
    nodes = [entry(), node("outer/call", "mine", "x")]
    assert flat(nodes, "outer/call:0", function("mine", relu())) == [
        ("x", "Placeholder", SHAPES),
        ("outer/call/relu", "Relu", SHAPES),
    ]


@pytest.mark.parametrize("op", ["PartitionedCall", "StatefulPartitionedCall"])
def test_a_call_that_stands_for_all_is_no_scope(op: str) -> None:
    nodes = [entry(), node("call", op, "x", f="mine")]
    inner = function("mine", node("deep", op, "a", f="deep"), result="deep:output:0")
    assert flat(nodes, "call:0", inner, function("deep", relu())) == [
        ("x", "Placeholder", SHAPES),
        ("deep/relu", "Relu", SHAPES),
    ]


def test_a_function_called_twice_has_names_twice() -> None:
    nodes = [entry(), node("one", "mine", "x"), node("two", "mine", "one:0")]
    assert [name for name, *_ in flat(nodes, "two:0", function("mine", relu()))] == [
        "x",
        "relu",
        "relu_again_1",
    ]


def test_which_of_several_outputs_is_meant() -> None:
    parts = node("parts", "Unpack", "x", num=2, axis=0)
    last = node("sum", "AddV2", "parts:1", "parts")
    flattening = Flattening([])
    flattening.add_graph([entry(), parts, last], ["x:0", "sum:0"])
    ops = list(flattening.ops({}))
    assert ops[-1].inputs == ((1, 1), (1, 0))
    inside = function(
        "mine",
        node("parts", "Unpack", "a", num=2, axis=0),
        node("sum", "AddV2", "parts:output:1", "parts:output:0"),
        result="sum:z:0",
    )
    flattening = Flattening([inside])
    flattening.add_graph([entry(), node("call", "mine", "x")], ["x:0", "call:0"])
    assert list(flattening.ops({}))[-1].inputs == ((1, 1), (1, 0))


def test_what_is_only_waited_for_is_left_out() -> None:
    nodes = [entry(), node("other", "NoOp"), node("relu", "Relu", "x", "^other")]
    nodes[-1].device = "/job:worker/device:GPU:7"
    nodes[-1].attr["_class"].list.s.append(b"loc:@nobody")
    assert [type_ for _, type_, _ in flat(nodes, "relu:0")] == ["Placeholder", "Relu"]


def test_branches_call_functions_that_tensorflow_must_know() -> None:
    import tensorflow as tf

    condition = tf.compat.v1.NodeDef(name="c", op="Const")
    condition.attr["dtype"].type = tf.bool.as_datatype_enum
    condition.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(True))
    branch = node(
        "if",
        "StatelessIf",
        "c",
        "x",
        then_branch="one",
        else_branch="two",
        Tin=tf.float32,
        Tout=tf.float32,
    )
    branch.attr["Tcond"].type = tf.bool.as_datatype_enum
    functions = function("one", relu()), function("two", relu())
    found = flat([entry(), condition, branch], "if:0", *functions)
    assert found[-1][:2] == ("if", "StatelessIf")


CASES: dict[str, tuple[Callable[[], list[Any]], str]] = {
    "no function": (
        lambda: [node("call", "PartitionedCall", "x", f="nobody")],
        "it calls the function 'nobody', which is not there",
    ),
    "another number": (
        lambda: [node("call", "PartitionedCall", "x", "x", f="mine")],
        "it calls 'mine' with another number of arguments",
    ),
    "no such output": (
        lambda: [node("call", "wrong", "x")],
        "the operation 'relu' has no output 'features'",
    ),
    "not there": (lambda: [node("call", "Relu", "y")], "refers to 'y', which is not there"),
    "itself": (lambda: [node("call", "Relu", "call")], "'call' needs its own result"),
    "unknown": (lambda: [node("call", "Oddity", "x")], "'Oddity' is not known to the TensorFlow"),
    "endless": (lambda: [node("call", "endless", "x")], "call one another without end"),
}


@pytest.mark.parametrize("name", CASES)
def test_graphs_that_make_no_sense(name: str) -> None:
    make, said = CASES[name]
    functions = [
        function("mine", relu()),
        function("wrong", relu(), result="relu:features:0"),
        function("endless", node("again", "endless", "a"), result="again:r:0"),
    ]
    with pytest.raises(ModelError) as refused:
        flat([entry(), *make()], "call:0", *functions)
    assert said in str(refused.value)


def test_a_graph_that_tensorflow_refuses() -> None:
    whole = node("whole", "Cumsum", "x", "x")  # the axis is no number of the type it must have
    with pytest.raises(ModelError, match=r"TensorFlow cannot read its graph \(.+\)"):
        flat([entry(), whole], "whole:0")


def test_a_graph_of_too_many_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "MOST_OPERATIONS", 1)
    assert len(flat([entry(), node("relu", "Relu", "x")], "relu:0")) == 2
    many = [node("relu", "Relu", "x"), node("more", "Relu", "relu")]
    with pytest.raises(ModelError, match="it has more than 1 operations"):
        flat([entry(), *many], "more:0")


@pytest.mark.parametrize("calls", [flatten.DEEPEST, flatten.DEEPEST + 1])
def test_functions_call_one_another_to_a_depth(calls: int) -> None:
    chain = [function("f1", relu())]
    for number in range(2, calls + 1):
        inner = node("inner", f"f{number - 1}", "a")
        chain.append(function(f"f{number}", inner, result="inner:r:0"))
    nodes = [entry(), node("call", f"f{calls}", "x")]
    if calls > flatten.DEEPEST:
        with pytest.raises(ModelError, match="call one another without end"):
            flat(nodes, "call:0", *chain)
        return
    assert [type_ for _, type_, _ in flat(nodes, "call:0", *chain)] == ["Placeholder", "Relu"]
