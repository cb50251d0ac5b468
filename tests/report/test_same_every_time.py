"""A gate that teams keep: the same suite gives the same reports, byte for byte."""

from __future__ import annotations

import importlib.util

# Layers named as Keras names them, by a number that goes on counting in each process.
SUITE = """
import itertools
import pytest
from pytest_layercount.model.graph import Layer
from tests.graphs import CONFIGS, chain

number = itertools.count()

def built(*types):
    def layer(type_, name):
        kind = "input" if type_ == "InputLayer" else "layer"
        config = CONFIGS.get(type_, {})
        return Layer(f"{name}_{next(number)}", type_, kind=kind, config=config, parameters=10)
    names = {"InputLayer": "input_layer", "Conv2D": "conv2d", "Activation": "activation",
             "BatchNormalization": "batch_normalization", "Dense": "dense"}
    layers = [layer(type_, names[type_]) for type_ in types]
    return chain(*layers, name=f"functional_{next(number)}")

@pytest.fixture
def detector(grown):
    return built("InputLayer", "Conv2D", "BatchNormalization", "Activation", *["Dense"] * grown)

@pytest.fixture(params=[1, 2, 3])
def model(request):
    built("InputLayer")
    return built("InputLayer", *["Conv2D", "Activation", "BatchNormalization"] * request.param)

@pytest.mark.layercount(max=6, max_growth=1)
def test_detector(detector): pass

def test_foldable(model, assert_foldable):
    assert_foldable(model)

def test_same(model, detector, assert_same_structure):
    assert_same_structure(detector, model)
"""
SHUFFLED = """
import os, random
import pytest

@pytest.fixture
def grown():
    return int(os.environ.get("GROWN", "0"))

def pytest_collection_modifyitems(items):
    random.Random(int(os.environ["ORDER"])).shuffle(items)
"""


def test_reports_are_the_same_in_any_order_and_any_number_of_processes(suite, monkeypatch):
    suite.makeconftest(SHUFFLED)
    suite.makepyfile(test_it=SUITE)
    kinds = ["json", "md", *["html"] * (importlib.util.find_spec("jinja2") is not None)]
    options = [f"--layercount-report=report.{kind}" for kind in kinds]
    monkeypatch.setenv("ORDER", "0")
    suite.runpytest("--layercount-update")
    monkeypatch.setenv("GROWN", "3")
    found = []
    for order, workers in enumerate([[], [], [], ["-n", "2"]]):
        monkeypatch.setenv("ORDER", str(order))
        result = suite.runpytest(*options, *workers)
        result.assert_outcomes(failed=7)
        found.append([(suite.path / f"report.{kind}").read_bytes() for kind in kinds])
    assert found[0] == found[1] == found[2] == found[3]
    text = found[0][1].decode()
    assert "+3 (+75.0%)" in text
    assert "- +3 3 Dense" in text
    assert "<code>batch&#95;normalization&#95;2</code>" in text
