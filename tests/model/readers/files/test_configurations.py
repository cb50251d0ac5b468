"""Configurations by hand: what contradicts itself, what is rare, and what no file tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount import ModelError
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.base import Call, Tensor
from pytest_layercount.model.layers.operations import operation_output, operation_outputs
from pytest_layercount.model.readers.files.calls import Malformed, Reference, raw_call
from pytest_layercount.model.readers.files.classes import class_of, describes_layer
from pytest_layercount.model.readers.files.config import Parser
from pytest_layercount.model.readers.files.container import Saved
from pytest_layercount.model.readers.files.open import graph_of
from pytest_layercount.model.readers.files.parameters import parameters, stored_bytes
from pytest_layercount.model.readers.files.saved_layer import SavedLayer


def entry(kind: str, name: str, *nodes: Any, **config: Any) -> dict[str, Any]:
    """A layer as a functional model of Keras 2 lists it."""
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "inbound_nodes": list(nodes),
    }


def taking(name: str, call: int = 0, tensor: int = 0, **others: Any) -> list[Any]:
    """A call of Keras 2 on a result of another."""
    return [[name, call, tensor, others]]


def functional(*layers: Any, inputs: Any = None, outputs: Any = None) -> dict[str, Any]:
    """A functional model of Keras 2 from ``x`` to the last of its layers."""
    listed = [entry("InputLayer", "x", batch_input_shape=[None, 6, 4]), *layers]
    return {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": listed,
            "input_layers": [["x", 0, 0]] if inputs is None else inputs,
            "output_layers": [[listed[-1]["name"], 0, 0]] if outputs is None else outputs,
        },
    }


def read(config: Mapping[str, Any], version: str = "2.15.0") -> ModelGraph:
    return graph_of(Saved(Path("m.json"), dict(config), version))


def dense(name: str, *nodes: Any, **more: Any) -> dict[str, Any]:
    return entry("Dense", name, *nodes, units=3, use_bias=True, activation="linear", **more)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (functional(dense("d", taking("y"))), "refers to the layer 'y', which is not there"),
        (functional(dense("d", taking("x")), outputs=[["d", 2, 0], ["x", 1, 0]]), None),
        (
            functional(dense("d", taking("x"), taking("x")), outputs=[["d", 2, 0]]),
            "refers to call 2 of 'd', which has 2",
        ),
        (functional(dense("d", taking("x", tensor=1000))), "'x' has no output 1000"),
        (functional(dense("d", taking("x", tensor=-1))), "'x' has no output -1"),
        (functional(dense("d", taking("x")), outputs={"a": "d"}), "'d' is not an input or output"),
        (functional(dense("d", "x")), "a call of 'd' has the argument 'x'"),
        (functional(dense("d", taking("d"))), "the layer d needs its own result"),
        (functional(dense("d", taking("x")), dense("d", taking("x"))), "two layers are called 'd'"),
        (
            functional(entry("TFOpLambda", "f", [["_CONSTANT_VALUE", -1, [[1], "a"], {}]])),
            "a constant is not made of numbers",
        ),
        (
            functional(entry("TFOpLambda", "f", [["_CONSTANT_VALUE", -1, [[1], [2, 3]], {}]])),
            "a constant is not made of numbers",
        ),
    ],
)
def test_what_contradicts_itself(config: Any, said: str | None) -> None:
    if said is None:
        assert read(config).nodes[-1].shapes == ((None, 6, 3),)
        return
    with pytest.raises(ModelError, match="not a valid configuration") as caught:
        read(config)
    assert said in str(caught.value)


def test_an_output_that_a_layer_is_not_known_to_have() -> None:
    graph = read(functional(dense("d", taking("x")), dense("e", taking("d", tensor=2))))
    assert graph.nodes[-1].inputs[0].index == 2
    assert graph.nodes[-1].shapes == (None,)
    last = read(functional(dense("d", taking("x")), dense("e", taking("d", tensor=999))))
    assert last.nodes[-1].inputs[0].index == 999
    for number in (1, 2):
        ends = read(functional(dense("d", taking("x")), outputs=[["d", 0, number], ["d", 0, 0]]))
        assert [value.index for value in ends.outputs] == [number, 0]


def test_the_only_call_is_meant_by_whichever_number() -> None:
    """Keras 2 counts on where a layer was called before, outside of the model."""
    graph = read(functional(dense("d", taking("x", call=7)), outputs=[["d", 5, 0]]))
    assert [node.shapes for node in graph.nodes] == [((None, 6, 4),), ((None, 6, 3),)]


OWN = SavedLayer("f", "Own", {}, builtin=False)


def test_the_arguments_of_keras_2() -> None:
    constant = ["_CONSTANT_VALUE", -1, [1.0, 2.0], {"training": True, "other": ["x", 0, 1]}]
    call = raw_call([constant], OWN)
    np.testing.assert_array_equal(call.args[0], [1.0, 2.0])
    assert call.training is True
    assert call.kwargs == {"other": Reference("x", 0, 1)}
    assert raw_call([["_CONSTANT_VALUE", -1, 3]], OWN).args == (3,)
    first = {"b": ["x", 0, 0, {"how": "so"}], "a": [["y", 0, 0], ["z", 0, 0]]}
    call = raw_call(first, OWN)
    assert call.args == (
        {"b": Reference("x", 0, 0), "a": [Reference("y", 0, 0), Reference("z", 0, 0)]},
    )
    assert call.kwargs == {"how": "so"}
    named = {"start": 1, "stop": None, "step": 2.5}
    others = {"key": named, "more": {"deep": ["x", 0, 0]}, "x": [1, 2], "end": [1, [2, 3]]}
    call = raw_call([["x", 0, 0, others]], OWN)
    assert call.kwargs == {**others, "more": {"deep": Reference("x", 0, 0)}}
    start = {"start": 1, "stop": None, "step": 2}
    call = raw_call([["x", 0, 0, {"key": [start, {"class_name": "__ellipsis__"}]}]], OWN)
    assert call.kwargs == {"key": [slice(1, None, 2), Ellipsis]}
    given = [["x", 0, 0, {"x": [1, 2], "y": [3, 4], "z": [5, 6]}]]
    for operation in ("add", "divide", "maximum", "minimum", "multiply", "subtract"):
        arrays = raw_call(given, SavedLayer("f", "TFOpLambda", {}, operation=operation)).kwargs
        assert arrays["z"] == [5, 6]
        assert [type(arrays[name]) for name in "xy"] == [np.ndarray, np.ndarray]
        np.testing.assert_array_equal([arrays[name] for name in "xy"], [[1, 2], [3, 4]])
    assert raw_call(given, SavedLayer("f", "TFOpLambda", {}, operation="concat")).kwargs["x"] == [
        1,
        2,
    ]


def kept(kind: str, **config: Any) -> dict[str, Any]:
    """An object as Keras 3 writes it."""
    return {"class_name": kind, "config": config}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (kept("__slice__", start=1, stop=None, step=2), slice(1, None, 2)),
        (kept("__ellipsis__"), Ellipsis),
        (kept("DTypePolicy", name="float16"), "DTypePolicy"),
        ({"class_name": "__ellipsis__", "config": 3}, {"class_name": "__ellipsis__", "config": 3}),
        (kept("__keras_tensor__", keras_history=["x", 1, 2]), Reference("x", 1, 2)),
        (
            kept("__keras_tensor__", keras_history=["x", 1, 2], shape=[None, 3], dtype="int8"),
            Reference("x", 1, 2, (None, 3), "int8"),
        ),
    ],
)
def test_the_arguments_of_keras_3(written: Any, meant: Any) -> None:
    assert raw_call({"args": [written], "kwargs": {}}, OWN).args == (meant,)
    assert raw_call({"args": [], "kwargs": {"key": written}}, OWN).kwargs == {"key": meant}


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"args": {}, "kwargs": {}}, "a call of 'f' has no arguments"),
        ({"args": [], "kwargs": []}, "a call of 'f' has no arguments"),
        ({"args": [kept("__keras_tensor__")], "kwargs": {}}, "which call made it"),
        ({"args": [kept("__keras_tensor__", keras_history=[1, 2])], "kwargs": {}}, "made it"),
        ({"args": [kept("__numpy__", value=["a"], dtype="int8")], "kwargs": {}}, "of numbers"),
        ({"args": [kept("__numpy__", value="a", dtype="str")], "kwargs": {}}, "of numbers"),
    ],
)
def test_arguments_that_are_none(node: Any, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        raw_call(node, OWN)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *((f"Convolution{n}D", f"Conv{n}D") for n in (1, 2, 3)),
        *((f"Convolution{n}DTranspose", f"Conv{n}DTranspose") for n in (1, 2, 3)),
        *((f"SeparableConvolution{n}D", f"SeparableConv{n}D") for n in (1, 2)),
        *((f"AvgPool{n}D", f"AveragePooling{n}D") for n in (1, 2, 3)),
        *((f"GlobalMaxPool{n}D", f"GlobalMaxPooling{n}D") for n in (1, 2, 3)),
        ("GroupQueryAttention", "GroupedQueryAttention"),
        ("Model", "Functional"),
        ("Custom>CustomScaleLayer", "CustomScaleLayer"),
    ],
)
def test_names_that_layers_had(written: str, meant: str) -> None:
    assert class_of({"class_name": written, "config": {}}, 2).name == meant


def test_a_mask_that_is_none_is_not_given() -> None:
    assert raw_call({"args": [], "kwargs": {"mask": None, "other": None}}, OWN).kwargs == {
        "other": None
    }


def layer(kind: Any, config: Any = None, **more: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {} if config is None else config, **more}


@pytest.mark.parametrize(
    ("described", "answer"),
    [
        (layer("Dense", {"name": "d", "units": 3}), True),
        (layer("Dense", {"name": "d"}), False),
        (layer("Flatten", {"name": "f"}), True),
        (layer("ReLU", {"name": "f"}), False),
        (layer("Dense", {"trainable": False}), True),
        (layer("Functional", {"layers": []}), True),
        (layer("Dense", {"units": 3}), False),
        (layer("Sequential", []), True),
        (layer("Dense", []), False),
        (layer("Dense", 3), False),
        (layer("", {"name": "d"}), False),
        (layer(3, {"name": "d"}), False),
        (layer("a/b", {"name": "d"}), False),
        (layer("own/package>Own", {"trainable": True}), True),
        (layer("Own", {"name": "d"}), False),
        (layer("Own", {"trainable": True}), True),
        (layer("Own", {"layers": []}), True),
        (layer("Dense", {"units": 3}, module="keras.layers"), True),
        (layer("Zeros", {}, module="keras.initializers"), False),
        (layer("GlorotUniform", {"name": "d"}, module="keras.src.initializers.layers"), False),
        (layer("Own", {"trainable": True}, module="mine"), True),
        (layer("Add", {"name": "d"}, module="keras.src.ops.numpy"), False),
        ([layer("Dense", {"name": "d"})], False),
        (None, False),
    ],
)
def test_which_parts_of_a_configuration_describe_layers(described: Any, answer: bool) -> None:
    assert describes_layer(described, 3) is answer


@pytest.mark.parametrize(
    ("config", "trained"),
    [
        ({}, 8),
        ({"scale": False}, 4),
        ({"center": False}, 4),
        ({"scale": False, "center": False}, 0),
    ],
)
@pytest.mark.parametrize("kind", ["BatchNormalization", "SyncBatchNormalization"])
def test_what_a_batch_norm_holds_half_of_which_trains(
    kind: str, config: Mapping[str, Any], trained: int
) -> None:
    """A file says how many weights it holds, where the shape it was built on is not known."""
    held = SavedLayer("n", kind, config, stored=trained + 8)
    assert parameters(held) == (trained + 8, trained)
    frozen = SavedLayer("n", kind, {**config, "trainable": False}, stored=trained + 8)
    assert parameters(frozen) == (trained + 8, 0)
    assert parameters(SavedLayer("n", "Dense", {}, stored=12)) == (12, 12)


@pytest.mark.parametrize(
    ("config", "generation", "counts"),
    [
        ({"output_mode": "tf_idf"}, 2, (1, 0)),
        ({"output_mode": "tf_idf"}, 3, (0, 0)),
        ({"output_mode": "tf_idf", "vocabulary": ["a"]}, 2, (0, 0)),
        ({"output_mode": "int"}, 2, (0, 0)),
    ],
)
def test_the_documents_that_were_seen(config: Any, generation: int, counts: Any) -> None:
    lookup = SavedLayer("t", "TextVectorization", config, generation=generation)
    lookup.built = ((None, 1),)
    assert parameters(lookup) == counts


def test_bytes_of_weights() -> None:
    normalization = SavedLayer("n", "Normalization", {"axis": [-1]}, built=((None, 4),))
    assert parameters(normalization) == (9, 0)
    assert stored_bytes(normalization, 9) == 4 * 8 + 8  # the count is an int64
    assert stored_bytes(normalization, 0) == 0
    assert stored_bytes(SavedLayer("n", "Normalization", {}, builtin=False), 9) == 4 * 9
    for policy, size in (("float16", 2), ("mixed_float16", 4), ("float64", 8)):
        told = {"class_name": "DTypePolicy", "config": {"name": policy}}
        for dtype in (policy, told):
            assert stored_bytes(SavedLayer("d", "Dense", {"dtype": dtype}), 5) == 5 * size


@pytest.mark.parametrize(
    ("settings", "sealed"),
    [
        ({}, None),
        ({"lora_rank": 4}, "lora"),
        ({"lora_rank": None}, None),
        ({"dtype": {"class_name": "QuantizedDTypePolicy", "config": {}}}, "quantized"),
        ({"dtype": "int8_from_float32", "lora_rank": 4}, "quantized"),
        ({"dtype": "uint8"}, None),
        ({"inner": [{"config": {"lora_rank": 4}}]}, "lora"),
    ],
)
def test_weights_that_must_stay(settings: Any, sealed: str | None) -> None:
    assert read(functional(dense("d", taking("x"), **settings))).layers[1].sealed == sealed


def test_layers_of_which_nothing_is_known_and_wrappers_of_nothing() -> None:
    assert parameters(SavedLayer("w", "Wrapper", {}, built=((None, 4),))) is None
    inner = SavedLayer("d", "Dense", {"units": 3}, built=((None, 4),))
    wrapper = SavedLayer("w", "TimeDistributed", {}, inner=inner, built=((None, 6, 4),))
    assert parameters(wrapper) == (15, 15)


def test_a_model_without_an_input_takes_what_it_is_first_called_on() -> None:
    """Keras 2 writes no InputLayer for a Sequential model; its first layer may be one itself."""
    flat = layer("Sequential", {"name": "s", "layers": [layer("Dense", dense("d")["config"])]})
    called = {**flat, "name": "s", "inbound_nodes": [taking("x")]}
    graph = read(functional(called))
    assert [node.shapes for node in graph.nodes] == [((None, 6, 4),), ((None, 6, 3),)]
    assert [each.path for each in graph.layers] == ["x", "s/d"]
    assert graph.layers[1].parameters == 3 * 4 + 3
    built = layer("Sequential", {**flat["config"], "build_input_shape": [None, 5]})
    assert [node.shapes for node in read(built).nodes] == [((None, 5),), ((None, 3),)]
    twice = layer("Sequential", {"name": "t", "layers": [built, dense("e")]})
    assert [node.shapes for node in read(twice).nodes] == [
        ((None, 5),),
        ((None, 3),),
        ((None, 3),),
    ]
    half = functional(dense("d", taking("x")))
    half["config"]["layers"][0]["config"]["dtype"] = "float16"
    first = read(layer("Sequential", {"name": "t", "layers": [half, dense("e")]}))
    assert first.nodes[0].dtypes == ("float16",)


def test_a_layer_that_stands_twice_is_one() -> None:
    shared = {**layer("Dense", dense("d")["config"]), "shared_object_id": 7}
    steps = [entry("TimeDistributed", name, taking("x"), layer=shared) for name in ("t", "u")]
    graph = read(functional(*steps))
    inner = [each.config["layer"] for each in graph.layers if each.type == "TimeDistributed"]
    assert sorted(each.path for each in inner) == ["t/d", "u/d"]
    one = {**dense("d", taking("x")), "shared_object_id": 7}
    again = functional({**one}, outputs=[["d", 0, 0]])
    deep = {**again, "name": "m", "inbound_nodes": [taking("x")]}
    graph = read(functional(one, deep, outputs=[["d", 0, 0], ["m", 0, 0]]))
    assert [each.type for each in graph.layers].count("Dense") == 1
    assert [graph.layer_of(number).type for number in range(len(graph.nodes))].count("Dense") == 2


def test_settings_that_keras_wrapped_are_unwrapped() -> None:
    mean = {"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}
    own = {"class_name": "Own", "config": {}}
    settings = {"axis": None, "mean": mean, "variance": own}
    config = read(
        {
            "class_name": "Sequential",
            "config": {
                "name": "s",
                "layers": [
                    layer("InputLayer", {"name": "x", "batch_shape": [None, 2]}),
                    layer("Normalization", {"name": "n", **settings}),
                ],
            },
        },
        "3.3.0",
    )
    normalization = config.layers[1]
    assert normalization.config["axis"] == ()
    assert normalization.config["input_mean"] == (1.0, 2.0)


def row(kind: str, config: Mapping[str, Any], *shapes: Any, **more: Any) -> Any:
    return row_of(kind).returns(Call(config, shapes, **more))


def test_what_rows_know_without_all_they_ask() -> None:
    assert row("Bidirectional", {"merge_mode": "concat"}, (None, 6, 4)) == [None]
    inner = row_of("LSTM"), Call({"units": 3, "return_state": True}, [None])
    assert row("Bidirectional", {}, (None, 6, 4), wrapped=inner) == [None]
    inner = row_of("LSTM"), Call({"units": 3}, [(None, 6, 4)])
    other = {"backward_layer": {"config": {"units": 5}}}
    assert row("Bidirectional", other, (None, 6, 4), wrapped=inner, generation=2) == [(None, 8)]
    assert row("Bidirectional", other, (None, 6, 4), wrapped=inner) == [(None, 6)]
    bare = {"backward_layer": {"config": {}}}
    assert row("Bidirectional", bare, (None, 6, 4), wrapped=inner, generation=2) == [(None, 6)]


@pytest.mark.parametrize(
    ("kind", "config", "shape", "more", "returned"),
    [
        ("CategoryEncoding", {"output_mode": "one_hot"}, (None, 3), {}, (None, 3, 4)),
        ("CategoryEncoding", {"output_mode": "one_hot"}, (None, 1), {}, (None, 4)),
        ("CategoryEncoding", {"output_mode": "one_hot"}, (None,), {}, (None, 4)),
        ("CategoryEncoding", {"output_mode": "multi_hot"}, (None, 3), {}, (None, 4)),
        ("CategoryEncoding", {"output_mode": "one_hot"}, (None, 3), {"generation": 2}, (None, 4)),
        ("Discretization", {"bin_boundaries": [0, 1]}, (5, 4, 2), {}, (5, 2, 3)),
        ("Hashing", {"output_mode": "one_hot", "num_bins": 5}, (None, 1), {}, (None, 5)),
        ("TextVectorization", {"split": None}, (None,), {}, (None, 7)),
        ("TextVectorization", {"split": None}, (None, 2), {}, (None, 7)),
        ("TextVectorization", {"split": "whitespace"}, (None, 2), {}, (None, 2, 7)),
        ("StringLookup", {"output_mode": "one_hot"}, (None, 2), {}, (None, 2, 7)),
        ("StringLookup", {"output_mode": "one_hot"}, (None, 2), {"version": (3, 13)}, (None, 7)),
        ("StringLookup", {"output_mode": "one_hot"}, (None, 2), {"version": (3, 14)}, (None, 2, 7)),
        ("StringLookup", {"output_mode": "one_hot"}, (None, 2), {"version": (3, 0)}, (None, 7)),
        ("StringLookup", {"pad_to_max_tokens": True}, (None, 2), {}, (None, 9)),
    ],
)
def test_one_place_for_each_of_what_is_told_apart(
    kind: str, config: Any, shape: Any, more: Any, returned: Any
) -> None:
    lookup = {"pad_to_max_tokens": False, "vocabulary_size": 7, "max_tokens": 9}
    usual = {"num_tokens": 4} if kind == "CategoryEncoding" else {}
    usual |= lookup if kind in ("StringLookup", "TextVectorization") else {}
    usual["output_mode"] = "multi_hot"
    assert row(kind, {**usual, **config}, shape, **more) == [returned]


IMAGE = (None, 8, 6, 3)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "returned"),
    [
        ("resize", (), {"size": (5, 4), "data_format": "channels_first"}, (None, 8, 5, 4)),
        ("resize", (), {"size": (5, 4), "data_format": "channels_last"}, (None, 5, 4, 3)),
        ("pad", (), {"paddings": Tensor((4, 2))}, (None, None, None, None)),
        ("argmax", (), {"axis": None, "keepdims": True}, (1, 1, 1, 1)),
        ("argmax", (), {"axis": None, "keepdims": False}, ()),
        ("argmax", (), {"keepdims": True}, (1, 8, 6, 3)),
        ("max_pool", (2,), {"padding": "SAME", "data_format": "NCHW"}, None),
        ("max_pool", (2,), {"padding": "same", "data_format": "channels_first"}, None),
        ("max_pool", (2,), {"padding": "explicit"}, None),
        ("max_pool", (2,), {"padding": [[0, 0], [1, 1]]}, None),
        ("max_pool", (2,), {"padding": "same", "data_format": "channels_last"}, (None, 4, 3, 3)),
        ("space_to_depth", (2,), {"data_format": "NCHW"}, None),
        ("cumsum", (), {"axis": None}, (None,)),
        ("matmul", (Tensor(None),), {}, None),
        ("tensordot", (Tensor(None), 1), {}, None),
        ("gather", (Tensor(None),), {}, None),
        ("conv2d", (Tensor(None),), {}, None),
        ("depthwise_conv2d", (Tensor(None),), {}, None),
        ("depthwise_conv2d", (Tensor((3, 3, None, 2)), [1] * 4), {}, (None, 6, 4, None)),
        ("embedding_lookup", (Tensor(None),), {}, None),
        ("conv2d", (Tensor((3, 3, 3, 2)), 1), {"dilations": 2}, None),
        ("conv2d", (Tensor((3, 3, 3, 2)), 1), {"dilations": [1, 1]}, (None, 6, 4, 2)),
        ("conv2d", (Tensor((3, 3, 3, 2)), 1), {"rate": [1, 2, 2, 1]}, None),
        ("conv2d", (Tensor((3, 3, 3, 2)), 1), {"dilation_rate": 2}, None),
        ("nothing_known", (), {}, None),
        ("reshape", (Tensor((3,)),), {}, (None, None, None)),
        ("reshape", (Tensor((None,)),), {}, None),
        ("reshape", (Tensor(None),), {}, None),
        ("reshape", ((-1, 144),), {}, (None, 144)),
    ],
)
def test_what_an_operation_returns(name: str, args: Any, kwargs: Any, returned: Any) -> None:
    assert operation_output(name, (Tensor(IMAGE), *args), kwargs) == returned
    assert operation_output(name, (Tensor(None), *args), kwargs) is None


def test_operations_that_return_several() -> None:
    image = Tensor(IMAGE)
    assert operation_outputs("moments", (image,), {"axes": [1, 2]}) == [(None, 3)] * 2
    assert operation_outputs("split", (Tensor(None), 2), {}) == [None]
    assert operation_outputs("split", (image,), {"indices_or_sections": 2}) == [None]
    assert operation_outputs("split", (image, 1 << 13), {"axis": -1}) == [(None, 8, 6, 0)] * (
        1 << 12
    )
    assert operation_outputs("unstack", (image, 5000), {}) == [(8, 6, 3)] * (1 << 12)
    assert operation_outputs("unstack", (image,), {"num": 2}) == [(8, 6, 3)] * 2
    assert operation_outputs("top_k", (image, 2), {}) == [(None, 8, 6, 2)] * 2


NEW, USED = [{"config": {"batch_shape": [None, 4]}}], [{"config": {"batch_input_shape": [None, 4]}}]


@pytest.mark.parametrize(
    ("module", "config", "generation"),
    [
        (None, {"layers": NEW}, 2),
        ("keras.engine.functional", {"layers": NEW}, 2),
        ("keras.src.engine.functional", {"layers": NEW}, 2),
        ("tf_keras.src.models", {"layers": NEW}, 2),
        ("mine", {"layers": USED}, 2),
        ("mine", {"layers": NEW}, 3),
        ("my_engine", {"layers": NEW}, 3),
        ("keras.src.models.functional", {"layers": NEW}, 3),
        ("keras", {"layers": USED}, 2),
        ("keras", {"layers": []}, 2),
        ("keras", {"layers": [], "dtype": "float32"}, 3),
        ("keras", {"layers": NEW, "dtype": "float32"}, 3),
        # Of what describes no model there is nothing to tell.
        ("keras", {"layers": {}}, 3),
        ("keras", ["d"], 3),
        ("keras", None, 3),
        ("mine", {"layers": ["d", {"config": ["batch_input_shape"]}]}, 3),
    ],
)
def test_which_keras_wrote_a_file_without_a_version(
    module: Any, config: Any, generation: int
) -> None:
    assert Parser({"module": module, "config": config}, "").generation == generation
    assert Parser({"module": module, "config": config}, "2.15.0").generation == 2


@pytest.mark.parametrize("activation", [{}, {"activation": None}, {"activation": "linear"}])
def test_no_activation_is_the_linear_one(activation: Mapping[str, Any]) -> None:
    graph = read(functional(entry("Dense", "d", taking("x"), units=3, **activation)))
    assert graph.layers[1].config["activation"] == "linear"


@pytest.mark.parametrize("kind", ["Own", "Pipeline"])
def test_only_a_sequential_model_is_opened_by_its_list_of_layers(kind: str) -> None:
    parts = [layer("Dense", {"name": name, "units": 3}) for name in ("d", "e")]
    whole = {**layer(kind, {"name": "w", "layers": parts}), "name": "w"}
    graph = read(functional({**whole, "inbound_nodes": [taking("x")]}))
    assert [each.path for each in graph.layers] == ["x", "w"]
    opened = read(functional({**whole, "class_name": "Sequential", "inbound_nodes": [taking("x")]}))
    assert [each.path for each in opened.layers] == ["x", "w/d", "w/e"]


def test_a_model_called_on_another_size_than_it_was_built_on() -> None:
    window = {"kernel_size": [3], "strides": [1], "dilation_rate": [1], "padding": "valid"}
    settings = {**window, "filters": 3, "groups": 1, "data_format": "channels_last"}
    inner = functional(entry("Conv1D", "c", taking("x"), activation="linear", **settings))
    inner["config"]["layers"][0]["config"]["batch_input_shape"] = [None, None, 4]
    called = {**inner, "name": "inner", "inbound_nodes": [taking("x")]}
    graph = read(functional(called, entry("Flatten", "f", taking("inner"))))
    assert graph.nodes[-1].shapes == ((None, 4 * 3),)


@pytest.mark.parametrize(
    ("dtype", "read_as"),
    [
        *((name, name) for name in ("bool", "float16", "float32", "float64")),
        *((name, name) for name in ("int8", "int16", "int32", "int64")),
        ("bfloat16", "int64"),
        ("str", "int64"),
    ],
)
@pytest.mark.parametrize("kind", ["__numpy__", "__tensor__"])
def test_a_constant_of_keras_3_is_of_its_type(kind: str, dtype: str, read_as: str) -> None:
    (array,) = raw_call({"args": [kept(kind, value=[1, 0], dtype=dtype)], "kwargs": {}}, OWN).args
    assert (array.dtype, array.tolist()) == (read_as, [1, 0])
