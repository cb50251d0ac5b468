"""Pooling, padding, resampling and reshaping: maps on their way through."""

from __future__ import annotations

import pytest

from tests.folding.harness import Case, Kit, check, matrix


def up(name: str, layer, left: str = "", shape=(8, 6, 4), expected="bn>f", axis=-1, **more) -> Case:
    """A 1x1 convolution, then the layer, then a batch norm."""

    def build(k: Kit):
        end = layer(k)
        rank = len(shape) - 1
        data = {"data_format": FIRST} if axis == 1 else {}
        if rank == 0:
            first = k.Dense(4, name="f")
        else:
            first = getattr(k, f"Conv{rank}D")(4, 1, name="f", **data)
        layers = end if isinstance(end, (list, tuple)) else [end]
        return k.chain(shape, first, *layers)

    first = "Dense" if len(shape) == 1 else f"Conv{len(shape) - 1}D"
    return Case(name, build, expected, f"{first} {left or name.split(maxsplit=1)[0]}", **more)


def resizing(name: str, build, left: str) -> Case:
    # TensorFlow resizes in float32 whatever it is given.
    # In Keras 3.15 a Resizing puts what follows it into training unless told otherwise.
    return Case(name, build, "bn>f", left, tolerance=1e-5, floatx="float32", training=False)


def raw(name: str, function, shape=(4, 6), expected="bn>f", left="Conv1D", **more) -> Case:
    """A convolution, an operation without a layer, a batch norm."""

    def build(k: Kit):
        inputs = k.input(*shape)
        tensor = function(k, k.Conv1D(4, 1, name="f")(inputs))
        return k.model(inputs, k.bn()(tensor))

    return Case(name, build, expected, left, **more)


def tensorflow(name: str):
    import tensorflow as tf

    return getattr(tf, name)


FIRST = "channels_first"


UP = [
    up("AveragePooling2D", lambda k: [k.AveragePooling2D(2), k.bn()]),
    up("AveragePooling2D same", lambda k: [k.AveragePooling2D(4, 3, padding="same"), k.bn()]),
    up("AveragePooling1D", lambda k: [k.AveragePooling1D(2), k.bn()], shape=(9, 3)),
    up(
        "AveragePooling1D same",
        lambda k: [k.AveragePooling1D(2, padding="same"), k.bn()],
        shape=(9, 3),
    ),
    up("AveragePooling3D", lambda k: [k.AveragePooling3D(2), k.bn()], shape=(4, 5, 4, 3), xla=True),
    up("GlobalAveragePooling2D", lambda k: [k.GlobalAveragePooling2D(), k.bn()]),
    up(
        "GlobalAveragePooling2D keepdims",
        lambda k: [k.GlobalAveragePooling2D(keepdims=True), k.bn()],
    ),
    up("GlobalAveragePooling1D", lambda k: [k.GlobalAveragePooling1D(), k.bn()], shape=(9, 3)),
    up(
        "GlobalAveragePooling3D", lambda k: [k.GlobalAveragePooling3D(), k.bn()], shape=(4, 5, 4, 3)
    ),
    up(
        "GlobalAveragePooling2D channels_first",
        lambda k: [k.GlobalAveragePooling2D(data_format=FIRST), k.bn()],
        shape=(3, 8, 6),
        axis=1,
        xla=True,
    ),
    up(
        "GlobalAveragePooling2D keepdims channels_first",
        lambda k: [k.GlobalAveragePooling2D(data_format=FIRST, keepdims=True), k.bn(axis=1)],
        shape=(3, 8, 6),
        axis=1,
        xla=True,
    ),
    up(
        "AveragePooling2D of another format",
        lambda k: [k.AveragePooling2D(2, data_format=FIRST, name="p"), k.bn()],
        left="AveragePooling2D BatchNormalization",
        expected="bn!channel-axis@p",
        xla=True,
    ),
    up(
        "AveragePooling2D pools the axis of the map",
        lambda k: [k.AveragePooling2D((2, 1), name="p"), k.bn(axis=1)],
        left="AveragePooling2D BatchNormalization",
        expected="bn!channel-axis@p",
    ),
    up("MaxPooling2D", lambda k: [k.MaxPooling2D(2), k.bn(scale=False)]),
    up("MaxPooling2D same", lambda k: [k.MaxPooling2D(3, 2, padding="same"), k.bn(scale=False)]),
    up(
        "MaxPooling2D with negative scales",
        lambda k: [k.MaxPooling2D(2, name="p"), k.bn()],
        left="MaxPooling2D BatchNormalization",
        expected="bn!scale-negative@p",
    ),
    up("MaxPooling1D", lambda k: [k.MaxPooling1D(2), k.bn(scale=False)], shape=(9, 3)),
    up("GlobalMaxPooling2D", lambda k: [k.GlobalMaxPooling2D(), k.bn(scale=False)]),
    up(
        "GlobalMaxPooling1D with negative scales",
        lambda k: [k.GlobalMaxPooling1D(name="p"), k.bn()],
        left="GlobalMaxPooling1D BatchNormalization",
        expected="bn!scale-negative@p",
        shape=(9, 3),
    ),
    up(
        "AdaptiveAveragePooling2D",
        lambda k: [k.AdaptiveAveragePooling2D((3, 4)), k.bn()],
        needs=(3, 14),
        shape=(8, 6, 4),
    ),
    up(
        "AdaptiveMaxPooling2D",
        lambda k: [k.AdaptiveMaxPooling2D((3, 4)), k.bn(scale=False)],
        needs=(3, 14),
    ),
    up("Cropping2D", lambda k: [k.Cropping2D(((1, 2), (0, 1))), k.bn()]),
    up("Cropping1D", lambda k: [k.Cropping1D(1), k.bn()], shape=(9, 3)),
    up("Cropping3D", lambda k: [k.Cropping3D(1), k.bn()], shape=(4, 5, 4, 3)),
    up("UpSampling2D", lambda k: [k.UpSampling2D((2, 3)), k.bn()]),
    up("UpSampling1D", lambda k: [k.UpSampling1D(2), k.bn()], shape=(9, 3)),
    up("UpSampling3D", lambda k: [k.UpSampling3D(2), k.bn()], shape=(2, 3, 2, 3)),
    up(
        "ZeroPadding2D",
        lambda k: [k.ZeroPadding2D(1, name="p"), k.bn()],
        left="ZeroPadding2D BatchNormalization",
        expected="bn!shift-meets-padding@p",
    ),
    up("ZeroPadding2D of nothing", lambda k: [k.ZeroPadding2D(0), k.bn()]),
    up("Flatten of one position", lambda k: [k.Flatten(), k.bn()], shape=(1, 1, 3)),
    up(
        "Flatten of many positions",
        lambda k: [k.Flatten(name="p"), k.bn()],
        left="Flatten BatchNormalization",
        expected="bn!channel-axis@p",
    ),
    up("Reshape keeping channels", lambda k: [k.Reshape((48, 4)), k.bn()]),
    up("Reshape unknown sizes", lambda k: [k.Reshape((-1, 4)), k.bn()], shape=(None, None, 3)),
    up("Reshape splitting channels", lambda k: [k.Reshape((8, 6, 2, 2)), k.bn()]),
    up(
        "Reshape mixing channels",
        lambda k: [k.Reshape((6, 32), name="p"), k.bn()],
        left="Reshape BatchNormalization",
        expected="bn!channel-axis@p",
    ),
    up("Permute", lambda k: [k.Permute((3, 1, 2)), k.bn(axis=1)]),
    up(
        "Permute, one channel",
        lambda k: [k.Permute((2, 1)), k.bn()],
        left="Permute",
        shape=(1, 3),
    ),
    up(
        "Permute, axis left behind",
        lambda k: [k.Permute((3, 1, 2)), k.bn(axis=-1)],
        left="Permute BatchNormalization",
        expected="bn!channel-axis@f",
    ),
    up("RepeatVector", lambda k: [k.RepeatVector(3), k.bn()], shape=(6,)),
    up(
        "RepeatVector, along the copies",
        lambda k: [k.RepeatVector(4, name="p"), k.bn(axis=1)],
        left="RepeatVector BatchNormalization",
        expected="bn!channel-axis@p",
        shape=(6,),
    ),
    up("Dropout", lambda k: [k.Dropout(0.5, name="d"), k.bn()], left=" ", removed="d"),
    up(
        "what does nothing at inference",
        lambda k: [
            k.GaussianNoise(0.5, name="a"),
            k.GaussianDropout(0.5, name="b"),
            k.SpatialDropout2D(0.5, name="c"),
            k.ActivityRegularization(0.5, name="d"),
            k.bn(),
        ],
        left=" ",
        removed="a b c d",
    ),
]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_upsampling_interpolations(interpolation: str, kit: Kit) -> None:
    def build(k: Kit):
        layer = k.UpSampling2D(2, interpolation=interpolation)
        return k.chain((5, 6, 3), k.Conv2D(4, 1, name="f"), layer, k.bn())

    check(resizing(interpolation, build, "Conv2D UpSampling2D"), kit)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3"])
def test_resizing(interpolation: str, kit: Kit) -> None:
    def build(k: Kit):
        layer = k.Resizing(7, 9, interpolation=interpolation)
        return k.chain((5, 6, 3), k.Conv2D(4, 1, name="f"), layer, k.bn())

    check(resizing(interpolation, build, "Conv2D Resizing"), kit)


DOWN = [
    Case(
        "Flatten tiles",
        lambda k: k.chain((3, 4, 2), k.bn(), k.Flatten(), k.Dense(5, name="f")),
        "bn>f",
        "Flatten Dense",
    ),
    Case(
        "Flatten of channels_first",
        lambda k: k.chain(
            (2, 3, 4), k.bn(axis=1), k.Flatten(data_format=FIRST), k.Dense(5, name="f")
        ),
        "bn>f",
        "Flatten Dense",
    ),
    Case(
        "Flatten of channels_first, map along the width",
        lambda k: k.chain((2, 3, 4), k.bn(), k.Flatten(data_format=FIRST), k.Dense(5, name="f")),
        "bn>f",
        "Flatten Dense",
    ),
    Case(
        "Flatten, map along the height",
        lambda k: k.chain((3, 4, 2), k.bn(axis=1), k.Flatten(), k.Dense(5, name="f")),
        "bn>f",
        "Flatten Dense",
    ),
    Case(
        "Reshape joins channels",
        lambda k: k.chain((6, 2, 3), k.bn(), k.Reshape((6, 6)), k.Dense(5, name="f")),
        "bn>f",
        "Reshape Dense",
    ),
    Case(
        "Reshape takes channels apart",
        lambda k: k.chain((4, 6), k.bn(), k.Reshape((4, 3, 2), name="r"), k.Dense(5)),
        "bn!channel-axis@r",
        "BatchNormalization Reshape Dense",
    ),
    Case(
        "Permute",
        lambda k: k.chain((4, 6), k.bn(axis=1), k.Permute((2, 1)), k.Dense(5, name="f")),
        "bn>f",
        "Permute Dense",
    ),
    Case(
        "pooling and flattening",
        lambda k: k.chain(
            (8, 8, 3),
            k.bn(),
            k.AveragePooling2D(2),
            k.Flatten(),
            k.Dropout(0.5, name="d"),
            k.Dense(5, name="f"),
        ),
        "bn>f",
        "AveragePooling2D Flatten Dense",
        removed="d",
    ),
    Case(
        "global pooling",
        lambda k: k.chain((8, 8, 3), k.bn(), k.GlobalAveragePooling2D(), k.Dense(5, name="f")),
        "bn>f",
        "GlobalAveragePooling2D Dense",
    ),
    Case(
        "max pooling, negative",
        lambda k: k.chain((8, 8, 3), k.bn(), k.MaxPooling2D(2, name="p"), k.Conv2D(5, 3)),
        "bn!scale-negative@p",
        "BatchNormalization MaxPooling2D Conv2D",
    ),
    Case(
        "max pooling, positive",
        lambda k: k.chain(
            (8, 8, 3), k.bn(scale=False), k.MaxPooling2D(2), k.Conv2D(5, 3, name="f")
        ),
        "bn>f",
        "MaxPooling2D Conv2D",
    ),
    Case(
        "zero padding",
        lambda k: k.chain((8, 8, 3), k.bn(), k.ZeroPadding2D(1, name="p"), k.Conv2D(5, 3)),
        "bn!shift-meets-padding@p",
        "BatchNormalization ZeroPadding2D Conv2D",
    ),
    Case(
        "upsampling and cropping",
        lambda k: k.chain(
            (5, 5, 3), k.bn(), k.UpSampling2D(2), k.Cropping2D(1), k.Conv2D(5, 3, name="f")
        ),
        "bn>f",
        "UpSampling2D Cropping2D Conv2D",
    ),
    Case(
        "repeating",
        lambda k: k.chain((5,), k.bn(), k.RepeatVector(3), k.Dense(2, name="f")),
        "bn>f",
        "RepeatVector Dense",
    ),
    Case(
        "a scale through padding",
        lambda k: k.chain(
            (8, 8, 3),
            k.Rescaling(0.5, name="r"),
            k.ZeroPadding2D(1),
            k.Conv2D(5, 3, padding="same", name="f"),
        ),
        "r>f",
        "ZeroPadding2D Conv2D",
    ),
]


@matrix(*UP)
def test_up(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*DOWN)
def test_down(case: Case, kit: Kit) -> None:
    check(case, kit)


RAW = [
    raw(
        "ops.reshape",
        lambda k, x: k.keras.ops.reshape(x, (-1, 2, 2, 4)),
        left="Conv1D reshape",
        needs=3,
    ),
    raw(
        "ops.reshape into the batch",
        lambda k, x: k.keras.ops.reshape(x, (-1, 4)),
        left="Conv1D reshape",
        needs=3,
    ),
    raw(
        "ops.expand_dims",
        lambda k, x: k.keras.ops.expand_dims(x, 1),
        left="Conv1D expand_dims",
        needs=3,
    ),
    raw(
        "ops.squeeze",
        lambda k, x: k.keras.ops.squeeze(x, 1),
        shape=(1, 6),
        left="Conv1D squeeze",
        needs=3,
    ),
    raw(
        "ops.transpose",
        lambda k, x: k.keras.ops.transpose(k.keras.ops.transpose(x, (0, 2, 1)), (0, 2, 1)),
        left="Conv1D transpose transpose",
        needs=3,
    ),
    raw(
        "tf.reshape",
        lambda k, x: tensorflow("reshape")(x, (-1, 2, 2, 4)),
        left="Conv1D reshape",
        needs=2,
    ),
    raw(
        "tf.expand_dims",
        lambda k, x: tensorflow("expand_dims")(x, 1),
        left="Conv1D expand_dims",
        needs=2,
    ),
    raw(
        "tf.transpose",
        lambda k, x: tensorflow("transpose")(tensorflow("transpose")(x, [0, 2, 1]), perm=[0, 2, 1]),
        left="Conv1D transpose transpose",
        needs=2,
    ),
]


@matrix(*RAW)
def test_operations(case: Case, kit: Kit) -> None:
    check(case, kit)
