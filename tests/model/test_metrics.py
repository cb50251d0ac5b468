"""What a model costs, against formulas and counts done by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_layercount.model.count import count_graph, measure_graph
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Shape, Value
from tests.graphs import chain
from tests.model.recorded import recorded

CONV = {"data_format": "channels_last", "groups": 1, "kernel_size": (3, 3), "depth_multiplier": 1}
FIRST = {**CONV, "data_format": "channels_first"}
BOTH = ("forward", "backward")
HEADS = {"num_heads": 4, "key_dim": 16, "value_dim": None}
GATED = {**CONV, "filters": 6}
ATTENDED = 10 * 32 * 64 * 4 + 10 * 10 * 64 * 2
GROUPS = {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 16}


def one_call(layer: Layer, inputs: list[Shape], output: Shape, *leading: object) -> ModelGraph:
    """A model that calls one layer on inputs of these shapes."""
    entries = tuple(Layer(f"i{n}", "InputLayer", "input") for n in range(len(inputs)))
    nodes = tuple(Node(n, shapes=(shape,)) for n, shape in enumerate(inputs))
    values = tuple(Value(n) for n in range(len(inputs)))
    call = Node(len(inputs), (*leading, *values), shapes=(output,))
    return ModelGraph(
        "net", "Keras 3.15.0", (*entries, layer), (*nodes, call), values, Value(len(inputs))
    )


@pytest.mark.parametrize(
    ("type_", "config", "inputs", "output", "macs"),
    [
        ("Conv2D", CONV, [(None, 8, 8, 4)], (None, 6, 6, 10), 6 * 6 * 10 * 9 * 4),
        ("Conv2D", FIRST, [(None, 4, 8, 8)], (None, 10, 6, 6), 6 * 6 * 10 * 9 * 4),
        ("Conv2D", {**CONV, "groups": 2}, [(None, 8, 8, 4)], (None, 6, 6, 10), 6 * 6 * 10 * 9 * 2),
        ("Conv1D", {**CONV, "kernel_size": (5,)}, [(None, 9, 3)], (None, 5, 2), 5 * 2 * 5 * 3),
        ("Conv2DTranspose", CONV, [(None, 4, 4, 3)], (None, 8, 8, 5), 4 * 4 * 3 * 9 * 5),
        ("DepthwiseConv2D", CONV, [(None, 8, 8, 4)], (None, 6, 6, 4), 6 * 6 * 4 * 9),
        ("SeparableConv2D", CONV, [(None, 8, 8, 4)], (None, 6, 6, 10), 6 * 6 * 4 * (9 + 10)),
        ("Dense", {}, [(None, 7)], (None, 3), 21),
        ("Dense", {}, [(None, 5, 7)], (None, 5, 3), 5 * 21),
        ("EinsumDense", {"equation": "abc,cd->abd"}, [(None, 5, 7)], (None, 5, 3), 5 * 21),
        ("EinsumDense", {"equation": "...x,xy->...y"}, [(None, 5, 7)], (None, 5, 3), 5 * 21),
        ("EinsumDense", {"equation": "ab...,bc->ac..."}, [(None, 7, 5)], (None, 3, 5), 5 * 21),
        ("LSTM", {"units": 6}, [(None, 10, 4)], (None, 6), 10 * 4 * 6 * (4 + 6)),
        ("GRU", {"units": 6}, [(None, 10, 4)], (None, 6), 10 * 3 * 6 * (4 + 6)),
        (
            "Bidirectional",
            {f"{way}_layer": Layer(way, "LSTM", config={"units": 6}) for way in BOTH},
            [(None, 10, 4)],
            (None, 12),
            2 * 10 * 4 * 6 * (4 + 6),
        ),
        (
            "TimeDistributed",
            {"layer": Layer("t/d", "Dense")},
            [(None, 10, 7)],
            (None, 10, 3),
            10 * 21,
        ),
        (
            "MultiHeadAttention",
            HEADS,
            [(None, 10, 32), (None, 6, 24)],
            (None, 10, 32),
            10 * 32 * 64 + 6 * 24 * 64 * 2 + 10 * 6 * 64 * 2 + 10 * 64 * 32,
        ),
        (
            "GroupedQueryAttention",
            GROUPS,
            [(None, 10, 32), (None, 10, 32)],
            (None, 10, 32),
            10 * 32 * 64 + 10 * 32 * 32 * 2 + 10 * 10 * 64 * 2 + 10 * 64 * 32,
        ),
        ("MultiHeadAttention", HEADS, [(None, 10, 32)] * 2, (None, 10, 32), ATTENDED),
        (
            "MultiHeadAttention",
            {**HEADS, "use_gate": True},
            [(None, 10, 32)] * 2,
            (None, 10, 32),
            ATTENDED + 10 * 32 * 64,
        ),
        (
            "LocallyConnected2D",
            {"filters": 10, "kernel_size": (3, 3), "strides": (1, 1)},
            [(None, 8, 8, 4)],
            (None, 6, 6, 10),
            6 * 6 * 10 * 9 * 4,
        ),
        (
            "Bidirectional",
            {
                f"{way}_layer": Layer(way, "ConvLSTM2D", config={**CONV, "filters": 6})
                for way in BOTH
            },
            [(None, 7, 8, 8, 4)],
            (None, 6, 6, 12),
            2 * 7 * 4 * 6 * 6 * 6 * 9 * (4 + 6),
        ),
        (
            "STFTSpectrogram",
            {"frame_length": 16, "frame_step": 4},
            [(None, 64, 2)],
            (None, 13, 18),
            2 * 16 * 9 * 13 * 2,
        ),
        ("Attention", {}, [(None, 5, 8), (None, 6, 8)], (None, 5, 8), 5 * 6 * 16),
        (
            "ConvLSTM2D",
            GATED,
            [(None, 7, 8, 8, 4)],
            (None, 6, 6, 6),
            7 * 4 * 6 * 6 * 6 * 9 * (4 + 6),
        ),
        ("BatchNormalization", {}, [(None, 8, 8, 4)], (None, 8, 8, 4), 0),
        ("Embedding", {}, [(None, 8)], (None, 8, 4), 0),
    ],
)
def test_macs(type_, config, inputs, output, macs):
    found = measure_graph(one_call(Layer("it", type_, config=config), inputs, output))
    assert (found.macs, found.uncounted) == (macs, {})


def test_macs_of_a_wrapped_convolution_are_its_own():
    inner = Layer("sn/conv", "Conv2D", config=CONV)
    wrapper = Layer("sn", "SpectralNormalization", inside=(inner,))
    found = measure_graph(one_call(wrapper, [(None, 8, 8, 4)], (None, 6, 6, 10)))
    assert (found.macs, found.uncounted) == (6 * 6 * 10 * 9 * 4, {})


@pytest.mark.parametrize("type_", ["JaxLayer", "DenseFeatures", "NewerThanWeKnow"])
def test_a_type_without_a_row_is_said_to_be_uncounted(type_):
    found = measure_graph(one_call(Layer("it", type_), [(None, 8)], (None, 8)))
    assert found.uncounted == {"it": "nothing is known of layers of this type"}


def test_macs_of_operations():
    matmul = Layer("m", "Matmul", "operation", operation="matmul")
    found = measure_graph(one_call(matmul, [(None, 5, 7), (None, 7, 3)], (None, 5, 3)))
    assert found.macs == 5 * 7 * 3
    einsum = Layer("e", "Einsum", "operation", operation="einsum")
    shapes = [(None, 5, 7), (None, 6, 7)]
    assert measure_graph(one_call(einsum, shapes, (None, 5, 6), "bij,bkj->bik")).macs == 5 * 7 * 6
    hidden = measure_graph(one_call(einsum, shapes, (None, 5, 6)))  # Keras 3 keeps the equation
    assert hidden.uncounted == {"e": "there is no formula for it"}
    add = Layer("a", "Add", "operation", operation="add")
    assert measure_graph(one_call(add, [(None, 5), (None, 5)], (None, 5))).macs == 0


@pytest.mark.parametrize(
    ("args", "kwargs", "output", "macs"),
    [
        (("matrix", Value(0)), {}, (None, 3, 5), 3 * 4 * 5),
        ((Value(0), "matrix"), {}, (None, 4, 7), 4 * 5 * 7),
        ((), {"x1": "matrix", "x2": Value(0)}, (None, 3, 5), 3 * 4 * 5),
        ((), {"x1": Value(0), "x2": "matrix"}, (None, 4, 7), 4 * 5 * 7),
        (("matrix",), {"b": Value(0), "transpose_b": True}, (None, 3, 4), 3 * 5 * 4),
        ((Value(0), "matrix"), {"transpose_a": True}, (None, 5, 7), 5 * 4 * 7),
    ],
)
def test_a_product_with_a_constant_matrix(args, kwargs, output, macs):
    matmul = Layer("m", "Matmul", "operation", operation="matmul")
    graph = one_call(matmul, [(None, 4, 5)], output)
    call = replace(graph.nodes[-1], args=args, kwargs=kwargs)
    assert measure_graph(replace(graph, nodes=(*graph.nodes[:-1], call))).macs == macs


def test_a_product_over_the_batch_is_not_counted():
    matmul = Layer("m", "Matmul", "operation", operation="matmul")
    graph = one_call(matmul, [(None, 5)], (3, 5), "matrix")
    assert measure_graph(graph).uncounted == {"m": "it sums over the batch"}


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((Value(0), Value(1), Value(2)), {}),
        ((), {"query": Value(0), "value": Value(1), "key": Value(2)}),
        ((Value(0),), {"value": Value(1), "key": Value(2)}),
        ((), {"attention_mask": Value(3), "key": Value(2), "query": Value(0), "value": Value(1)}),
        ((Value(0), Value(1), Value(2), Value(3)), {}),
    ],
)
def test_attention_by_position_and_by_keyword(args, kwargs):
    layer = Layer("it", "MultiHeadAttention", config={"num_heads": 2, "key_dim": 5, "value_dim": 7})
    shapes = [(None, 2, 8), (None, 3, 6), (None, 3, 10), (None, 2, 3)]
    graph = one_call(layer, shapes, (None, 2, 8))
    call = replace(graph.nodes[-1], args=args, kwargs=kwargs)
    projected = 2 * 8 * 2 * 5 + 3 * 10 * 2 * 5 + 3 * 6 * 2 * 7
    scores = 2 * 3 * 2 * (5 + 7)
    graph = replace(graph, nodes=(*graph.nodes[:-1], call))
    assert measure_graph(graph).macs == projected + scores + 2 * 2 * 7 * 8


@pytest.mark.parametrize(
    ("layer", "shape", "why"),
    [
        (Layer("it", "Conv2D", config=CONV), (None, None, 8, 4), "a size in its shapes is not"),
        (Layer("it", "Conv2D", config=CONV), None, "a size in its shapes is not known: None"),
        (Layer("it", "Own", builtin=False), (None, 8), "what it computes is not known"),
        (Layer("it", "Lambda"), (None, 8), "there is no formula for it"),
        (Layer("it", "Conv", "operation", operation="conv"), (None, 8), "there is no formula"),
        (Layer("it", "Dense", config={}), (None,), ""),
        (Layer("it", "Conv2D", config={}), (None, 8, 8, 4), "its configuration is not as expected"),
    ],
)
def test_what_cannot_be_counted_is_said(layer, shape, why):
    found = measure_graph(one_call(layer, [shape], shape))
    assert found.uncounted.get("it", "").startswith(why)
    assert found.macs == 0 or not why


def test_a_shared_layer_works_twice_and_weighs_once():
    graph = one_call(Layer("d", "Dense", parameters=24), [(None, 7)], (None, 3))
    again = replace(graph, nodes=(*graph.nodes, replace(graph.nodes[1])), outputs=Value(2))
    found = measure_graph(again)
    assert (found.macs, found.parameters, found.weight_bytes) == (42, 24, 96)


def test_depth_is_the_longest_way():
    assert measure_graph(chain("InputLayer", "Dense", "Dense", "Dense")).depth == 3
    layers = (Layer("i", "InputLayer", "input"), Layer("a", "Dense"), Layer("b", "Add"))
    nodes = (Node(0), Node(1, (Value(0),)), Node(2, ([Value(0), Value(1)],)))
    assert measure_graph(ModelGraph("m", "Keras 3", layers, nodes, Value(0), Value(2))).depth == 2


def test_parts_sum_to_the_whole():
    found = measure_graph(recorded("convnext_tiny", "keras3"))
    for parts in (found.by_type, found.by_block):
        assert sum(part.layers for part in parts.values()) == found.layers
        assert sum(part.parameters for part in parts.values()) == found.parameters
        assert sum(part.macs for part in parts.values()) == found.macs
    stages = [name for name in found.by_block if "_stage_" in name]
    assert stages == [f"convnext_tiny_stage_{stage}" for stage in range(4)]
    # As the paper has it, arXiv:2201.03545, table 1: 29M parameters and 4.5G FLOPs,
    # which it counts as multiply-accumulates.
    assert round(found.parameters / 1e6) == 29
    assert round(found.macs / 1e9, 1) == 4.5


def test_blocks_are_nested_models_or_numbered_names():
    paths = {
        "encoder/deep/conv2d_3": "encoder",
        "block_13_expand": "block_13",
        "block1a_dwconv": "block1a",
        "conv2_block1_1_conv": "conv2",
        "conv2d_17": "",
        "stem": "",
    }
    for path, block in paths.items():
        found = measure_graph(chain("InputLayer", Layer(path, "Conv2D", config=CONV)))
        assert set(found.by_block) == {"", block}, path


def test_a_count_carries_the_costs():
    counted = count_graph(one_call(Layer("d", "Dense", parameters=24), [(None, 7)], (None, 3)))
    assert (counted.depth, counted.macs, counted.weight_bytes) == (1, 21, 96)
