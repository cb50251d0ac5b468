"""Convolutions and dense layers, before and after batch norms."""

from __future__ import annotations

from tests.folding.harness import Case, Kit, check, matrix


def image(k: Kit, *layers):
    return k.chain((8, 7, 4), *layers)


AFTER = [
    Case(
        # Keras 3.15 adds a bias along the width where that equals the filters: called
        # eagerly or through XLA, not compiled by TensorFlow.
        "a bias would appear in channels_first, width as filters",
        lambda k: k.chain(
            (3, 6, 6),
            k.Conv2D(4, 3, use_bias=False, data_format="channels_first", name="f"),
            k.bn(axis=1),
        ),
        "bn!ambiguous-axis@f",
        "Conv2D BatchNormalization",
        needs=(3, 14),
        floatx="float32",
        tolerance=1e-5,
    ),
    Case("Conv2D", lambda k: image(k, k.Conv2D(5, 3, name="f"), k.bn()), "bn>f", "Conv2D"),
    Case(
        "without bias",
        lambda k: image(k, k.Conv2D(5, 3, use_bias=False, name="f"), k.bn()),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "strides, same padding",
        lambda k: image(k, k.Conv2D(5, 3, strides=2, padding="same", name="f"), k.bn()),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "dilation and groups survive a bias",
        lambda k: image(
            k, k.Conv2D(6, 3, dilation_rate=2, groups=2, use_bias=False, name="f"), k.bn()
        ),
        "bn>f",
        "Conv2D",
    ),
    Case("Conv1D", lambda k: k.chain((9, 3), k.Conv1D(4, 3, name="f"), k.bn()), "bn>f", "Conv1D"),
    Case(
        "Conv1D causal",
        lambda k: k.chain((9, 3), k.Conv1D(4, 3, padding="causal", name="f"), k.bn()),
        "bn>f",
        "Conv1D",
    ),
    Case(
        "Conv3D",
        lambda k: k.chain((5, 6, 4, 2), k.Conv3D(3, 2, name="f"), k.bn()),
        "bn>f",
        "Conv3D",
    ),
    Case(
        "Conv2DTranspose",
        lambda k: image(k, k.Conv2DTranspose(4, 3, strides=2, name="f"), k.bn()),
        "bn>f",
        "Conv2DTranspose",
    ),
    Case(
        "Conv2DTranspose, output padding",
        lambda k: image(
            k,
            k.Conv2DTranspose(
                5, 3, strides=2, padding="same", output_padding=1, use_bias=False, name="f"
            ),
            k.bn(),
        ),
        "bn>f",
        "Conv2DTranspose",
    ),
    Case(
        "Conv1DTranspose",
        lambda k: k.chain((6, 3), k.Conv1DTranspose(3, 3, name="f"), k.bn()),
        "bn>f",
        "Conv1DTranspose",
    ),
    Case(
        "Conv3DTranspose",
        lambda k: k.chain((3, 4, 3, 2), k.Conv3DTranspose(3, 2, name="f"), k.bn()),
        "bn>f",
        "Conv3DTranspose",
    ),
    Case(
        "DepthwiseConv2D",
        lambda k: image(k, k.DepthwiseConv2D(3, depth_multiplier=3, name="f"), k.bn()),
        "bn>f",
        "DepthwiseConv2D",
    ),
    Case(
        "DepthwiseConv1D",
        lambda k: k.chain(
            (9, 3), k.DepthwiseConv1D(3, depth_multiplier=2, use_bias=False, name="f"), k.bn()
        ),
        "bn>f",
        "DepthwiseConv1D",
    ),
    Case(
        "SeparableConv2D",
        lambda k: image(k, k.SeparableConv2D(5, 3, depth_multiplier=2, name="f"), k.bn()),
        "bn>f",
        "SeparableConv2D",
    ),
    Case(
        "SeparableConv1D",
        lambda k: k.chain((9, 3), k.SeparableConv1D(5, 3, use_bias=False, name="f"), k.bn()),
        "bn>f",
        "SeparableConv1D",
    ),
    Case("Dense", lambda k: k.chain((6,), k.Dense(5, name="f"), k.bn()), "bn>f", "Dense"),
    Case(
        "Dense on a sequence",
        lambda k: k.chain((4, 6), k.Dense(5, use_bias=False, name="f"), k.bn()),
        "bn>f",
        "Dense",
    ),
    Case(
        "a linear activation",
        lambda k: image(k, k.Conv2D(5, 3, activation="linear", name="f"), k.bn()),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "an activation inside",
        lambda k: image(k, k.Conv2D(5, 3, activation="relu", name="f"), k.bn()),
        "bn!activation@f",
        "Conv2D BatchNormalization",
    ),
    Case(
        "a relu inside, a positive scale",
        lambda k: image(
            k,
            k.Conv2D(3, 3, activation="relu", use_bias=False, name="f"),
            k.Rescaling([0.3, 2.0, 0.0], name="r"),
        ),
        "r>f",
        "Conv2D",
    ),
    Case(
        "a relu inside, a negative scale",
        lambda k: image(k, k.Conv2D(5, 3, activation="relu", name="f"), k.Rescaling(-1, name="r")),
        "r!activation@f",
        "Conv2D Rescaling",
    ),
    Case(
        "two batch norms in a row",
        lambda k: image(k, k.Conv2D(5, 3, name="f"), k.bn("a"), k.bn("b")),
        "a>f b>f",
        "Conv2D",
    ),
    Case(
        "batch norms without center, scale, both",
        lambda k: image(
            k,
            k.Conv2D(5, 3, use_bias=False, name="f"),
            k.bn("a", center=False),
            k.bn("b", scale=False),
            k.bn("c", scale=False, center=False),
        ),
        "a>f b>f c>f",
        "Conv2D",
    ),
    Case(
        "extreme variances",
        lambda k: image(k, k.Conv2D(12, 3, name="f"), k.bn(epsilon=1e-5)),
        "bn>f",
        "Conv2D",
        variances=(1e-36, 4e5),
    ),
    Case(
        "extreme variances, before",
        lambda k: k.chain((12,), k.bn(epsilon=1e-3), k.Dense(4, name="f")),
        "bn>f",
        "Dense",
        variances=(1e-36, 4e5),
    ),
]

BEFORE = [
    Case("valid", lambda k: image(k, k.bn(), k.Conv2D(5, 3, name="f")), "bn>f", "Conv2D"),
    Case(
        "valid, groups, no bias",
        lambda k: image(k, k.bn(), k.Conv2D(6, 3, groups=2, use_bias=False, name="f")),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "valid, strides",
        lambda k: image(k, k.bn(), k.Conv2D(5, 3, strides=2, name="f")),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "one by one, same",
        lambda k: image(k, k.bn(), k.Conv2D(5, 1, strides=2, padding="same", name="f")),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "same",
        lambda k: image(k, k.bn(), k.Conv2D(5, 3, padding="same", name="f")),
        "bn!shift-meets-padding@f",
        "BatchNormalization Conv2D",
    ),
    Case(
        "same, where nothing is padded",
        lambda k: image(k, k.bn(), k.Conv2D(5, (2, 1), strides=2, padding="same", name="f")),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "same, which pads some sizes",
        lambda k: k.chain(
            (None, 8, 3), k.bn(), k.Conv2D(5, 2, strides=2, padding="same", name="f")
        ),
        "bn!shift-meets-padding@f",
        "BatchNormalization Conv2D",
    ),
    Case(
        "causal",
        lambda k: k.chain((9, 3), k.bn(), k.Conv1D(4, 2, padding="causal", name="f")),
        "bn!shift-meets-padding@f",
        "BatchNormalization Conv1D",
    ),
    Case(
        "an activation behind is no obstacle",
        lambda k: image(k, k.bn(), k.Conv2D(5, 3, activation="tanh", name="f")),
        "bn>f",
        "Conv2D",
    ),
    Case(
        "depthwise",
        lambda k: image(k, k.bn(), k.DepthwiseConv2D(3, depth_multiplier=2, name="f")),
        "bn>f",
        "DepthwiseConv2D",
    ),
    Case(
        "separable",
        lambda k: image(
            k, k.bn(), k.SeparableConv2D(5, 3, depth_multiplier=2, use_bias=False, name="f")
        ),
        "bn>f",
        "SeparableConv2D",
    ),
    Case(
        "transposed",
        lambda k: image(k, k.bn(), k.Conv2DTranspose(5, 3, name="f")),
        "bn!shift-meets-padding@f",
        "BatchNormalization Conv2DTranspose",
    ),
    Case(
        "transposed, one by one",
        lambda k: image(k, k.bn(), k.Conv2DTranspose(5, 1, name="f")),
        "bn>f",
        "Conv2DTranspose",
    ),
    Case("dense", lambda k: k.chain((6,), k.bn(), k.Dense(5, name="f")), "bn>f", "Dense"),
    Case(
        "conv on its own right, before a nonlinearity",
        lambda k: image(k, k.bn(), k.Activation("tanh", name="t")),
        "bn!nonlinear@t",
        "BatchNormalization Activation",
    ),
]

AXES = [
    Case(
        "height equal to channels hides axis=1",
        lambda k: k.chain((5, 5, 3), k.Conv2D(5, 1, name="f"), k.bn(axis=1)),
        "bn!channel-axis@f",
        "Conv2D BatchNormalization",
    ),
    Case(
        "axis=1 after Dense on a sequence",
        lambda k: k.chain((5, 6), k.Dense(5, name="f"), k.bn(axis=1)),
        "bn!channel-axis@f",
        "Dense BatchNormalization",
    ),
    Case(
        "axis=-1 as a list",
        lambda k: k.chain((5, 6), k.Dense(5, name="f"), k.bn(axis=[-1])),
        "bn>f",
        "Dense",
        needs=2,
    ),
    Case(
        "several axes",
        lambda k: k.chain((5, 6), k.Dense(5, name="f"), k.bn(axis=[1, 2])),
        "bn!channel-axis@bn",
        "Dense BatchNormalization",
        needs=2,
    ),
    Case(
        "channels_first",
        lambda k: k.chain(
            (3, 8, 7), k.Conv2D(6, 3, data_format="channels_first", name="f"), k.bn(axis=1)
        ),
        "bn>f",
        "Conv2D",
        xla=True,
    ),
    Case(
        "axis=-1 after channels_first",
        lambda k: k.chain(
            (3, 8, 7), k.Conv2D(5, 3, data_format="channels_first", name="f"), k.bn()
        ),
        "bn!channel-axis@f",
        "Conv2D BatchNormalization",
        xla=True,
    ),
    Case(
        "before channels_first",
        lambda k: k.chain(
            (4, 8, 7),
            k.bn(axis=1),
            k.Conv2D(6, 3, groups=2, data_format="channels_first", name="f"),
        ),
        "bn>f",
        "Conv2D",
        xla=True,
    ),
    Case(
        "synchronized",
        lambda k: k.chain((6,), k.Dense(5, name="f"), k.bn(synchronized=True)),
        "bn>f",
        "Dense",
    ),
    Case(
        "SyncBatchNormalization",
        lambda k: k.chain(
            (6,), k.Dense(5, name="f"), k.experimental.SyncBatchNormalization(name="bn")
        ),
        "bn>f",
        "Dense",
        needs=2,
    ),
    Case(
        "renorm",
        lambda k: k.chain((6,), k.Dense(5, name="f"), k.bn(renorm=True)),
        "bn>f",
        "Dense",
        needs=2,
    ),
    Case(
        "batch norm absorbs batch norm",
        lambda k: k.chain((6,), k.bn("a", scale=False), k.ReLU(name="r"), k.bn("b"), k.bn("c")),
        "a!shift-not-zero@r b>c c!shift-not-zero@r",
        "BatchNormalization ReLU BatchNormalization",
    ),
]


@matrix(*AFTER)
def test_after(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*BEFORE)
def test_before(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*AXES)
def test_axes_and_kinds(case: Case, kit: Kit) -> None:
    check(case, kit)
