"""What is said about baselines, whole."""

from __future__ import annotations

from decimal import Decimal

from pytest_layercount.checks.arguments import Allowance
from pytest_layercount.checks.baseline import failure_text, missing_text
from pytest_layercount.checks.claims import Claim
from pytest_layercount.checks.growth import compare
from pytest_layercount.kept.baseline import baseline
from pytest_layercount.model.graph import Layer
from tests.graphs import CONFIGS, chain, of_size
from tests.texts import same

CLAIM = Claim(
    path="",
    shown="tests/__layercount__/test_detector.test_it.txt",
    name="test_detector.test_it",
    test="tests/test_detector.py::test_it",
    arguments=["tests/test_detector.py::test_it"],
)
FIVE = Allowance(percent=Decimal(5))
SMALL = chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", "Flatten", "Dense")
LARGE = chain("InputLayer", *["Conv2D", "BatchNormalization"] * 2, "Activation", "Flatten", "Dense")


def of(graph):
    return baseline("test_detector.py::test_it", "test_detector.test_it", "layers", graph)


def test_grown():
    found = compare(of(SMALL), of(LARGE), ("layers",), FIVE)
    same(
        failure_text("detector", found, CLAIM, FIVE, "has to fit the camera"),
        """
        detector: 6 -> 8 layers (+2)
        allowed: 5% more, 0 layers
        first: the baseline tests/__layercount__/test_detector.test_it.txt, Keras 3.15.0
        second: the model as it is, Keras 3.15.0
            +2 added: 1 Conv2D and 1 BatchNormalization only in the second model
               conv2d3, batch_normalization4
        note: has to fit the camera
        to accept: pytest tests/test_detector.py::test_it --layercount-update
        """,
    )


def test_grown_in_two_numbers_by_more_than_so_many():
    found = compare(of(SMALL), of(LARGE), ("parameters", "nodes"), Allowance(1))
    same(
        "\n".join(failure_text("detector", found, CLAIM, Allowance(1)).splitlines()[:3]),
        """
        detector: 30 -> 50 parameters (+20)
        and 5 -> 7 nodes (+2)
        allowed: 1 parameter, 1 node more
        """,
    )


def test_configured_otherwise():
    wide = Layer("wide", "Dense", config={**CONFIGS["Dense"], "units": 9})
    narrow = Layer("wide", "Dense", config={**CONFIGS["Dense"], "units": 7})
    found = compare(of(chain("InputLayer", narrow)), of(chain("InputLayer", wide)), (), Allowance())
    same(
        failure_text("detector", found, CLAIM, FIVE),
        """
        detector: 2 layers, 1 difference
        first: the baseline tests/__layercount__/test_detector.test_it.txt, Keras 3.15.0
        second: the model as it is, Keras 3.15.0
               changed: 1 in both models
               wide: units 7 -> 9
        to accept: pytest tests/test_detector.py::test_it --layercount-update
        """,
    )


def test_missing():
    said = missing_text("detector", of(of_size(20)), CLAIM)
    same(
        said,
        """
        detector: no baseline yet, has 20 layers
        would be written to tests/__layercount__/test_detector.test_it.txt:
            test: test_detector.py::test_it
            name: test_detector.test_it
            judged: layers
            keras: Keras 3.15.0
            model: Functional
            layers: 20
            nodes: 19
            top: 20
            depth: 19
            parameters: 190
            trainable: 0
            bytes: 760
            macs: 19456
            InputLayer() -> (None, 8, 8, 4) | input_layer0
            Dense() -> (None, 8, 8, 4) | 10 parameters, 0 trained | dense1
            Dense() -> (None, 8, 8, 4) | 10 parameters, 0 trained | dense2
            Dense() -> (None, 8, 8, 4) | 10 parameters, 0 trained | dense3
            and 17 more
        to write it: pytest tests/test_detector.py::test_it --layercount-update=new
        """,
    )
