"""Affine layers other than batch norms, and constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.folding.harness import Case, Kit, check, matrix


def variable(values):
    import tensorflow as tf

    return tf.Variable(np.array(values))


RESCALING = [
    Case(
        "into Dense",
        lambda k: k.chain((4,), k.Rescaling(1 / 255, 0.3, name="r"), k.Dense(3, name="f")),
        "r>f",
        "Dense",
    ),
    Case(
        "per channel",
        lambda k: k.chain(
            (6, 6, 3),
            k.Rescaling([0.1, 0.7, -0.3], offset=[1.0, 2.0, 0.1], name="r"),
            k.Conv2D(4, 3, name="f"),
        ),
        "r>f",
        "Conv2D",
    ),
    Case(
        "NumPy numbers",
        lambda k: k.chain(
            (3,),
            k.Rescaling(np.array([0.1, 0.7, 0.3]), np.float64(0.1), name="r"),
            k.Dense(3, name="f"),
        ),
        "r>f",
        "Dense",
    ),
    Case(
        "after Dense",
        lambda k: k.chain((4,), k.Dense(3, name="f"), k.Rescaling(2, -1, name="r")),
        "r>f",
        "Dense",
    ),
    Case(
        "absorbs a batch norm",
        lambda k: k.chain(
            (4,), k.Rescaling(0.1, 0.2, name="r"), k.bn(), k.Activation("tanh", name="t")
        ),
        "bn>r r!nonlinear@t",
        "Rescaling Activation",
    ),
    Case(
        "absorbs Normalization, as in EfficientNet",
        lambda k: k.chain(
            (6, 6, 3),
            k.Rescaling(1 / 255, name="r"),
            k.Normalization(name="n"),
            k.Rescaling([0.5, 0.2, 0.7], name="q"),
            k.ZeroPadding2D(1, name="p"),
            k.Conv2D(4, 3),
        ),
        "r>n n>q q!shift-meets-padding@p",
        "Rescaling ZeroPadding2D Conv2D",
    ),
    Case(
        "absorbs a given Normalization, as in EfficientNetV2",
        lambda k: k.chain(
            (6, 6, 3),
            k.Rescaling(1 / 255, name="r"),
            k.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.05, 0.06, 0.07], name="n"),
            k.Conv2D(4, 3, padding="same", name="p"),
        ),
        "n>r r!shift-meets-padding@p",
        "Rescaling Conv2D",
    ),
    Case(
        "takes up maps per channel on both sides",
        lambda k: k.chain(
            (5, 3),
            k.Normalization(name="n"),
            k.Rescaling(0.3, 0.1, name="r"),
            k.Rescaling([0.3, -2.0, 0.1], [1.0, 2.0, 3.0], name="q"),
            k.Activation("tanh", name="t"),
        ),
        "n>r r>q q!nonlinear@t",
        "Rescaling Activation",
    ),
    Case(
        "a map along the height",
        lambda k: k.chain(
            (3, 4),
            k.Normalization(axis=1, name="n"),
            k.Rescaling(-2.0, name="r"),
            k.Softmax(name="t"),
        ),
        "n!channel-axis@r r!scale-negative@n",
        "Normalization Rescaling Softmax",
    ),
    Case(
        "of integers",
        lambda k: k.chain((4,), k.Rescaling(0.1, name="r"), k.Dense(3, name="f"), dtype="int32"),
        "r!data-type@r",
        "Rescaling Dense",
    ),
    Case(
        "scale per channel on the height",
        lambda k: k.chain(
            (3, 4), k.Rescaling(0.5, name="r"), k.bn(axis=1), k.Activation("tanh", name="t")
        ),
        "r>bn bn!nonlinear@t",
        "BatchNormalization Activation",
    ),
]

NORMALIZATION = [
    Case(
        "absorbs on both sides",
        lambda k: k.chain(
            (4, 3),
            k.Rescaling(0.4, 0.3, name="r"),
            k.Normalization(axis=1, name="n"),
            k.Rescaling(0.3, 2.0, name="q"),
            k.Activation("tanh", name="t"),
        ),
        "r>n q>n n!nonlinear@t",
        "Normalization Activation",
    ),
    Case(
        "absorbs on both sides, inverted",
        lambda k: k.chain(
            (4, 3),
            k.Rescaling(0.4, 0.3, name="r"),
            k.Normalization(axis=1, invert=True, name="n"),
            k.Rescaling(0.3, 2.0, name="q"),
            k.Activation("tanh", name="t"),
        ),
        "r>n q>n n!nonlinear@t",
        "Normalization Activation",
    ),
    Case(
        "absorbs no negative scale",
        lambda k: k.chain(
            (4, 3),
            k.Rescaling(-0.4, name="r"),
            k.Normalization(axis=1, name="n"),
            k.Activation("tanh", name="t"),
        ),
        "r!scale-negative@n n!channel-axis@r",
        "Rescaling Normalization Activation",
    ),
    Case(
        "absorbs nothing that its root cannot hold",
        lambda k: k.chain(
            (4, 3),
            k.Normalization(axis=1, name="n"),
            k.Rescaling(1e9, name="r"),
            k.Activation("tanh", name="t"),
        ),
        "n!channel-axis@r r!overflow@n",
        "Normalization Rescaling Activation",
    ),
    Case(
        "one mean goes into numbers per channel",
        lambda k: k.chain(
            (4, 3),
            k.Normalization(axis=None, name="n"),
            k.Rescaling([0.3, 2.0, 0.1], name="r"),
            k.Activation("tanh", name="t"),
        ),
        "n>r r!nonlinear@t",
        "Rescaling Activation",
    ),
    Case(
        "adapted",
        lambda k: k.chain((6, 6, 3), k.Normalization(name="n"), k.Conv2D(4, 3, name="f")),
        "n>f",
        "Conv2D",
    ),
    Case(
        "adapted along another axis",
        lambda k: k.chain(
            (3, 6, 5), k.Normalization(axis=1, name="n"), k.Flatten(), k.Dense(4, name="f")
        ),
        "n>f",
        "Flatten Dense",
    ),
    Case(
        "one mean for all",
        lambda k: k.chain(
            (6, 6, 3), k.Normalization(axis=None, name="n"), k.Conv2D(4, 3, name="f")
        ),
        "n>f",
        "Conv2D",
    ),
    Case(
        "two numbers in a row",
        lambda k: k.chain(
            (4,),
            k.Rescaling(0.1, 0.3, name="r"),
            k.Rescaling(0.3, -2.0, name="q"),
            k.Activation("tanh", name="t"),
        ),
        "r>q q!nonlinear@t",
        "Rescaling Activation",
    ),
    Case(
        "several axes",
        lambda k: k.chain((4, 3), k.Normalization(axis=(1, 2), name="n"), k.Dense(4)),
        "n!channel-axis@n",
        "Normalization Dense",
    ),
    Case(
        "given",
        lambda k: k.chain(
            (6, 6, 3),
            k.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 2.0, 0.0], name="n"),
            k.Conv2D(4, 3, name="f"),
        ),
        "n>f",
        "Conv2D",
        tolerance=1e-7,
    ),
    Case(
        "given one number",
        lambda k: k.chain(
            (6,), k.Normalization(axis=None, mean=0.5, variance=4.0, name="n"), k.Dense(4, name="f")
        ),
        "n>f",
        "Dense",
    ),
    Case(
        "given, without shift, through padding",
        lambda k: k.chain(
            (6, 6, 3),
            k.Normalization(axis=None, mean=0.0, variance=4.0, name="n"),
            k.Conv2D(4, 3, padding="same", name="f"),
        ),
        "n>f",
        "Conv2D",
    ),
    Case(
        "inverted",
        lambda k: k.chain((4,), k.Dense(3, name="f"), k.Normalization(invert=True, name="n")),
        "n>f",
        "Dense",
    ),
    Case(
        "variances below the root's floor",
        lambda k: k.chain((12,), k.Normalization(name="n"), k.Dense(4, name="f")),
        "n>f",
        "Dense",
        variances=(1e-30, 4e5),
    ),
    Case(
        "is not a batch norm",
        lambda k: k.chain((4,), k.Normalization(name="n"), k.Activation("tanh", name="t")),
        "n!nonlinear@t",
        "Normalization Activation",
    ),
]

CONSTANTS = [
    Case("times", lambda k: k.chain((4,), lambda x: k.Dense(3, name="f")(x * 0.3)), "M>f", "Dense"),
    Case("plus", lambda k: k.chain((4,), lambda x: k.Dense(3, name="f")(x + 0.3)), "M>f", "Dense"),
    Case("minus", lambda k: k.chain((4,), k.Dense(3, name="f"), lambda x: x - 0.3), "M>f", "Dense"),
    Case("from", lambda k: k.chain((4,), k.Dense(3, name="f"), lambda x: 0.3 - x), "M>f", "Dense"),
    Case("over", lambda k: k.chain((4,), k.Dense(3, name="f"), lambda x: x / 0.3), "M>f", "Dense"),
    Case(
        "under",
        lambda k: k.chain((4,), k.Dense(3, activation="sigmoid"), lambda x: 0.3 / x),
        "",
        "Dense divide",
    ),
    Case(
        "per channel",
        lambda k: k.chain(
            (5, 4), lambda x: k.Dense(3, name="f")(x * np.array([0.1, 2.0, -3.0, 0.0]))
        ),
        "M>f",
        "Dense",
    ),
    Case(
        "a variable",
        lambda k: k.chain((5, 4), k.Dense(3, name="f"), lambda x: x * variable([0.1, 2.0, -3.0])),
        "M>f",
        "Dense",
    ),
    Case(
        "along the height",
        lambda k: k.chain(
            (3, 3, 3), k.Conv2D(3, 1, name="f"), lambda x: x * np.array([[[1.0]], [[2.0]], [[3.0]]])
        ),
        "M!channel-axis@f",
        "Conv2D multiply",
    ),
    Case(
        "per element",
        lambda k: k.chain((3, 3), k.Dense(3, name="f"), lambda x: x * np.arange(9.0).reshape(3, 3)),
        "",
        "Dense multiply",
    ),
    Case(
        "preprocessing before a padded convolution",
        lambda k: k.chain(
            (6, 6, 3), lambda x: k.Conv2D(4, 3, padding="same", name="f")(x / 127.5 - 1.0)
        ),
        "M!fixed-weights@N N!shift-meets-padding@f",
        "divide subtract Conv2D",
    ),
]


@matrix(*RESCALING)
def test_rescaling(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*NORMALIZATION)
def test_normalization(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*CONSTANTS)
def test_constants(case: Case, kit: Kit) -> None:
    """Operations have no names of their own: M and N stand for the first and the second."""
    from pytest_layercount import read_graph

    layers = read_graph(case.build(kit)).layers
    names = [layer.path for layer in layers if layer.operation is not None]
    expected = case.expected.replace("M", names[0]).replace("N", names[-1])
    kit.keras.backend.clear_session()
    check(replace(case, expected=expected), kit)


def test_unadapted_normalization_is_not_trusted(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    layers = kit.Normalization(name="n"), kit.Conv2D(4, 3, padding="same", name="f")
    result = fold(kit.chain((6, 6, 3), *layers))
    assert [no.reason for no in result.refusals] == ["shift-meets-padding"]


def test_untrained_batch_norm_is_not_trusted(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    layers = kit.bn(), kit.Conv2D(4, 3, padding="same", name="f")
    result = fold(kit.chain((6, 6, 3), *layers))
    assert [no.reason for no in result.refusals] == ["shift-meets-padding"]


def test_layer_scale_of_keras_applications(kit: Kit) -> None:
    convnext = pytest.importorskip(f"{kit.keras.__name__}.src.applications.convnext")

    def build(k: Kit):
        scale = convnext.LayerScale(0.1, 3, name="s")
        depth = convnext.StochasticDepth(0.5, name="d")
        return k.chain((4,), k.Dense(3, name="f"), scale, depth, k.bn())

    check(Case("LayerScale", build, "s>f bn>f", "Dense", removed="d"), kit)


def test_layer_scale_absorbs_a_scale_but_no_shift(kit: Kit) -> None:
    convnext = pytest.importorskip(f"{kit.keras.__name__}.src.applications.convnext")

    def build(k: Kit):
        scale = convnext.LayerScale(0.1, 4, name="s")
        quarter = k.Normalization(axis=None, mean=0.0, variance=4.0, name="n")
        tanh = k.Activation("tanh", name="t")
        return k.chain((4,), scale, quarter, tanh, convnext.LayerScale(0.1, 4, name="u"), k.bn())

    expected = "n>s s!nonlinear@t u>bn bn!nonlinear@t"
    check(Case("LayerScale", build, expected, "LayerScale Activation BatchNormalization"), kit)


def test_layer_scale_has_no_bias_for_a_shift(kit: Kit) -> None:
    convnext = pytest.importorskip(f"{kit.keras.__name__}.src.applications.convnext")

    def build(k: Kit):
        shifting = k.Normalization(axis=None, mean=0.5, variance=4.0, name="n")
        scale = convnext.LayerScale(0.1, 4, name="s")
        return k.chain((4,), shifting, scale, k.Activation("tanh", name="t"))

    expected = "n!no-bias@s s!nonlinear@t"
    check(Case("LayerScale", build, expected, "Normalization LayerScale Activation"), kit)
