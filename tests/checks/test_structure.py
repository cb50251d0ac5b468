"""What is said where two models differ: the whole text."""

from __future__ import annotations

from dataclasses import replace
from inspect import cleandoc

from pytest_layercount import explain
from pytest_layercount.checks.structure import CAUSES, Difference, difference, failure_text
from pytest_layercount.compare.causes import SENTENCES, Cause
from pytest_layercount.text import HEADLINE, PAGE, instead
from tests.compare.sketch import Sketch
from tests.compare.test_causes import classifier, scaled


def said(one, two, ignore=(), **how):
    found = difference(explain(one, two, **how), ignore)
    text = failure_text(found)
    lines = text.splitlines()
    assert len(lines[0]) <= HEADLINE
    assert len(lines) <= PAGE
    return text


def same(text, expected):
    assert text == cleandoc(expected)


def folded():
    net = Sketch(prefix="lean_")
    x = net.input()
    for _ in range(2):
        y = net.add("Conv2D", net.add("Conv2D", x, filters=8), filters=16, kernel_size=(1, 1))
        x = net.add("Add", x, net.add("Activation", y))
    y = net.add("GlobalAveragePooling2D", x, shape=(None, 4))
    return net.model(net.add("Dense", y, activation="softmax", units=10), name="lean")


def test_the_causes_by_size_and_what_changed():
    same(
        said(classifier(), folded()),
        """
        lean: 14 -> 11 layers (-3)
        compared: layers of net, Keras 3.15.0, with lean, Keras 3.15.0
            -2 batch-norms-folded: 2 BatchNormalization folded into neighbouring layers
               batchnormalization_2, batchnormalization_7
            -1 no-ops: 1 Dropout gone, doing nothing at inference
               dropout_12
               changed: 2 in both models
               lean_conv2d_2: filters 8 -> 16
               lean_conv2d_6: filters 8 -> 16
        to see every layer concerned: pytest_layercount.explain(a, b).causes and .changed
        to accept: ignore=('batch-norms-folded', 'no-ops', 'changed')
        """,
    )


def test_what_is_ignored_is_said_too():
    same(
        said(classifier(), folded(), ["no-ops", "changed"]),
        """
        lean: 14 -> 11 layers (-3)
        compared: layers of net, Keras 3.15.0, with lean, Keras 3.15.0
            -2 batch-norms-folded: 2 BatchNormalization folded into neighbouring layers
               batchnormalization_2, batchnormalization_7
        ignored: -1 no-ops
        to see every layer concerned: pytest_layercount.explain(a, b).causes and .changed
        to accept: ignore=('batch-norms-folded',)
        """,
    )


def test_as_many_layers_that_differ():
    net = Sketch()
    one = net.model(net.add("ReLU", net.input()), name="one")
    net = Sketch()
    two = net.model(net.add("Activation", net.input()), name="two")
    same(
        said(one, two, count="nodes"),
        """
        two: 1 nodes each, 1 difference
        compared: nodes of one, Keras 3.15.0, with two, Keras 3.15.0
            +0 activation-layers: same activations, other layers: 1 ReLU in the first model, \
1 Activation in the second
               relu_1
        to see every layer concerned: pytest_layercount.explain(a, b).causes and .changed
        to accept: ignore=('activation-layers',)
        """,
    )


def test_another_keras():
    same(
        said(scaled(2), scaled(3)),
        """
        net: 7 -> 6 layers (-1)
        compared: layers of net, Keras 2.15.0, with net, Keras 3.15.0
            -1 operations: 1 TFOpLambda counted as layers in the first model, \
operations of the second are not
               add_3
        to see every layer concerned: pytest_layercount.explain(a, b).causes and .changed
        to accept: ignore=('operations',)
        """,
    )


def test_much_that_differs_fits_a_page():
    causes = tuple(
        Cause(code, -place, {"Dense": -place}, ("a", "b", "c"), (), f"sentence {place}")
        for place, code in enumerate(SENTENCES, start=1)
    )
    explanation = explain(classifier(), folded())
    found = Difference(explanation, causes, explanation.changed * 9, causes)
    lines = failure_text(found, note="for the camera").splitlines()
    assert len(lines) <= PAGE
    assert "               a, b and 1 more".strip() in [line.strip() for line in lines]
    rest = sum(cause.delta for cause in causes[CAUSES:])
    assert f"{rest:+6d} by {len(causes) - CAUSES} other causes" in lines
    assert "note: for the camera" in lines
    assert lines[-1].startswith("to accept: ignore=('activation-layers', ")


def test_what_the_weights_say_of_a_fold():
    explanation = explain(classifier(), folded())
    for confirmed, said in (
        (True, "folded into neighbouring layers, as the weights confirm"),
        (False, "folded into neighbouring layers"),
    ):
        causes = (replace(explanation.causes[0], confirmed=confirmed),)
        found = Difference(explanation, causes, (), ())
        line = failure_text(found).splitlines()[2]
        assert line == f"    -2 batch-norms-folded: 2 BatchNormalization {said}"


def test_a_code_that_does_not_exist():
    known = ["head", "no-ops"]
    assert instead("noops", known) == "; did you mean 'no-ops'?"
    assert instead("x", known) == "; there are head, no-ops"
