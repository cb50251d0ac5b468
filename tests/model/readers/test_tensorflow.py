"""Functions that TensorFlow traced: counted, and explained against the model they came from."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount import ModelError, count_layers, explain, fold, plan_fold, read_graph
from pytest_layercount.model.readers.tensorflow.composites import scale_of
from tests.conftest import needs_keras
from tests.kerases import generation, load_keras

pytestmark = needs_keras


def network() -> Any:
    """A layer of most kinds, some in a nested model, one called twice."""
    keras = load_keras()
    layers = keras.layers
    inner = keras.Sequential(
        [keras.Input((6, 6, 4)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization()],
        name="inner",
    )
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Rescaling(1 / 255, offset=-0.5)(image)
    x = layers.Conv2D(4, 3, use_bias=False)(x)
    x = layers.BatchNormalization(epsilon=1e-5)(x)
    x = layers.Activation("swish")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Add()([x, inner(x)])
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.SeparableConv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.BatchNormalization(center=False)(x)
    x = layers.Conv2D(4, 2, dilation_rate=2, activation="gelu")(x)
    x = layers.ReLU(6.0)(layers.ZeroPadding2D(((0, 1), (2, 3)))(x))
    x = layers.Conv2DTranspose(2, 3, strides=2)(layers.MaxPooling2D()(x))
    x = layers.UpSampling2D(2)(layers.PReLU(shared_axes=[1, 2])(x))
    x = layers.Concatenate()([x, x])
    x = layers.Reshape((-1, 4))(x)
    x = layers.Conv1D(4, 3, padding="causal")(x)
    x = layers.LayerNormalization()(layers.AveragePooling1D(2)(x))
    twice = layers.Dense(4, activation="relu")
    x = twice(twice(x))
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.GlobalAveragePooling1D()(x * 2.0)
    x = layers.Dense(3, activation="softmax")(layers.BatchNormalization()(x))
    return keras.Model(image, x, name="network")


@pytest.fixture(scope="module")
def model() -> Any:
    model = network()
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.5, 1.5, one.shape) for one in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def exported(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("saved") / "exported"
    model.export(str(path))
    return path


def concrete(call: Any, *shape: int | None) -> Any:
    import tensorflow as tf

    return tf.function(call).get_concrete_function(tf.TensorSpec(shape))


def explained(one: Any, two: Any, count: Any = "layers") -> dict[str, int]:
    """The causes in both directions, all of them causes and summing."""
    for first, second in ((two, one), (one, two)):
        explanation = explain(first, second, count=count)
        assert not explanation.unexplained
        assert not explanation.changed
        assert sum(cause.delta for cause in explanation.causes) == explanation.delta
    return {cause.code: cause.delta for cause in explanation.causes}


def test_an_export_has_all_but_the_dropout(model: Any, exported: Path) -> None:
    graph = read_graph(exported)
    assert graph.seen == "traced function"
    assert graph.keras.startswith("TensorFlow 2.")
    assert graph.keras.endswith(", traced function")
    assert explained(model, graph) == {"no-ops": -1}
    assert explained(model, graph, "nodes") == {"no-ops": -1}
    live, traced = count_layers(model), count_layers(exported)
    # The seed of the dropout is the only other thing that Keras 3 leaves out.
    assert traced.trainable_parameters == live.trainable_parameters
    assert live.parameters - traced.parameters in (0, 2)


def test_a_concrete_function_is_the_same(model: Any, exported: Path) -> None:
    function = concrete(lambda x: model(x, training=False), None, 8, 8, 3)
    assert explained(read_graph(function), exported) == {}


def test_what_a_saved_model_shows_folds_as_the_model_does(model: Any, exported: Path) -> None:
    ours, theirs = (
        [(one.type, one.rule, one.condition) for one in plan_fold(each).folds]
        for each in (exported, model)
    )
    norms = [one for one in ours if one[0] == "BatchNormalization"]
    assert norms == [one for one in theirs if one[0] == "BatchNormalization"]
    assert len(norms) >= 3
    assert len(ours) == len(theirs)


def test_a_frozen_function_of_the_folded_model(model: Any) -> None:
    from tensorflow.python.framework import convert_to_constants

    result = fold(model)
    function = concrete(lambda x: result.model(x, training=False), None, 8, 8, 3)
    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    found = explained(model, read_graph(frozen))
    folded = [one for one in result.folds if one.type == "BatchNormalization"]
    assert len(folded) >= 3
    assert found["batch-norms-folded"] == -len(folded)
    assert set(found) <= {"affine-folded", "batch-norms-folded", "no-ops"}


def test_a_frozen_function_keeps_its_batch_norms(model: Any) -> None:
    from tensorflow.python.framework import convert_to_constants

    function = concrete(lambda x: model(x, training=False), None, 8, 8, 3)
    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    assert explained(model, read_graph(frozen)) == {"no-ops": -1}


def test_dilated_convolutions_of_one_dimension() -> None:
    keras = load_keras()
    kinds = [{"padding": "valid"}, {"padding": "same"}, {"padding": "causal"}]
    convolutions = [keras.layers.Conv1D(4, 3, dilation_rate=2, **kind) for kind in kinds]
    model = keras.Sequential([keras.Input((None, 4)), *convolutions])
    graph = read_graph(concrete(lambda x: model(x, training=False), None, 12, 4))
    assert [layer.type for layer in graph.layers[1:]] == ["Conv1D"] * 3
    live = read_graph(model)
    assert [layer.config for layer in graph.layers[1:]] == [
        layer.config for layer in live.layers[1:]
    ]
    free = read_graph(concrete(lambda x: model(x, training=False), None, None, 4))
    # Without the sizes, what TensorFlow pads is not told; what is padded on the left only is.
    assert [layer.config["padding"] for layer in free.layers[1:]] == [None, None, "causal"]


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((4,), {}),
        ((12, 4), {"epsilon": 0.01}),
        ((12, 4), {"axis": 1}),
        ((12, 4), {"scale": False}),
        ((12, 4), {"center": False}),
        ((12, 4), {"scale": False, "center": False}),
        ((8, 6, 4), {}),
        ((4, 8, 6), {"axis": 1, "scale": False}),
    ],
)
def test_a_batch_normalization_that_trains(shape: Any, settings: Any) -> None:
    keras = load_keras()
    norm = keras.layers.BatchNormalization(**settings)
    model = keras.Sequential([keras.Input(shape), norm, keras.layers.Softmax()])
    graph = read_graph(concrete(lambda x: model(x, training=True), None, *shape))
    (layer,) = (layer for layer in graph.layers if layer.type == "BatchNormalization")
    axis = settings.get("axis", len(shape))
    wanted = {"scale": True, "center": True, "epsilon": 1e-3, **settings, "axis": axis}
    assert {name: layer.config[name] for name in wanted} == pytest.approx(wanted, rel=1e-6)
    assert layer.builtin
    assert layer.trainable_parameters == sum(map(np.size, norm.trainable_weights))
    assert len(graph.layers) == 3
    (trained,) = (node for node in graph.nodes if graph.layers[node.layer] is layer)
    assert trained.training is True
    assert trained.shapes == ((None, *shape),)


def test_moments_that_are_no_batch_normalization() -> None:
    """Of other data, without the batch, or over one axis too few."""
    import tensorflow as tf

    def normalized(x: Any, source: Any, axes: list[int]) -> Any:
        with tf.name_scope("net/norm"):
            mean, variance = tf.nn.moments(source, axes, keepdims=True)
            normal = tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)
        with tf.name_scope("net/after"):
            return tf.nn.softmax(normal)

    def types(axes: list[int], *, other: bool = False) -> set[str]:
        spec = tf.TensorSpec((None, 6, 4))
        call = tf.function(lambda x, y: normalized(x, y if other else x, axes))
        return {layer.type for layer in read_graph(call.get_concrete_function(spec, spec)).layers}

    assert "BatchNormalization" in types([0, 1])
    for axes, other in (([0, 1], True), ([1, 2], False), ([0], False), ([0, 1, 2], False)):
        assert "BatchNormalization" not in types(axes, other=other), (axes, other)


@pytest.mark.skipif("LAYERCOUNT_TEST_FEW" in os.environ, reason="other versions run it")
def test_mobilenet_v2_as_built_and_as_deployed() -> None:
    from tensorflow.python.framework import convert_to_constants

    model = load_keras().applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=3)
    built = concrete(lambda x: model(x, training=False), None, 32, 32, 3)
    assert explained(model, read_graph(built)) == {}
    lean = fold(model).model
    deployed = concrete(lambda x: lean(x, training=False), None, 32, 32, 3)
    frozen = read_graph(convert_to_constants.convert_variables_to_constants_v2(deployed))
    assert explained(model, frozen) == {"batch-norms-folded": -52}


def test_a_model_rebuilt_in_tensorflow() -> None:
    """Batch normalization fused, by TensorFlow's function, and written out by hand."""
    import tensorflow as tf

    keras = load_keras()
    layers = keras.layers
    random = np.random.default_rng(0)
    kernels = [tf.Variable(random.normal(size=(3, 3, 4, 4)), dtype=tf.float32) for _ in range(3)]
    norms = [
        [tf.Variable(random.uniform(0.5, 1.5, 4), dtype=tf.float32) for _ in range(4)]
        for _ in range(3)
    ]

    def rebuilt(x: Any) -> Any:
        (g0, b0, m0, v0), (g1, b1, m1, v1), (g2, b2, m2, v2) = norms
        x = tf.nn.conv2d(x, kernels[0], 1, "SAME")
        x = tf.compat.v1.nn.fused_batch_norm(x, g0, b0, m0, v0, 1e-3, is_training=False)[0]
        x = y = tf.nn.relu(x)
        x = tf.nn.conv2d(x, kernels[1], 1, "SAME")
        x = tf.nn.batch_normalization(x, m1, v1, b1, g1, 1e-3)
        x = tf.nn.relu(x)
        x = tf.nn.conv2d(x, kernels[2], 1, "SAME")
        x = (x - m2) / tf.sqrt(v2 + 1e-3) * g2 + b2
        return tf.reduce_mean(tf.nn.relu(x + y), [1, 2])

    image = keras.Input((8, 8, 4))
    found = [image]
    for number in range(3):
        x = layers.Conv2D(4, 3, padding="same", use_bias=False)(found[-1])
        x = layers.BatchNormalization()(x)
        x = layers.Add()([x, found[1]]) if number == 2 else x
        found.append(layers.ReLU()(x))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(found[-1]))
    assert explained(model, read_graph(concrete(rebuilt, None, 8, 8, 4))) == {}


def test_operations_that_are_no_layer_are_shown() -> None:
    import tensorflow as tf

    def call(x: Any) -> Any:
        with tf.name_scope("mine"):
            return tf.math.erf(tf.cumsum(tf.sort(x)))

    graph = read_graph(concrete(call, None, 4))
    shown = [graph.layer_of(node).type for node in range(len(graph.nodes))]
    assert "TopKV2" in " ".join(shown)
    assert "Erf" in " ".join(shown)
    with pytest.raises(ModelError, match=r"has no model\.layers to count"):
        count_layers(graph, count="top")


def test_a_path_leaves_out_the_scope_around_all() -> None:
    import tensorflow as tf

    def call(x: Any, scopes: tuple[str, str]) -> Any:
        with tf.name_scope(scopes[0]):
            x = tf.math.erf(tf.cumsum(x))
        with tf.name_scope(scopes[1]):
            return tf.math.sin(x)

    for outer, paths in (
        (("net/first", "net/second"), ["first", "second"]),
        (("net/first", "other/second"), ["net/first", "other/second"]),
    ):
        _, *layers = read_graph(concrete(partial(call, scopes=outer), None, 4)).layers
        assert [layer.path for layer in layers] == paths
        assert [layer.type for layer in layers] == ["Cumsum+Erf", "Sin"]


@pytest.mark.parametrize(
    ("before", "after", "scale"),
    [
        ((None, 4, 5, 3), (None, 8, 15, 3), (2, 3)),
        ((None, 4, 3), (None, 4, 3), (1,)),
        ((None, 4, 5, 3), (None, 8, 14, 3), None),
        ((None, 4, 5, 3), (None, 9, 15, 3), None),
        ((None, None, 5, 3), (None, 8, 15, 3), None),
        ((None, 4, 5, 3), (None, None, 15, 3), None),
        ((None, 0, 5, 3), (None, 8, 15, 3), None),
        ((None, 4, 3), (None, 8, 15, 3), None),
        (None, (None, 8, 3), None),
        ((None, 4, 3), None, None),
    ],
)
def test_how_much_larger_an_image_has_become(before: Any, after: Any, scale: Any) -> None:
    assert scale_of(before, after) == scale


def test_operations_that_only_begin_like_a_layer_are_shown() -> None:
    """A hard sigmoid is bounded by a number, and no power belongs to a normalization."""
    import tensorflow as tf

    weights = tf.Variable([1.0, 2.0, 3.0, 4.0])

    def call(x: Any) -> Any:
        bounded = tf.maximum(tf.minimum(0.2 * x + 0.5, 1.0), tf.square(x))
        return tf.pow(bounded / tf.sqrt(weights + 1e-3), weights)

    graph = read_graph(concrete(call, None, 4))
    assert {"Maximum", "Pow"} <= {layer.type for layer in graph.layers}
    assert "Activation" not in {layer.type for layer in graph.layers}


@pytest.mark.parametrize(
    ("steps", "cropping"),
    [
        (slice(1, -2), (1, 2)),
        (slice(None, -2), (0, 2)),
        (slice(3, None), (3, 0)),
        (slice(-6, -1), (2, 1)),
        (slice(None, None, 2), None),
        (slice(None, None, -1), None),
    ],
)
def test_only_a_slice_without_steps_is_a_cropping(steps: slice, cropping: Any) -> None:
    import tensorflow as tf

    def call(data: Any) -> Any:
        with tf.name_scope("sliced/crop"):
            sliced = data[:, steps, :]
        with tf.name_scope("sliced/other"):
            return tf.math.erf(sliced)

    graph = read_graph(concrete(call, None, 8, 3))
    layer = graph.layer_of(1)
    assert layer.type == ("Cropping1D" if cropping else "StridedSlice")
    if cropping:
        assert layer.config["cropping"] == cropping


def test_a_function_without_a_signature_of_its_own() -> None:
    import tensorflow as tf

    with pytest.raises(ModelError, match=r"give one of them, function.get_concrete_function"):
        read_graph(tf.function(lambda x: x))
    constant = tf.function(lambda x: tf.constant(1.0)).get_concrete_function(tf.TensorSpec([2]))
    with pytest.raises(ModelError, match="nothing that it returns depends on what it takes"):
        read_graph(constant)


def test_a_traced_function_is_not_folded(model: Any, exported: Path) -> None:
    function = concrete(lambda x: model(x, training=False), None, 8, 8, 3)
    with pytest.raises(ModelError, match="there is no Keras model in it to fold"):
        fold(function)
    with pytest.raises(ModelError, match="and no Keras model to fold"):
        fold(exported)


def test_what_keras_2_saves_is_read_from_its_configuration(model: Any, tmp_path: Path) -> None:
    if generation(load_keras()) == 3:
        pytest.skip("Keras 3 writes no configuration beside a SavedModel")
    model.save(str(tmp_path / "saved"), save_format="tf")
    graph = read_graph(tmp_path / "saved")
    assert graph.seen == "graph"
    assert explain(model, graph).same
    assert graph.top == read_graph(model).top
    (tmp_path / "saved" / "keras_metadata.pb").write_bytes(b"\x0a\xff\xff")
    assert explained(model, read_graph(tmp_path / "saved")) == {"no-ops": -1}


def test_damaged_saved_models(exported: Path, tmp_path: Path) -> None:
    raw = (exported / "saved_model.pb").read_bytes()
    cases = {
        "truncated": (raw[: len(raw) // 2], "is damaged"),
        "nothing": (b"", "holds no graph"),
        "foreign": (b"PK\x03\x04 and more", "is damaged"),
    }
    for name, (content, said) in cases.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(content)
        with pytest.raises(ModelError, match=said) as caught:
            read_graph(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(caught.value)


def edited(exported: Path, path: Path, edit: Any) -> Path:
    """A copy of a SavedModel's description with something wrong in it."""
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    edit(message.meta_graphs[0])
    path.mkdir()
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    return path


def _no_signature(graph: Any) -> None:
    graph.signature_def.clear()


def _other_signatures(graph: Any) -> None:
    for name in ("one", "two"):
        graph.signature_def[name].CopyFrom(graph.signature_def["serving_default"])
    for name in ("serve", "serving_default"):
        graph.signature_def.pop(name, None)


def _no_functions(graph: Any) -> None:
    graph.graph_def.library.Clear()


def _call_themselves(graph: Any) -> None:
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if node.op == "StatefulPartitionedCall":
                node.attr["f"].func.name = function.signature.name


def _own_result(graph: Any) -> None:
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if node.op == "Conv2D":
                node.input[0] = f"{node.name}:output:0"


def _unknown_operation(graph: Any) -> None:
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if node.op == "Conv2D":
                node.op = "NobodysOperation"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_no_signature, "without signatures"),
        (_other_signatures, "with the signatures one, two and no serving_default"),
        (_no_functions, "which is not there"),
        (_call_themselves, "call one another without end|another number of arguments"),
        (_own_result, "needs its own result"),
        (_unknown_operation, "'NobodysOperation' is not known to the TensorFlow installed"),
    ],
)
def test_hostile_saved_models(edit: Any, said: str, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        read_graph(edited(exported, tmp_path / "edited", edit))
    assert "\n" not in str(caught.value)
