"""The passes that are off by default, ``outputs=`` and ``unshare=``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import check_equivalence, fold
    from pytest_layercount.errors import ModelError
    from pytest_layercount.folding.equivalence.randomise import randomised_copy
    from pytest_layercount.folding.plan import ALL_PASSES
    from pytest_layercount.model.readers.live import open_model


@pytest.fixture(scope="module")
def keras() -> Any:
    return load_keras()


@pytest.fixture(scope="module")
def layers(keras: Any) -> Any:
    return keras.layers


def folded(model: Any, **options: Any) -> Any:
    """The result of folding a copy with random statistics, after it was found equivalent."""
    subject = randomised_copy(open_model(model), seed=0)
    result = fold(subject, **options)
    equivalence = check_equivalence(subject, result)
    assert equivalence.dtype == "float64"
    assert equivalence.equivalent, equivalence.worst
    assert not fold(result.model, **{**options, "outputs": None}).folds
    return result


def types(result: Any) -> list[str]:
    return [type(layer).__name__ for layer in result.model.layers]


def test_an_unknown_pass_is_named(keras: Any, layers: Any) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="there is no pass 'fuse'"):
        fold(model, passes=("fuse",))


# identity


def test_inert_layers_go(keras: Any, layers: Any) -> None:
    inert = [layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.Activation("linear")]
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), *inert, layers.ReLU()])
    result = folded(model)
    assert types(result) == ["Dense", "ReLU"]
    assert len(result.removed) == 3


def test_dropout_that_is_called_for_training_stays(keras: Any, layers: Any) -> None:
    entry = keras.Input((4,))
    model = keras.Model(entry, layers.Dense(2)(layers.Dropout(0.5)(entry, training=True)))
    assert types(folded(model)) == ["InputLayer", "Dropout", "Dense"]


def test_a_cast_at_the_end_stays(keras: Any, layers: Any) -> None:
    entry = keras.Input((4,), dtype="float16")
    x = layers.Dense(2, dtype="float16")(entry)
    model = keras.Model(entry, layers.Activation("linear", dtype="float32")(x))
    result = fold(model)
    assert types(result) == ["InputLayer", "Dense", "Activation"]


def test_the_only_call_of_a_model_stays(keras: Any, layers: Any) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5)])
    assert types(folded(model)) == ["Dropout"]


# activation


def test_an_activation_goes_into_the_layer_before(keras: Any, layers: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.DepthwiseConv2D(3),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(2),
            layers.Activation("softmax"),
        ]
    )
    result = folded(model, passes=ALL_PASSES)
    assert types(result) == ["Conv2D", "DepthwiseConv2D", "Flatten", "Dense"]
    assert [result.model.layers[n].activation.__name__ for n in (0, 1, 3)] == [
        "tanh",
        "relu",
        "softmax",
    ]


@pytest.mark.parametrize("kind", ["bounded", "used twice", "output", "own function"])
def test_an_activation_that_must_stay(keras: Any, layers: Any, kind: str) -> None:
    def relu(x: Any) -> Any:
        return x * 2.0

    entry = keras.Input((4,))
    x = layers.Dense(4)(entry)
    if kind == "bounded":
        out = layers.ReLU(max_value=6.0)(x)
    elif kind == "used twice":
        out = layers.Add()([x, layers.ReLU()(x)])
    elif kind == "output":
        out = [x, layers.ReLU()(x)]
    else:
        out = layers.Activation(relu)(x)
    before = keras.Model(entry, out)
    assert len(folded(before, passes=ALL_PASSES).model.layers) == len(before.layers)


# padding


@pytest.mark.parametrize(
    ("amounts", "stride", "size", "absorbed"),
    [
        ((1, 1), 1, None, True),
        ((1, 1), 1, 8, True),
        (((0, 1), (0, 1)), 1, 8, False),
        ((1, 1), 2, 7, True),
        ((1, 1), 2, 8, False),
        (((0, 1), (0, 1)), 2, 8, True),
        (((0, 1), (0, 1)), 2, 7, False),
        ((1, 1), 2, None, False),
        ((2, 2), 1, 8, False),
    ],
)
def test_padding_that_agrees_for_every_size(
    keras: Any, layers: Any, amounts: Any, stride: int, size: int | None, absorbed: bool
) -> None:
    model = keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.ZeroPadding2D(amounts),
            layers.Conv2D(4, 3, strides=stride),
        ]
    )
    result = folded(model, passes=ALL_PASSES)
    assert types(result) == (["Conv2D"] if absorbed else ["ZeroPadding2D", "Conv2D"])


def test_padding_depends_on_dilation(keras: Any, layers: Any) -> None:
    def model(amount: int) -> Any:
        padded = [keras.Input((9, 3)), layers.ZeroPadding1D(amount)]
        return keras.Sequential([*padded, layers.Conv1D(4, 3, dilation_rate=2)])

    assert types(folded(model(2), passes=ALL_PASSES)) == ["Conv1D"]
    assert types(folded(model(1), passes=ALL_PASSES)) == ["ZeroPadding1D", "Conv1D"]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Conv", "DepthwiseConv", "SeparableConv"])
def test_padding_of_every_convolution(keras: Any, layers: Any, kind: str, n: int) -> None:
    convolution = getattr(layers, f"{kind}{n}D", None)
    if convolution is None:
        pytest.skip("Keras has none with so many dimensions")
    filters = () if kind == "DepthwiseConv" else (2,)
    padded = [keras.Input((*(4, 5, 6)[:n], 2)), getattr(layers, f"ZeroPadding{n}D")(1)]
    model = keras.Sequential([*padded, convolution(*filters, 3)])
    assert types(folded(model, passes=ALL_PASSES)) == [f"{kind}{n}D"]


def test_padding_on_the_left_alone_is_causal(keras: Any, layers: Any) -> None:
    def model(amounts: tuple[int, int]) -> Any:
        padded = [keras.Input((None, 3)), layers.ZeroPadding1D(amounts)]
        return keras.Sequential([*padded, layers.Conv1D(4, 3, strides=2, dilation_rate=1)])

    result = folded(model((2, 0)), passes=ALL_PASSES)
    assert types(result) == ["Conv1D"]
    assert result.model.layers[0].padding == "causal"
    assert types(folded(model((0, 2)), passes=ALL_PASSES)) == ["ZeroPadding1D", "Conv1D"]


# collapse


def repvgg(keras: Any, layers: Any, groups: int = 1) -> Any:
    entry = x = keras.Input((8, 8, 4))
    for _ in range(2):
        wide = layers.Conv2D(4, 3, padding="same", use_bias=False, groups=groups)(x)
        point = layers.Conv2D(4, 1, use_bias=False, groups=groups)(x)
        branches = [layers.BatchNormalization()(branch) for branch in (wide, point, x)]
        x = layers.ReLU()(layers.Add()(branches))
    return keras.Model(entry, x)


@pytest.mark.parametrize("groups", [1, 2])
def test_repvgg_blocks_become_one_convolution_each(keras: Any, layers: Any, groups: int) -> None:
    result = folded(repvgg(keras, layers, groups), passes=ALL_PASSES)
    assert types(result) == ["InputLayer", "Conv2D", "Conv2D"]
    assert not result.refusals


def test_collapse_only_when_asked_for(keras: Any, layers: Any) -> None:
    assert types(folded(repvgg(keras, layers))).count("Conv2D") == 4


@pytest.mark.parametrize(("size", "merged"), [(7, True), (8, True), (None, False)])
def test_branches_with_strides_need_a_known_size(
    keras: Any, layers: Any, size: int | None, merged: bool
) -> None:
    entry = keras.Input((size, size, 3))
    point = layers.Conv2D(4, 1, strides=2, padding="same")(entry)
    wide = layers.Conv2D(4, 3, strides=2, padding="same")(entry)
    result = folded(keras.Model(entry, layers.Add()([point, wide])), passes=ALL_PASSES)
    assert ("Add" in types(result)) is not merged


def test_branches_of_different_inputs_stay(keras: Any, layers: Any) -> None:
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    convolved = [layers.Conv2D(4, 1)(entry) for entry in (one, two)]
    model = keras.Model([one, two], layers.Add()(convolved))
    assert types(folded(model, passes=ALL_PASSES)).count("Conv2D") == 2


def repvit(keras: Any, layers: Any, *, normalized: bool) -> Any:
    """Three depthwise branches, as RepViT has them, or each with its batch norm, as MobileOne."""
    entry = keras.Input((8, 8, 4))
    kernels = layers.DepthwiseConv2D(3, padding="same", use_bias=False), layers.DepthwiseConv2D(1)
    branches = [kernels[0](entry), kernels[1](entry), entry]
    if normalized:
        branches = [layers.BatchNormalization()(branch) for branch in branches]
    return keras.Model(entry, layers.ReLU()(layers.BatchNormalization()(layers.Add()(branches))))


@pytest.mark.parametrize("normalized", [True, False])
def test_depthwise_branches_become_one(keras: Any, layers: Any, normalized: bool) -> None:
    result = folded(repvit(keras, layers, normalized=normalized), passes=ALL_PASSES)
    assert types(result) == ["InputLayer", "DepthwiseConv2D"]
    assert not result.refusals
    assert result.model.count_params() == 4 * 9 + 4


def test_depthwise_branches_side_by_side(keras: Any, layers: Any) -> None:
    def depthwise(kernel: Any, **options: Any) -> Any:
        return layers.DepthwiseConv2D(kernel, padding="same", **options)

    merged, size = ["DepthwiseConv2D"], (9, 9, 3)
    apart = ["DepthwiseConv2D", "DepthwiseConv2D", "Add"]
    assert beside(keras, size, depthwise(7), depthwise(3), depthwise(1), lambda x: x) == merged
    wide = depthwise(5, depth_multiplier=2), depthwise(3, depth_multiplier=2)
    assert beside(keras, size, *wide) == merged
    assert beside(keras, size, depthwise(3, strides=2), depthwise(1, strides=2)) == merged
    assert beside(keras, size, depthwise((1, 3)), depthwise((3, 1))) == apart
    assert beside(keras, size, depthwise(3, activation="relu"), depthwise(1)) == apart
    convolution = layers.Conv2D(3, 3, padding="same")
    left = beside(keras, size, depthwise(3), convolution)
    assert sorted(left) == ["Add", "Conv2D", "DepthwiseConv2D"]
    line = [layers.DepthwiseConv1D(kernel, padding="same") for kernel in (3, 1)]
    assert beside(keras, (9, 3), *line, lambda x: x) == ["DepthwiseConv1D"]


def softplus_times(x: Any) -> Any:
    import tensorflow as tf

    return tf.nn.softplus(x) * x


@pytest.mark.parametrize("first", [4, 6])
@pytest.mark.parametrize("activation", ["relu", softplus_times])
def test_a_row_has_the_width_and_the_activation_of_its_last_layer(
    keras: Any, layers: Any, first: int, activation: Any
) -> None:
    entry = keras.Input((4,))
    x = layers.Dense(first)(entry)
    x = layers.Dense(5, activation=activation, name="last")(x)
    model = keras.Model(entry, layers.Dense(3)(layers.ReLU()(x)))
    result = folded(model, passes=("affine", "identity", "collapse"))
    assert types(result) == ["InputLayer", "Dense", "ReLU", "Dense"]
    last = result.model.get_layer("last")
    assert tuple(last.output.shape) == (None, 5)
    if callable(activation):
        assert last.activation is activation


def test_a_row_of_convolutions_moves_as_its_first(keras: Any, layers: Any) -> None:
    entry = keras.Input((9, 9, 3))
    x = layers.Conv2D(5, 3, strides=2, padding="same", use_bias=False)(entry)
    x = layers.Conv2D(7, 1, activation="relu")(layers.Conv2D(6, 1, use_bias=False)(x))
    result = folded(keras.Model(entry, layers.Conv2D(2, 2)(x)), passes=ALL_PASSES)
    assert types(result) == ["InputLayer", "Conv2D", "Conv2D"]
    assert result.model.layers[1].output.shape[1:] == (5, 5, 7)


@pytest.mark.parametrize(("width", "merged"), [(8, False), (10, True)])
@pytest.mark.parametrize("kind", ["DepthwiseConv2D", "Conv2D"])
def test_no_bias_where_a_keras_adds_it_along_the_width(
    keras: Any, layers: Any, kind: str, width: int, merged: bool
) -> None:
    first: dict[str, Any] = {"data_format": "channels_first"}
    wide = {"padding": "same", "use_bias": False, **first}
    entry = keras.Input((8, 6, width))
    convolution = getattr(layers, kind)
    made = convolution(3, **wide) if kind != "Conv2D" else convolution(8, 3, groups=2, **wide)
    norm = layers.BatchNormalization(axis=1)(entry)
    result = fold(keras.Model(entry, layers.Add()([made(entry), norm])), passes=ALL_PASSES)
    assert ("Add" not in types(result)) is merged


def test_linear_layers_in_a_row(keras: Any, layers: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            layers.Conv2D(8, 3, strides=2, padding="same"),
            layers.Conv2D(4, 1),
            layers.Flatten(),
            layers.Dense(4),
            layers.Dense(2, activation="relu"),
        ]
    )
    assert types(folded(model, passes=ALL_PASSES)) == ["Conv2D", "Flatten", "Dense"]


def beside(keras: Any, size: Any, *branches: Any) -> list[str]:
    """What is left of branches that start from one input and are added up."""
    entry = keras.Input(size)
    model = keras.Model(entry, keras.layers.Add()([branch(entry) for branch in branches]))
    return types(folded(model, passes=ALL_PASSES))[1:]


def test_dense_layers_side_by_side(keras: Any, layers: Any) -> None:
    dense = layers.Dense(4, use_bias=False), layers.Dense(4), layers.BatchNormalization()
    assert beside(keras, (3, 4), *dense, lambda x: x) == ["Dense"]


def test_kernels_whose_taps_are_apart(keras: Any, layers: Any) -> None:
    def conv(kernel: int, rate: int, padding: str = "same") -> Any:
        return layers.Conv1D(3, kernel, dilation_rate=rate, padding=padding)

    merged, apart = ["Conv1D"], ["Conv1D", "Conv1D", "Add"]
    assert beside(keras, (9, 3), conv(3, 2), conv(1, 1), lambda x: x) == merged
    assert beside(keras, (None, 3), conv(5, 2), conv(3, 2)) == merged
    assert beside(keras, (9, 3), conv(3, 1), conv(3, 2)) == apart
    assert beside(keras, (9, 3), conv(5, 1), conv(3, 2)) == apart
    assert beside(keras, (9, 3), conv(3, 2, "causal"), conv(2, 2, "causal")) == merged
    assert beside(keras, (9, 3), conv(3, 1, "causal"), conv(3, 1)) == apart


def test_a_branch_that_is_broadcast_stays(keras: Any, layers: Any) -> None:
    left = beside(keras, (3, 3, 2), layers.Conv2D(4, 3), layers.Conv2D(4, 1))
    assert left == ["Conv2D", "Conv2D", "Add"]


def test_a_branch_of_another_type_stays(keras: Any, layers: Any) -> None:
    entry = keras.Input((6, 3))
    branches = [layers.Conv1D(4, 1, dtype=dtype)(entry) for dtype in ("float32", "float16")]
    model = keras.Model(entry, layers.Add(dtype="float32")(branches))
    assert types(fold(model, passes=ALL_PASSES)).count("Conv1D") == 2


def test_padding_goes_when_one_layer_reads_it(keras: Any, layers: Any) -> None:
    entry = keras.Input((8, 8, 3))
    padded = layers.ZeroPadding2D(1)(entry)
    model = keras.Model(entry, layers.Add()([layers.Conv2D(4, 3)(padded) for _ in range(2)]))
    assert types(folded(model, passes=ALL_PASSES)) == ["InputLayer", "Conv2D"]


@pytest.mark.parametrize(("kernel", "bad"), [(np.nan, "NaN"), (300.0, "too large for float16")])
def test_what_would_not_be_finite_is_not_merged(
    keras: Any, layers: Any, kernel: float, bad: str
) -> None:
    dense = [layers.Dense(4, dtype="float16") for _ in range(2)]
    model = keras.Sequential([keras.Input((4,), dtype="float16"), *dense])
    for layer in dense:
        layer.kernel.assign(np.full((4, 4), kernel))
    assert types(fold(model, passes=ALL_PASSES)) == ["Dense", "Dense"], bad


def test_a_row_that_would_grow_stays(keras: Any, layers: Any) -> None:
    model = keras.Sequential([keras.Input((50,)), layers.Dense(2), layers.Dense(50)])
    assert types(folded(model, passes=ALL_PASSES)) == ["Dense", "Dense"]


# outputs=


def two_heads(keras: Any, layers: Any, *, named: bool) -> Any:
    image, label = keras.Input((8, 8, 3), name="image"), keras.Input((2,), name="label")
    shared = layers.Conv2D(4, 3)(image)
    main = layers.Dense(2, name="main")(layers.Flatten()(layers.BatchNormalization()(shared)))
    side = layers.Conv2D(4, 3, name="side_conv")(shared)
    side = layers.Dense(2, name="side_dense")(layers.Flatten()(side))
    side = layers.Add(name="side")([side, label])
    outputs = {"main": main, "side": side} if named else [main, side]
    return keras.Model({"image": image, "label": label}, outputs)


@pytest.mark.parametrize("named", [True, False])
def test_only_what_an_output_needs_is_kept(keras: Any, layers: Any, named: bool) -> None:
    result = folded(two_heads(keras, layers, named=named), outputs="main")
    assert types(result) == ["InputLayer", "Conv2D", "Flatten", "Dense"]
    assert [fold.type for fold in result.folds] == ["BatchNormalization"]
    assert (result.before.total, result.after.total) == (10, 4)


def test_several_outputs_keep_their_structure(keras: Any, layers: Any) -> None:
    result = folded(two_heads(keras, layers, named=True), outputs=["side"])
    assert list(result.model.output) == ["side"]
    result = folded(two_heads(keras, layers, named=False), outputs=[1])
    assert len(result.model.outputs) == 1


def test_an_output_of_a_model_inside_goes_by_its_name(keras: Any, layers: Any) -> None:
    entry, start = keras.Input((4,)), keras.Input((4,))
    head = keras.Model(start, layers.BatchNormalization()(layers.Dense(2)(start)), name="head")
    model = keras.Model(entry, [head(entry), layers.Dense(3, name="side")(entry)])
    result = fold(model, outputs="head")
    assert types(result) == ["InputLayer", "Dense"]
    assert result.model.output_shape == (None, 2)


def test_names_with_a_slash_are_kept(keras: Any, layers: Any) -> None:
    if keras.__version__.startswith("3."):
        pytest.skip("needs Keras 2")
    entry = keras.Input((4,))
    model = keras.Model(entry, [layers.Dense(2, name=f"head/{name}")(entry) for name in "ab"])
    result = fold(model, outputs="head/b")
    assert result.model.layers[-1].name == "head/b"
    assert result.model.output_names == ["head/b"]
    with pytest.raises(ModelError, match=r"2 outputs .* called 'head'"):
        fold(model, outputs="head")


def test_an_output_may_be_several(keras: Any, layers: Any) -> None:
    if keras.__version__.startswith("3.3"):
        pytest.skip("this Keras returns no lists in dictionaries")
    entry = keras.Input((4,))
    one, two, side = (layers.Dense(3, name=name)(entry) for name in ("one", "two", "side"))
    result = folded(keras.Model(entry, {"both": [one, two], "side": side}), outputs="both")
    assert [layer.name for layer in result.model.layers[1:]] == ["one", "two"]


def test_an_output_that_is_not_there_is_named(keras: Any, layers: Any) -> None:
    with pytest.raises(ModelError, match="no output 'extra'; it has main, side"):
        fold(two_heads(keras, layers, named=True), outputs="extra")


def twice(keras: Any, layers: Any) -> Any:
    one, two = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(3, name="shared")
    return keras.Model([one, two], [shared(one), shared(two), layers.Dense(2, name="own")(two)])


def test_outputs_of_one_layer_are_told_apart_by_position(keras: Any, layers: Any) -> None:
    assert len(folded(twice(keras, layers), outputs=[1, 2]).model.outputs) == 2
    assert len(folded(twice(keras, layers), outputs=["own"]).model.inputs) == 1
    with pytest.raises(ModelError, match=r"2 outputs .* called 'shared': give .* of \[0, 1\]"):
        fold(twice(keras, layers), outputs="shared")


# unshare=


def siamese(keras: Any, layers: Any) -> Any:
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    shared = layers.Conv2D(4, 3, name="shared")
    normalized = [layers.BatchNormalization()(shared(entry)) for entry in (one, two)]
    return keras.Model([one, two], normalized)


def test_a_shared_convolution_is_refused(keras: Any, layers: Any) -> None:
    result = folded(siamese(keras, layers))
    assert {(r.reason, r.blocker) for r in result.refusals} == {("shared-layer", "shared")}


def test_a_shared_convolution_is_unshared_when_asked(keras: Any, layers: Any) -> None:
    result = folded(siamese(keras, layers), unshare=True)
    assert types(result).count("Conv2D") == 2
    assert not result.refusals


def test_nothing_is_unshared_without_need(keras: Any, layers: Any) -> None:
    one, two = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(3)
    model = keras.Model([one, two], [shared(one), shared(two)])
    assert types(folded(model, unshare=True)).count("Dense") == 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_convolutions_of_every_dimension_become_one(keras: Any, layers: Any, n: int) -> None:
    kind, size = f"Conv{n}D", (4,) * n
    conv = getattr(layers, kind)
    assert beside(keras, (*size, 3), conv(2, 3, padding="same"), conv(2, 1)) == [kind]
    row = keras.Sequential([keras.Input((*size, 3)), conv(4, 2, use_bias=False), conv(2, 1)])
    assert types(folded(row, passes=ALL_PASSES)) == [kind]
