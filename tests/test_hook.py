"""Rules for the user's own layers, through a hook in conftest.py."""

from __future__ import annotations

import os

import pytest

from tests.conftest import needs_keras

pytestmark = needs_keras

KERAS = os.environ.get("LAYERCOUNT_TEST_KERAS", "keras")

LAYERS = f'''
import {KERAS} as keras
import numpy as np


class ScaleAndShift(keras.layers.Layer):
    """y = scale * x + shift, per channel of the last axis."""

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
        self.shift = self.add_weight(name="shift", shape=(shape[-1],), initializer="zeros")
        self.both = [self.scale, dict(shift=self.shift)]

    def call(self, inputs):
        return inputs * self.scale + self.shift


class DoublingConv2D(keras.layers.Conv2D):
    """A convolution with a call of its own, so that nothing may be assumed of it."""

    def build(self, shape):
        super().build(shape)
        self.made = [self.kernel] if self.bias is None else [self.kernel, self.bias]

    def call(self, inputs):
        return super().call(inputs * 2.0)


def randomise(model):
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.5, 1.5, tuple(weight.shape)))
    return model
'''

CONFTEST = """
import numpy as np
from own_layers import DoublingConv2D, ScaleAndShift
from pytest_layercount.rules import Absorbs, Affine, Convolution, Rule, Stop


class ScaleAndShiftRule(Rule):
    weights = ("scale", "shift")

    def affine(self, site, weights):
        axis = len(site.input) - 1
        token = ("layer", site.layer.path)
        if weights is None:
            return Affine(axis, site.input[-1], token)
        return Affine.of(weights["scale"], weights["shift"], axis, token)

    def absorb_after(self, site, affine):
        fits = affine.axis == len(site.output) - 1
        return Absorbs() if fits else Stop("channel-axis")

    def after(self, site, weights, affine):
        scale, shift = affine.arrays()
        return {"scale": scale * weights["scale"], "shift": scale * weights["shift"] + shift}


def pytest_layercount_rule(layer):
    if type(layer) is ScaleAndShift:
        return ScaleAndShiftRule()
    if type(layer) is DoublingConv2D:
        return Convolution()
    return None
"""

TESTS = f"""
import pytest
import {KERAS} as keras
from own_layers import DoublingConv2D, ScaleAndShift, randomise


@pytest.fixture
def mapped():
    layers = [keras.layers.Dense(3, name="dense"), ScaleAndShift(name="own"), keras.layers.ReLU()]
    return randomise(keras.Sequential([keras.Input((4,)), *layers], name="mapped"))


@pytest.fixture
def absorbing():
    entry = keras.Input((4,))
    x = keras.layers.ReLU()(ScaleAndShift(name="own")(keras.layers.ReLU()(entry)))
    x = keras.layers.BatchNormalization(name="bn")(ScaleAndShift(name="other")(x))
    return randomise(keras.Model(entry, keras.layers.ReLU()(x), name="absorbing"))


@pytest.fixture
def doubling():
    conv = DoublingConv2D(3, 3, name="conv", use_bias=False)
    layers = [keras.Input((6, 6, 2)), conv, keras.layers.BatchNormalization(name="bn")]
    return randomise(keras.Sequential(layers, name="doubling"))


def test_is_a_map(mapped, assert_foldable, assert_equivalent_after_fold):
    (fold,) = assert_foldable(mapped, types=("ScaleAndShift",)).folds
    assert (fold.layer, fold.into) == ("own", ("dense",))
    assert_equivalent_after_fold(mapped)


def test_absorbs(absorbing, assert_foldable, assert_equivalent_after_fold):
    assert [fold.into for fold in assert_foldable(absorbing).folds] == [("other",)]
    assert_equivalent_after_fold(absorbing)


def test_a_subclass(doubling, assert_foldable, assert_equivalent_after_fold):
    assert [fold.into for fold in assert_foldable(doubling).folds] == [("conv",)]
    assert_equivalent_after_fold(doubling)
"""


def test_a_conftest_answers_for_its_own_layers(suite: pytest.Pytester) -> None:
    suite.makepyfile(own_layers=LAYERS, conftest=CONFTEST, test_own=TESTS)
    suite.runpytest_subprocess("-W", "ignore").assert_outcomes(passed=3)


def test_without_a_rule_nothing_is_assumed(suite: pytest.Pytester) -> None:
    suite.makepyfile(own_layers=LAYERS, test_own=TESTS)
    result = suite.runpytest_subprocess("-W", "ignore", "-k", "subclass")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*doubling: 1 of 1 batch norms stay*", "*unknown-layer*hook*"])


def test_an_answer_that_is_no_rule_is_named(suite: pytest.Pytester) -> None:
    conftest = "def pytest_layercount_rule(layer):\n    return 'affine'\n"
    suite.makepyfile(own_layers=LAYERS, conftest=conftest, test_own=TESTS)
    result = suite.runpytest_subprocess("-W", "ignore", "-k", "is_a_map")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*answered 'affine' for the layer 'own' of type ScaleAndShift*"])


def test_a_fault_in_a_rule_fails_what_plans_and_nothing_that_counts(suite):
    suite.makepyfile(own_layers=LAYERS)
    suite.makeconftest("""
        from own_layers import ScaleAndShift
        from pytest_layercount.rules import Rule

        class Faulty(Rule):
            def affine(self, site, weights):
                raise IndexError("tuple index out of range")

        def pytest_layercount_rule(layer):
            return Faulty() if type(layer) is ScaleAndShift else None
        """)
    suite.makepyfile(f"""
        import {KERAS} as keras
        import pytest
        from own_layers import ScaleAndShift

        @pytest.fixture
        def net():
            layers = [keras.Input((3,)), keras.layers.Dense(2), ScaleAndShift()]
            return keras.Sequential(layers, name="net")

        @pytest.mark.layercount(max=3)
        def test_counted(net): pass

        def test_counted_by_a_fixture(net, assert_layer_count):
            assert_layer_count(net, max=3)

        def test_planned(net, assert_layer_count):
            assert_layer_count(net, max=3, folded=True)
        """)
    result = suite.runpytest_subprocess("-v")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["net: it is not known what folds (IndexError: tuple index out of range)"]
    )
