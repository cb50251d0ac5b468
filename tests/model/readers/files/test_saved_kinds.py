"""What files leave out, name otherwise or only tell elsewhere: still what Keras finds in them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount import count_layers, plan_fold, read_graph
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.readers.files.classes import class_of
from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, load_keras, skip_in_keras_3_3

pytestmark = needs_keras

if has_keras():
    keras = load_keras()
    layers = keras.layers

GENERATION = generation(load_keras()) if has_keras() else 0
IMAGE, LINE, WORDS = (8, 8, 3), (6, 4), (3,)

if has_keras():

    @keras.utils.register_keras_serializable("saved kinds")
    class ByCode(keras.Model):  # type: ignore[misc,name-defined]
        """A model whose graph only its code tells, though it is one for Keras."""

        def __init__(self, **kwargs: Any) -> None:
            entry = keras.Input(LINE)
            pooled = layers.MaxPooling1D(name="pool")(layers.Conv1D(3, 1)(entry))
            super().__init__(entry, layers.BatchNormalization(name="bn")(pooled), **kwargs)

        def get_config(self) -> dict[str, Any]:
            return {"name": self.name}

        @classmethod
        def from_config(cls, config: Mapping[str, Any], **_: Any) -> Any:
            return cls(**config)


def saved(model: Any, tmp_path: Path, suffix: str) -> Path:
    path = tmp_path / f"model{suffix}"
    if suffix == ".json":
        path.write_text(model.to_json())
    else:
        model.save(str(path))
    return path


def tensors(graph: ModelGraph) -> list[Any]:
    return [
        (graph.layer_of(n).path, node.shapes, node.dtypes) for n, node in enumerate(graph.nodes)
    ]


def assert_same(model: Any, path: Path) -> None:
    """The file says of the model what the model says of itself."""
    ours, theirs = read_graph(path), read_graph(model)
    assert ours.top == theirs.top
    assert tensors(ours) == tensors(theirs)
    counted, wanted = count_layers(ours), count_layers(theirs)
    for name in ("by_type", "parameters", "trainable_parameters", "weight_bytes", "macs"):
        assert getattr(counted, name) == getattr(wanted, name), name
    planned, expected = plan_fold(path), plan_fold(model)
    assert (planned.folds, planned.removed) == (expected.folds, expected.removed)
    assert [r.reason for r in planned.refusals] == [r.reason for r in expected.refusals]


# Layers by what makes them: the kind, its arguments, the shape and the data type of the input.
LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any, str]] = [
    ("SpatialDropout1D", (0.2,), {}, LINE, "float32"),
    ("SpatialDropout2D", (0.2,), {}, IMAGE, "float32"),
    ("Discretization", ([0.0, 1.0],), {}, WORDS, "float32"),
    ("Discretization", ([0.0, 1.0],), {"output_mode": "multi_hot"}, WORDS, "float32"),
    ("CategoryEncoding", (4,), {"output_mode": "multi_hot"}, WORDS, "int32"),
    ("CategoryEncoding", (4,), {"output_mode": "one_hot"}, (1,), "int32"),
    ("Hashing", (5,), {}, WORDS, "string"),
    ("Hashing", (5,), {"output_mode": "count"}, WORDS, "int32"),
    ("IntegerLookup", (), {"vocabulary": [3, 4, 5]}, WORDS, "int64"),
    ("StringLookup", (), {"vocabulary": ["a", "b"]}, WORDS, "string"),
    ("StringLookup", (), {"vocabulary": ["a"], "output_mode": "multi_hot"}, WORDS, "string"),
    (
        "StringLookup",
        (),
        {
            "vocabulary": ["a"],
            "max_tokens": 9,
            "pad_to_max_tokens": True,
            "output_mode": "count",
        },
        WORDS,
        "string",
    ),
    ("StringLookup", (), {"vocabulary": ["a"], "invert": True}, WORDS, "int64"),
    ("TextVectorization", (), {"vocabulary": ["a"]}, (1,), "string"),
    (
        "TextVectorization",
        (),
        {"vocabulary": ["a"], "output_sequence_length": 4},
        (1,),
        "string",
    ),
    ("TextVectorization", (), {"vocabulary": ["a"], "output_mode": "count"}, (1,), "string"),
    ("ConvLSTM1D", (4, 2), {"strides": 2, "padding": "same"}, (3, 6, 2), "float32"),
    ("ConvLSTM2D", (4, 2), {"return_sequences": True}, (3, 6, 6, 2), "float32"),
    ("GRU", (5,), {"reset_after": False}, LINE, "float32"),
    ("LocallyConnected1D", (4, 3), {}, LINE, "float32"),
    ("LocallyConnected2D", (4, 3), {"implementation": 2, "strides": 2}, IMAGE, "float32"),
    ("MelSpectrogram", (), {"fft_length": 256, "num_mel_bins": 16}, (2048,), "float32"),
    ("RandomHeight", (0.2,), {}, IMAGE, "float32"),
    ("RandomHue", (0.2,), {}, IMAGE, "float32"),
    ("RandomShear", (0.1, 0.1), {}, IMAGE, "float32"),
    ("LayerNormalization", (), {"rms_scaling": True}, IMAGE, "float32"),
    ("Resizing", (5, 6), {}, IMAGE, "uint8"),
    ("EinsumDense", ("abc,cd->abd",), {"output_shape": (None, 5)}, LINE, "float32"),
    ("RandomFlip", (), {}, IMAGE, "float32"),
    ("Softmax", (), {"robust_masking": True}, LINE, "float32"),
]


@pytest.mark.parametrize(
    "spec", LAYERS, ids=[f"{number}-{spec[0]}" for number, spec in enumerate(LAYERS)]
)
def test_a_layer_of_keras(spec: Any, tmp_path: Path) -> None:
    kind, args, settings, shape, dtype = spec
    try:
        layer = getattr(layers, kind)(*args, **settings)
    except (AttributeError, TypeError, ValueError):  # Keras 3 has a ValueError for arguments
        pytest.skip(f"this Keras has no such {kind}")
    if "rms_scaling" in settings:
        skip_in_keras_3_3("does not save rms_scaling")
    entry = keras.Input(shape, dtype=dtype)
    model = keras.Model(entry, layer(entry))
    for suffix in (".h5", ".keras"):
        assert_same(model, saved(model, tmp_path, suffix))


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".json"])
def test_a_convolution_wrapped_for_its_spectral_norm(suffix: str, tmp_path: Path) -> None:
    if keras.__name__ == "tf_keras":
        pytest.skip("where tf.keras is Keras 3, that of tf_keras does not work")
    entry = keras.Input(IMAGE)
    wrapped = layers.SpectralNormalization(layers.Conv2DTranspose(4, 3))
    assert_same(model := keras.Model(entry, wrapped(entry)), saved(model, tmp_path, suffix))


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".json"])
def test_a_way_back_of_its_own(suffix: str, trainable: bool, tmp_path: Path) -> None:
    if keras.__name__ == "tf_keras":
        pytest.skip("where tf.keras is Keras 3, that of tf_keras does not work")
    back = layers.GRU(5, go_backwards=True, use_bias=False, trainable=trainable)
    both = layers.Bidirectional(layers.LSTM(3), backward_layer=back)
    entry = keras.Input(LINE)
    assert_same(model := keras.Model(entry, both(entry)), saved(model, tmp_path, suffix))


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_mask_goes_on_inside_a_model(suffix: str, tmp_path: Path) -> None:
    start = keras.Input((5, 4))
    steps = layers.Dense(4)(layers.Dropout(0.1)(start))
    inner = keras.Model(start, layers.LSTM(3)(steps))
    entry = keras.Input((5,), dtype="int32")
    model = keras.Model(entry, inner(layers.Embedding(9, 4, mask_zero=True)(entry)))
    for graph in (read_graph(model), read_graph(saved(model, tmp_path, suffix))):
        masked = {graph.layer_of(n).type: node.masked[0] for n, node in enumerate(graph.nodes)}
        assert {name for name, is_masked in masked.items() if is_masked} == {
            "Dense",
            "Dropout",
            "Embedding",
        }


def test_a_wrapper_in_a_wrapper(tmp_path: Path) -> None:
    entry = keras.Input((3, 6, 4))
    twice = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(3)))
    model = keras.Model(entry, twice(entry))
    path = saved(model, tmp_path, ".h5")
    assert read_graph(path).layers == read_graph(model).layers


_MADE: dict[str, Any] = {}
"""The user's own classes: a name can be registered only once."""


def own(name: str, package: str | None = None, **more: Any) -> Any:
    """A layer of the user's own that doubles its input."""
    key = f"{package}>{name}"
    if key not in _MADE:

        def call(self: Any, x: Any) -> Any:
            return x * 2.0

        def same(self: Any, shape: Any) -> Any:
            return shape

        kind = type(name, (layers.Layer,), {"call": call, "compute_output_shape": same, **more})
        if package is not None:
            kind = keras.saving.register_keras_serializable(package=package)(kind)
        _MADE[key] = kind
    return _MADE[key]


def name_only(self: Any) -> dict[str, Any]:
    return {"name": self.name}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize(
    ("name", "package", "more"),
    [
        ("Scale", None, {"get_config": name_only}),
        ("Dense", None, {}),
        ("Conv2D", "own/package", {}),
        ("BatchNormalization", "own", {}),
        ("Add", "own", {"get_config": name_only}),
    ],
)
def test_a_layer_of_the_users_own(
    name: str, package: str | None, more: Any, suffix: str, tmp_path: Path
) -> None:
    entry = keras.Input(IMAGE)
    inside = keras.Input(IMAGE)
    inner = keras.Model(inside, own(name, package, **more)()(inside))
    x = layers.Conv2D(4, 3)(inner(own(name, package, **more)()(entry)))
    model = keras.Model(entry, layers.BatchNormalization()(x))
    path = saved(model, tmp_path, suffix)
    ours, theirs = read_graph(path), read_graph(model)
    assert ours.top == theirs.top
    assert [(each.type, each.kind, each.builtin) for each in ours.layers] == [
        (each.type, each.kind, each.builtin) for each in theirs.layers
    ]
    unregistered = {name: own(name)} if package is None else {}
    loaded = keras.models.load_model(path, compile=False, custom_objects=unregistered)
    assert count_layers(path, count="top").total == len(loaded.layers)


def test_a_layer_with_a_setting_that_keras_has_nowhere(tmp_path: Path) -> None:
    """Without custom objects Keras could not make it of its own class of this name."""

    class Dense(layers.Dense):  # type: ignore[misc,name-defined]
        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "sharpness": 3}

    entry = keras.Input((4,))
    path = saved(keras.Model(entry, layers.Dense(3)(Dense(3)(entry))), tmp_path, ".h5")
    assert [layer.builtin for layer in read_graph(path).layers] == [True, False, True]


@pytest.mark.parametrize(
    ("version", "builtin"),
    [((2, 15, 0), False), ((2, 99, 0), True), ((3, 3, 0), False), ((3, 99, 0), True), ((), False)],
)
def test_a_later_keras_may_have_settings_of_its_own(
    version: tuple[int, ...], builtin: bool
) -> None:
    settings = {"units": 3, "trainable": True, "dtype": "float32", "sharpness": 3}
    entry = {"class_name": "Dense", "config": settings}
    assert class_of(entry, (version or (2,))[0], version).builtin is builtin


@pytest.mark.skipif(GENERATION == 2, reason="Keras 2 has no raw operations")
def test_operations_that_are_called_like_layers(tmp_path: Path) -> None:
    entry = keras.Input(IMAGE)
    x = layers.Add()([entry, entry]) + entry
    x = layers.Multiply()([x, x]) * keras.ops.ones_like(x)
    model = keras.Model(entry, layers.Conv2D(2, 3)(keras.ops.cast(x, "float32")))
    assert_same(model, saved(model, tmp_path, ".h5"))


@pytest.mark.skipif(GENERATION == 2, reason="Keras 2 has no operations of the user's own")
def test_an_operation_of_the_users_own(tmp_path: Path) -> None:
    class Twice(keras.Operation):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x * 2.0

        def compute_output_spec(self, x: Any) -> Any:
            return keras.KerasTensor(x.shape, x.dtype)

    entry = keras.Input(IMAGE)
    model = keras.Model(entry, layers.Conv2D(2, 3)(Twice()(entry)))
    path = saved(model, tmp_path, ".keras")
    assert read_graph(path).top == read_graph(model).top == ("InputLayer", "Conv2D")


def test_shapes_after_an_own_layer_in_a_sequential(tmp_path: Path) -> None:
    for first in (own("Own", "own")(), layers.Lambda(abs)):
        model = keras.Sequential(
            [
                keras.Input(IMAGE),
                layers.Dense(3),
                first,
                layers.Conv2D(4, 3),
                layers.BatchNormalization(),
            ]
        )
        path = saved(model, tmp_path, ".keras")
        assert read_graph(path).nodes[-1].shapes == ((None, 6, 6, 4),)
        assert len(plan_fold(path).folds) == len(plan_fold(model).folds) == 1
        assert count_layers(path).macs == count_layers(model).macs


def functions() -> Mapping[str, tuple[Callable[[Any], Any], Any]]:
    """Calls of TensorFlow, and the shape of what is given to them."""
    import numpy as np
    import tensorflow as tf

    return {
        "resize": (lambda x: tf.image.resize(x, (5, 6)), IMAGE),
        "nearest": (lambda x: tf.image.resize(x, [16, 16], method="nearest"), IMAGE),
        "resize with padding": (lambda x: tf.image.resize_with_pad(x, 5, 6), IMAGE),
        "central crop": (lambda x: tf.image.central_crop(x, 0.5), IMAGE),
        "crop": (lambda x: tf.image.crop_to_bounding_box(x, 1, 1, 4, 5), IMAGE),
        "pad": (lambda x: tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]]), IMAGE),
        "reflect": (lambda x: tf.pad(x, [[0, 0], [1, 1], [0, 0], [0, 0]], "REFLECT"), IMAGE),
        "split": (lambda x: tf.split(x, 2, axis=-1), IMAGE),
        "split unevenly": (lambda x: tf.split(x, [1, -1], axis=-1), IMAGE),
        "unstack": (lambda x: tf.unstack(x, axis=1), LINE),
        "stack": (lambda x: tf.stack([x, x], axis=1), LINE),
        "concat": (lambda x: tf.concat([x, x], 1), LINE),
        "transpose": (lambda x: tf.transpose(x, [0, 2, 1]), LINE),
        "mean": (lambda x: tf.reduce_mean(x, [1, 2], keepdims=True), IMAGE),
        "spread": (lambda x: tf.math.reduce_std(x, axis=1), IMAGE),
        "moments": (lambda x: tf.nn.moments(x, [1, 2]), IMAGE),
        "norm": (lambda x: tf.norm(x, axis=-1, keepdims=True), IMAGE),
        "slices": (lambda x: x[:, ::2, 1:-1], IMAGE),
        "ellipsis": (lambda x: x[..., :2], IMAGE),
        "slice": (lambda x: tf.slice(x, [0, 1, 1, 0], [-1, 3, 4, -1]), IMAGE),
        "gather": (lambda x: tf.gather(x, [0, 2], axis=1), IMAGE),
        "one hot": (lambda x: tf.one_hot(tf.argmax(x, axis=-1), 5), LINE),
        "tile": (lambda x: tf.tile(x, [1, 2, 1, 3]), IMAGE),
        "repeat": (lambda x: tf.repeat(x, 2, axis=1), IMAGE),
        "where": (lambda x: tf.where(x > 0, x, 0.0), IMAGE),
        "cast": (lambda x: tf.cast(tf.cast(x, "float16"), "float32"), IMAGE),
        "squeeze": (lambda x: tf.squeeze(x, 1), (1, 8, 3)),
        "expand": (lambda x: tf.expand_dims(x, 1), LINE),
        "pool": (lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), IMAGE),
        "largest": (lambda x: tf.nn.max_pool2d(x, ksize=3, strides=2, padding="SAME"), IMAGE),
        "convolution": (
            lambda x: tf.nn.conv2d(x, np.ones((3, 3, 4, 5), "float32"), 2, "SAME"),
            IMAGE,
        ),
        "depthwise": (
            lambda x: tf.nn.depthwise_conv2d(
                x, np.ones((3, 3, 4, 2), "float32"), [1, 1, 1, 1], "VALID"
            ),
            IMAGE,
        ),
        "matmul": (lambda x: tf.matmul(x, x, transpose_b=True), LINE),
        "constant": (lambda x: tf.matmul(x, np.ones((4, 7), "float32")), LINE),
        "tensordot": (lambda x: tf.tensordot(x, np.ones((4, 7), "float32"), axes=1), LINE),
        "top": (lambda x: tf.math.top_k(x, 2), LINE),
        "blocks": (lambda x: tf.nn.space_to_depth(x, 2), IMAGE),
        "pixels": (lambda x: tf.nn.depth_to_space(x, 2), IMAGE),
        "unit length": (lambda x: tf.math.l2_normalize(x, axis=-1), IMAGE),
        "several": (lambda x: tf.add_n([x, x]), IMAGE),
        "rounding down": (lambda x: x // 2.0, IMAGE),
        "truth": (lambda x: tf.cast(tf.math.is_finite(x), "float32"), IMAGE),
    }


@pytest.mark.skipif(GENERATION == 3, reason="Keras 3 has operations of its own")
@pytest.mark.parametrize("name", functions() if GENERATION == 2 else ())
def test_a_function_of_tensorflow(name: str, tmp_path: Path) -> None:
    call, shape = functions()[name]
    entry = keras.Input(shape)
    made = call(layers.Dense(4)(entry))
    parts = list(made) if isinstance(made, (list, tuple)) else [made]
    ends = [
        layers.BatchNormalization()(layers.Dense(2)(part)) if part.dtype.is_floating else part
        for part in parts
    ]
    model = keras.Model(entry, ends)
    assert_same(model, saved(model, tmp_path, ".h5"))


@pytest.mark.skipif(GENERATION == 3, reason="Keras 3 writes no configuration beside a SavedModel")
def test_a_saved_model_that_keeps_the_configuration_inside(tmp_path: Path) -> None:
    """As TensorFlow 2.0 to 2.4 wrote it; Keras still loads it."""
    from tensorflow.core.protobuf import saved_model_pb2

    protobuf = importlib.import_module(f"{keras.__name__}.protobuf.saved_metadata_pb2")
    entry = keras.Input((4,))
    x = layers.BatchNormalization()(layers.Dense(3)(entry))
    model = keras.Model(entry, layers.Dense(2)(layers.Add()([x, x])))
    model.save(str(tmp_path / "model"))
    beside, graph = tmp_path / "model/keras_metadata.pb", tmp_path / "model/saved_model.pb"
    metadata = protobuf.SavedMetadata.FromString(beside.read_bytes())
    beside.unlink()
    whole = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    objects = whole.meta_graphs[0].object_graph_def.nodes
    for node in metadata.nodes:
        objects[node.node_id].user_object.metadata = node.metadata
        objects[node.node_id].user_object.identifier = node.identifier
    graph.write_bytes(whole.SerializeToString())
    loaded = keras.models.load_model(str(tmp_path / "model"), compile=False)
    assert count_layers(tmp_path / "model").total == len(loaded.layers) == len(model.layers)
    assert_same(model, tmp_path / "model")


@pytest.mark.skipif(GENERATION == 3, reason="Keras 3 has no such layers")
def test_losses_and_metrics_that_were_added(tmp_path: Path) -> None:
    entry = keras.Input((4,))
    x = layers.Dense(3)(entry)
    model = keras.Model(entry, layers.BatchNormalization()(layers.Dense(2)(x)))
    model.add_loss(keras.backend.mean(x))
    model.add_metric(keras.backend.sum(x), name="total")
    for suffix in (".h5", ".keras"):
        path = saved(model, tmp_path, suffix)
        assert read_graph(path).top == read_graph(model).top
        assert count_layers(path).by_type == count_layers(model).by_type
        loaded = keras.models.load_model(path, compile=False)
        assert count_layers(path, count="top").total == len(loaded.layers)


def test_a_gru_of_before_keras_2_2(tmp_path: Path) -> None:
    """Its configuration does not say how the reset gate is applied: before the product."""
    h5py = pytest.importorskip("h5py")
    gru = {
        "name": "gru",
        "batch_input_shape": [None, 6, 4],
        "units": 5,
        "activation": "tanh",
        "recurrent_activation": "hard_sigmoid",
        "use_bias": True,
        "return_sequences": False,
        "return_state": False,
        "go_backwards": False,
        "implementation": 0,
        "trainable": True,
    }
    config = {"class_name": "Sequential", "config": [{"class_name": "GRU", "config": gru}]}
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.1.6"
    counted = count_layers(path)
    assert counted.parameters == 3 * (5 * (4 + 5) + 5)
    assert counted.unweighed == ()


def test_the_generation_of_a_file_without_a_version(tmp_path: Path) -> None:
    """``serialize_keras_object()`` says none, and of a Sequential both generations say "keras"."""
    late = keras.Sequential([layers.Dense(3)])
    late.build((None, 4))
    nested = keras.Sequential([keras.Sequential([keras.Input((4,)), layers.Dense(3)])])
    image = keras.Input((4,))
    models = [late, nested, keras.Model(image, layers.Dense(3)(image))]
    for model in models:
        path = tmp_path / f"{model.name}.json"
        path.write_text(json.dumps(keras.saving.serialize_keras_object(model)))
        assert read_graph(path).keras == f"Keras {GENERATION}"


def test_a_fold_that_depends_on_values_is_decided_where_only_code_tells_the_graph(
    tmp_path: Path,
) -> None:
    model = ByCode()
    normalization = model.get_layer("bn")
    _, *others = normalization.get_weights()
    normalization.set_weights([np.array([1.0, -1.0, 1.0]), *others])
    path = saved(model, tmp_path, ".keras")
    (possible,) = plan_fold(path).folds
    assert possible.condition
    decided = plan_fold(path, resolve=True)
    assert not decided.folds
    assert [(no.layer, no.reason) for no in decided.refusals] == [("bn", "scale-negative")]
