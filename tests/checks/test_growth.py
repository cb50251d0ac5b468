"""What of a difference the other generation of Keras makes, and what the model itself."""

from __future__ import annotations

import pytest

from pytest_layercount.checks.arguments import NOTHING
from pytest_layercount.checks.growth import compare
from pytest_layercount.kept.baseline import baseline
from pytest_layercount.model.graph import ModelGraph
from tests.compare.pieces import PIECES
from tests.compare.sketch import Sketch


def hard_sigmoid(net, x):
    y = net.add("ReLU", net.operation("add", x, 3.0), max_value=6.0)
    return net.operation("multiply", y, 1 / 6)


FORMS = {
    **{piece.code: (piece.long, piece.short) for piece in PIECES.values()},
    "hard-sigmoid": (
        hard_sigmoid,
        lambda net, x: net.add("Activation", x, activation="hard_sigmoid"),
    ),
    "operations": (lambda net, x: net.operation("multiply", x, x), None),
}
SPELLED = {"activation-layers", "hard-sigmoid", "hard-swish", "operations", "separable"}


def model(keras, draw) -> ModelGraph:
    net = Sketch(keras)
    return net.model(net.add("MaxPooling2D", draw(net, net.input())))


def compared(one, two, metrics=("layers",)):
    before, after = (baseline("test_it.py::test", "it", "layers", graph) for graph in (one, two))
    return compare(before, after, metrics, NOTHING)


@pytest.mark.parametrize("metric", ["layers", "nodes"])
@pytest.mark.parametrize("code", FORMS)
def test_what_the_other_keras_only_writes_otherwise_is_no_growth(code, metric):
    longer, shorter = FORMS[code]
    across = compared(model(3, shorter or longer), model(2, longer), (metric,))
    (growth,) = across.growths
    assert across.same is growth.kept is (code in SPELLED or growth.before == growth.after)
    assert growth.delta == (0 if code in SPELLED else growth.after - growth.before)


@pytest.mark.parametrize("code", [code for code, (_, shorter) in FORMS.items() if shorter])
def test_within_one_keras_it_is_a_difference(code):
    assert not compared(*(model(3, form) for form in FORMS[code])).same
