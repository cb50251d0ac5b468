"""Reading live models of the installed Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import needs_keras
from tests.kerases import generation, load_keras

pytestmark = needs_keras


@pytest.fixture(scope="module")
def keras() -> Any:
    return load_keras()


@pytest.fixture(scope="module")
def layers(keras: Any) -> Any:
    return keras.layers


def read(model: Any) -> Any:
    from pytest_layercount import read_graph

    return read_graph(model)


def count(model: Any, how: Any = "layers") -> int:
    from pytest_layercount import count_layers

    return count_layers(model, count=how).total


def paths(model: Any) -> list[str]:
    return [layer.path for layer in read(model).layers]


def test_functional(keras: Any, layers: Any) -> None:
    entry = keras.Input((8, 8, 3), name="entry")
    model = keras.Model(entry, layers.Conv2D(4, 3, name="conv")(entry), name="net")
    graph = read(model)
    assert (graph.name, graph.keras.split()[-1]) == ("net", keras.__version__)
    assert paths(model) == ["entry", "conv"]
    assert graph.nodes[1].shapes == ((None, 6, 6, 4),)
    assert graph.nodes[1].dtypes == ("float32",)
    assert graph.layers[1].parameters == 3 * 3 * 3 * 4 + 4


def test_sequential_leaves_its_input_out(keras: Any, layers: Any) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.Dense(2)])
    assert count(model) == len(model.layers) == 2


def test_nodes_that_building_a_sequential_model_leaves_behind(keras: Any, layers: Any) -> None:
    model = keras.Sequential([keras.Input((4,))])
    for _ in range(5):
        model.add(layers.Dense(4))
    assert count(model, "nodes") == 5


def test_consumers_in_another_model_do_not_count(keras: Any, layers: Any) -> None:
    entry = keras.Input((4,))
    middle = layers.Dense(4)(entry)
    model = keras.Model(entry, layers.Dense(2)(middle))
    keras.Model(entry, layers.Dense(3)(middle))
    assert count(model, "nodes") == 2


def test_nested_models_are_opened(keras: Any, layers: Any) -> None:
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")], name="block"
    )
    entry = keras.Input((4,), name="entry")
    model = keras.Model(entry, layers.Dense(2, name="head")(inner(entry)))
    assert paths(model) == ["entry", "block/a", "block/b", "head"]
    assert (count(model), count(model, "top"), len(model.layers)) == (4, 3, 3)


def test_a_nested_model_called_twice_is_the_same_layers(keras: Any, layers: Any) -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a")], name="block")
    entry = keras.Input((4,))
    model = keras.Model(entry, inner(inner(entry)))
    assert (count(model), count(model, "nodes")) == (2, 2)


def test_inputs_and_outputs_in_dictionaries(keras: Any, layers: Any) -> None:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    both = layers.Add()([left, right])
    model = keras.Model(
        {"left": left, "right": right}, {"sum": both, "dense": layers.Dense(2)(both)}
    )
    graph = read(model)
    assert set(graph.inputs) == {"left", "right"}
    assert set(graph.outputs) == {"sum", "dense"}


def test_a_nested_model_with_dictionaries(keras: Any, layers: Any) -> None:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    inner = keras.Model(
        {"left": left, "right": right},
        {
            "a": layers.Dense(3, name="for_left")(left),
            "b": layers.Dense(5, name="for_right")(right),
        },
        name="inner",
    )
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    inside = inner({"right": one, "left": two})
    model = keras.Model([one, two], [inside["b"], inside["a"]])
    graph = read(model)
    called = {graph.layer_of(n).name: graph.nodes[n].inputs for n in range(len(graph.nodes))}
    entries = {
        layer.name: value
        for layer, value in zip(
            (graph.layer_of(v.node) for v in graph.inputs), graph.inputs, strict=True
        )
    }
    assert called["for_left"] == (entries["two"],)
    assert called["for_right"] == (entries["one"],)
    assert [graph.shape(value) for value in graph.outputs] == [(None, 5), (None, 3)]


def test_operations(keras: Any, layers: Any) -> None:
    entry = keras.Input((4,))
    model = keras.Model(entry, layers.Dense(2)(entry * 2.0))
    graph = read(model)
    assert [layer.operation for layer in graph.layers] == [None, "multiply", None]
    assert count(model) == len(model.layers) == (3 if generation(keras) == 2 else 2)
    assert count(model, "nodes") == 2


def test_a_wrapper_is_one_layer(keras: Any, layers: Any) -> None:
    entry = keras.Input((5, 4))
    model = keras.Model(entry, layers.Bidirectional(layers.LSTM(3))(entry))
    assert count(model) == len(model.layers) == 2
    assert read(model).layers[1].parameters == model.count_params()


def test_a_variable_counts_once(keras: Any, layers: Any) -> None:
    shared = layers.Dense(4)
    entry = keras.Input((4,))
    model = keras.Model(entry, shared(shared(entry)))
    assert sum(layer.parameters for layer in read(model).layers) == model.count_params() == 20


def test_frozen_layers_have_no_trainable_parameters(keras: Any, layers: Any) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, trainable=False)])
    (_, dense) = read(model).layers
    assert (dense.parameters, dense.trainable_parameters) == (10, 0)


@pytest.mark.parametrize("flag", [True, False])
def test_the_training_flag_of_a_call(keras: Any, layers: Any, flag: bool) -> None:
    entry = keras.Input((4,))
    model = keras.Model(entry, layers.Dropout(0.5)(entry, training=flag))
    assert read(model).nodes[1].training is flag


@pytest.mark.parametrize("flag", [1, 0, np.True_, np.False_, np.int64(1), 1.0])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_training_flag_of_another_type(
    keras: Any, layers: Any, flag: Any, suffix: str, tmp_path: Any
) -> None:
    from pytest_layercount.folding.planner import plan_graph

    entry = keras.Input((4,))
    x = layers.BatchNormalization()(layers.Dense(3)(entry), training=flag)
    model = keras.Model(entry, x)
    model.save(tmp_path / f"model{suffix}")
    for graph in (read(model), read(tmp_path / f"model{suffix}")):
        assert graph.nodes[2].training is bool(flag)
        assert len(plan_graph(graph).folds) == (not flag)


def test_the_training_flag_of_an_enclosing_model(keras: Any, layers: Any) -> None:
    inner_entry = keras.Input((4,))
    x = layers.Dropout(0.5, name="free")(inner_entry)
    x = layers.Dropout(0.5, name="pinned")(x, training=False)
    inner = keras.Model(inner_entry, x, name="inner")
    entry = keras.Input((4,))
    graph = read(keras.Model(entry, inner(entry, training=True)))
    flags = {graph.layer_of(n).name: node.training for n, node in enumerate(graph.nodes)}
    # Keras 3 hands the flag of the outermost call to all, Keras 2 obeys the innermost.
    assert flags["free"] is True
    assert flags["pinned"] is (generation(keras) == 3)


def test_the_users_own_classes_are_not_built_in(keras: Any, layers: Any) -> None:
    class Conv2D(layers.Conv2D):  # type: ignore[misc,name-defined]
        pass

    entry = keras.Input((8, 8, 3))
    graph = read(keras.Model(entry, Conv2D(4, 3)(entry)))
    assert (graph.layers[1].type, graph.layers[1].builtin) == ("Conv2D", False)


def test_a_tied_variable_seals_both_layers(keras: Any, layers: Any) -> None:
    first, second = layers.Dense(4), layers.Dense(4)
    entry = keras.Input((4,))
    model = keras.Model(entry, second(first(entry)))
    if generation(keras) == 3:
        second._tracker.unlock()
        second._kernel = first._kernel
        second._trainable_variables[0] = first._trainable_variables[0]
    else:
        second.kernel = first.kernel
        second._trainable_weights[0] = first._trainable_weights[0]
    assert [layer.sealed for layer in read(model).layers] == [None, "tied", "tied"]


def test_what_is_no_model_is_named() -> None:
    from pytest_layercount.errors import ModelError

    with pytest.raises(
        ModelError, match=r"expected a Keras model .* got an object of type builtin"
    ):
        read(3)


def test_a_sequential_model_without_a_shape_says_what_to_do(keras: Any, layers: Any) -> None:
    from pytest_layercount.errors import ModelError

    with pytest.raises(ModelError, match=r"call model\.build"):
        read(keras.Sequential([layers.Dense(2)]))


@pytest.mark.parametrize(
    ("name", "said"), [("x.keras", "no such file"), ("x.onnx", "expected a model saved as")]
)
def test_a_path_that_is_no_model_is_named(name: str, said: str, tmp_path: Any) -> None:
    from pytest_layercount.errors import ModelError

    with pytest.raises(ModelError, match=said):
        read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_model(keras: Any, layers: Any, tmp_path: Any, suffix: str) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="head")])
    model.save(str(tmp_path / f"x{suffix}"))
    assert "head" in paths(tmp_path / f"x{suffix}")


def test_a_mask_reaches_into_a_model_inside(keras: Any, layers: Any) -> None:
    start = keras.Input((5, 4))
    inside = layers.BatchNormalization(name="n")(start)
    inside = layers.LSTM(3, return_sequences=True, name="l")(inside)
    inside = layers.Rescaling(2.0, name="r")(inside)
    block = keras.Model(start, [inside, layers.LSTM(3, name="last")(inside)], name="m")
    entry = keras.Input((5,), dtype="int32")
    embedded = layers.Embedding(5, 4, mask_zero=True, name="e")(entry)
    sequence, _ = block(embedded)
    graph = read(keras.Model(entry, layers.Dense(2, name="d")(sequence)))
    masked = {
        layer.path: graph.nodes[graph.calls[number][0]].masked[0]
        for number, layer in enumerate(graph.layers)
        if layer.kind == "layer" and layer.operation is None
    }
    on = layers.Rescaling(1.0).supports_masking
    ahead = {"e": True, "m/n": True, "m/l": True, "m/last": False}
    assert masked == {**ahead, "m/r": on, "d": on}
