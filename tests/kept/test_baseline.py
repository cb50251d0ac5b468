"""What a baseline says of a model, and that nothing of it is lost on the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_layercount.compare.explain import explain
from pytest_layercount.kept.baseline import BaselineError, baseline, load, read, written
from pytest_layercount.kept.parse import Malformed
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from tests.graphs import CONFIGS, chain
from tests.model.recorded import VERSIONS, recorded


def text_of(graph: ModelGraph) -> str:
    return written(baseline("test_it.py::test_it", "test_it.test_it", "layers", graph))


def lines_of(graph: ModelGraph) -> list[str]:
    return text_of(graph).splitlines()[18:]


@pytest.fixture
def residual() -> ModelGraph:
    """A block with a shared convolution, a constant, and a branch that is read further down."""
    shape = (None, 8, 8, 4)
    conv = CONFIGS["Conv2D"] | {"strides": (1, 1), "dilation_rate": (1, 1), "filters": 4}
    layers = (
        Layer("input_layer_7", "InputLayer", "input"),
        Layer("stem", "Conv2D", config=conv, parameters=144, trainable_parameters=144),
        Layer(
            "functional_3/batch_normalization_12",
            "BatchNormalization",
            config=CONFIGS["BatchNormalization"],
            parameters=16,
        ),
        Layer("multiply_3", "Multiply", "operation", operation="multiply"),
        Layer("own_thing", "Own", builtin=False, parameters=8, trainable_parameters=8),
        Layer("join", "Add"),
    )
    nodes = (
        Node(0, shapes=(shape,), dtypes=("float32",)),
        Node(1, (Value(0),), shapes=(shape,)),
        Node(2, (Value(1),), training=False, shapes=(shape,)),
        Node(3, (Value(2), 0.1), shapes=(shape,), dtypes=("float16",), masked=(True,)),
        Node(1, (Value(3),), shapes=(shape,)),
        Node(4, (Value(4),), {"scale": 2, "mask": None}, shapes=(shape, None)),
        Node(5, ([Value(0), Value(5, 1)],), shapes=(shape,)),
    )
    return ModelGraph("model_3", "Keras 3.15.0", layers, nodes, Value(0), Value(6))


def test_the_whole_text_of_a_model(residual):
    assert text_of(residual) == (
        """\
# pytest-layercount baseline 2
# A line for each call of a layer, which reads the line above where it does not say:
# up3 is what stands three lines above, up3.layer the layer that is called there.

test: test_it.py::test_it
name: test_it.test_it
judged: layers
keras: Keras 3.15.0
model: Functional
layers: 5
nodes: 6
top: 0
depth: 6
parameters: 168
trainable: 152
bytes: 672
macs: 18432

InputLayer() -> (None, 8, 8, 4)
Conv2D(filters=4, kernel_size=(3, 3), padding='same') -> (None, 8, 8, 4) | 144 parameters | stem
BatchNormalization(epsilon=0.001) -> (None, 8, 8, 4) | 16 parameters, 0 trained, training=False
ops.multiply(up1, 0.1) -> (None, 8, 8, 4) float16 masked
up3.layer -> (None, 8, 8, 4)
own.Own()(up1, scale=2) -> (None, 8, 8, 4); unknown | 8 parameters | own_thing
Add()([up6, up1[1]]) -> (None, 8, 8, 4) | join
outputs(up1)
"""
    )


def test_what_is_read_is_what_was_written(residual):
    for graph in (residual, *(recorded("convnext_tiny", one) for one in VERSIONS)):
        text = text_of(graph)
        assert written(read(text)) == text
        assert explain(graph, read(text).graph).same


def test_an_application_is_the_same_in_both_generations_but_for_how_it_is_spelled():
    two, three = (lines_of(recorded("convnext_tiny", one)) for one in VERSIONS)
    different = [pair for pair in zip(two, three, strict=True) if pair[0] != pair[1]]
    assert {one.replace("y=", "") for one, _ in different} == {two for _, two in different}
    assert all(one.startswith("ops.add(") for one, _ in different)


def test_a_layer_more_is_a_line_more(residual):
    before = lines_of(chain("InputLayer", "Conv2D", "Flatten", "Dense"))
    after = lines_of(chain("InputLayer", "Conv2D", "Dropout", "Flatten", "Dense"))
    bare = [line.partition(" | ")[0] for line in after if not line.startswith("Dropout")]
    assert bare == [line.partition(" | ")[0] for line in before]


def test_names_that_keras_makes_are_left_out_and_names_of_users_kept():
    names = {
        "conv2d_17": "",
        "conv2d": "",
        "deep/conv2d_3": "",
        "stem": "stem",
        "deep/conv_3": "conv_3",
        "ends in a | bar": "",
    }
    for path, shown in names.items():
        graph = chain("InputLayer", Layer(path, "Conv2D"))
        assert lines_of(graph)[1].rpartition(" | ")[2] == (shown or lines_of(graph)[1]), path


def test_the_order_of_construction_changes_nothing(residual):
    """Two branches, called in either order: the walk from the output decides."""
    layers = (Layer("i", "InputLayer", "input"), Layer("a", "Dense"), Layer("b", "Dense"))
    layers += (Layer("c", "Concatenate"),)
    one = (Node(0), Node(1, (Value(0),)), Node(2, (Value(0),)), Node(3, ([Value(1), Value(2)],)))
    two = (Node(0), Node(2, (Value(0),)), Node(1, (Value(0),)), Node(3, ([Value(2), Value(1)],)))
    graphs = [ModelGraph("m", "Keras 3.3", layers, n, Value(0), Value(3)) for n in (one, two)]
    assert text_of(graphs[0]) == text_of(graphs[1])


def test_several_inputs_keep_their_order():
    layers = (Layer("a", "InputLayer", "input"), Layer("b", "InputLayer", "input"))
    nodes = (Node(0), Node(1), Node(2, ([Value(1), Value(0)],)))
    graph = ModelGraph(
        "m", "Keras 3.3", (*layers, Layer("c", "Add")), nodes, [Value(1), Value(0)], Value(2)
    )
    assert lines_of(graph)[:2] == [
        "InputLayer(number=1) -> nothing | b",
        "InputLayer(number=2) -> nothing | a",
    ]
    assert [layer.path for layer in read(text_of(graph)).graph.layers][:2] == ["b", "a"]


GOOD = text_of(chain("InputLayer", "Dense", "Dense"))


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("# pytest-layercount baseline 2", "# something else", 1, "a baseline begins with"),
        ("baseline 2", "baseline 3", 1, "a baseline begins with"),
        ("keras: Keras 3.15.0\n", "", 8, "must say 'keras: ...'"),
        ("layers: 3", "layers: three", 10, "must give a whole number"),
        ("layers: 3", "layers: 4", 10, "says another number of layers than the lines below"),
        ("parameters: 20", "parameters: 2", 14, "which make 20"),
        ("macs: 2048\n", "macs: 2048\nmore: 1\n", 18, "must be empty"),
        ("outputs(up1)\n", "", 22, "the file ends without its last line"),
        ("outputs(up1)", "outputs(up9)", 22, "reads from above the first line"),
        ("outputs(up1)\n", "outputs(up1)\noutputs(up1)\n", 23, "stands after outputs(...)"),
        ("| dense1", "| dense1\n<<<<<<< HEAD", 21, "is not the call of a layer"),
        ("Dense()", "Dense(", 20, "is not the call of a layer"),
        ("Dense()", "__import__('os').system('true')", 20, "is not the call of a layer"),
        ("Dense()", "Dense(units=open('x'))", 20, "is not the call of a layer"),
        ("(None, 8, 8, 4)", "(None, 8, 8, x)", 19, "is not the call of a layer"),
        ("10 parameters", "ten parameters", 20, "is not the call of a layer"),
    ],
)
def test_a_damaged_baseline_says_which_line(old, new, line, problem):
    with pytest.raises(Malformed) as error:
        read(GOOD.replace(old, new, 1))
    assert error.value.line == line
    assert problem in error.value.problem


@pytest.mark.parametrize("keep", range(0, len(GOOD), 7))
def test_half_a_baseline_is_damaged(keep):
    with pytest.raises(Malformed):
        read(GOOD[:keep])


def test_a_deep_literal_is_damaged_not_a_crash():
    deep = f"Dense(units={'(' * 5000}{')' * 5000})"
    with pytest.raises(Malformed) as error:
        read(GOOD.replace("Dense()", deep, 1))
    assert error.value.line == 20


def test_a_shared_layer_counts_once(residual):
    again = replace(
        residual, layers=residual.layers[:4], nodes=residual.nodes[:5], outputs=Value(4)
    )
    assert baseline("t", "n", "layers", again).numbers["parameters"] == 160


def test_work_is_counted_anew_from_the_lines():
    """So that the same formula is used for a model and its baseline, whatever wrote that."""
    assert read(GOOD.replace("macs: 2048", "macs: 7")).numbers["macs"] == 2048


def test_how_a_model_was_seen_is_kept(residual):
    counted = (*residual.layers[:3], replace(residual.layers[3], kind="layer"))
    traced = replace(residual, layers=counted + residual.layers[4:], seen="traced function")
    for graph in (traced, replace(residual, seen="one call")):
        again = read(text_of(graph))
        assert again.graph.seen == graph.seen
        assert [layer.kind for layer in again.graph.layers] == [one.kind for one in graph.layers]
        assert written(again) == text_of(graph)
    with pytest.raises(Malformed) as error:
        read(GOOD.replace("Functional", "Imperative"))
    assert (error.value.line, error.value.problem) == (
        9,
        "must be one of Functional, Sequential, seen in one call, traced function",
    )


def test_an_argument_that_is_a_dictionary(residual):
    named = {"scale": {"first": 2, "second": Value(2)}}
    nodes = (*residual.nodes[:5], replace(residual.nodes[5], kwargs=named), residual.nodes[6])
    graph = replace(residual, nodes=nodes)
    assert read(text_of(graph)).graph.nodes[5].kwargs == named


def test_a_baseline_that_cannot_be_read(tmp_path):
    with pytest.raises(BaselineError) as error:
        load(tmp_path, "x.txt")
    assert str(error.value) == "cannot read the baseline x.txt: Is a directory"
