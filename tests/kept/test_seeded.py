"""Numbers from a seed: the same with every NumPy, here checked against those of the first."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pytest_layercount.kept.seeded import Stable, sample, seeded_weight, uniform

FIRST = [0.8897387385368347, 0.5571380257606506, 0.8009080290794373]
INPUTS = "c9b81181c656a88a"
WORDS = "abbba"
SAMPLE = [0, 600, 610]


def digest(*arrays):
    made = hashlib.sha256()
    for array in arrays:
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()[:16]


class Variable:
    def __init__(self, *shape, dtype="float32"):
        self.shape, self.dtype = shape, dtype


KERNEL, SCALE, VARIANCE = "a1235bcbaf3f675b", "4d971639a5e9f815", "260425e6aa345f83"


class Layer:
    def __init__(self, **variables):
        vars(self).update(variables)


def test_the_same_everywhere():
    assert uniform((0, 1), 3).tolist() == FIRST
    stable = Stable(0)
    drawn = stable.normal((4, 5)), stable.integers(0, 256, (6,)), stable.random((7,))
    words = stable.choice(np.array(["a", "b", "c"]), (5,))
    assert digest(*drawn) == INPUTS
    assert "".join(words) == WORDS


@pytest.mark.parametrize(
    ("name", "shape", "made"),
    [
        ("kernel", (3, 4), KERNEL),
        ("bias", (5,), "897f8dd7d1a14557"),
        *((name, (5,), SCALE) for name in ("gamma", "scale", "dense_1/gamma:0")),
        *((name, (5,), VARIANCE) for name in ("moving_variance", "variance", "adapt_variance")),
    ],
)
def test_each_kind_of_weight_is_the_same_everywhere(name, shape, made):
    variable = Variable(*shape)
    variable.name = name
    assert digest(seeded_weight(Layer(), variable, 0, 0)) == made
    variable.name = "of_the_users_own"
    attribute = name.rpartition("/")[2].partition(":")[0]
    assert digest(seeded_weight(Layer(**{attribute: variable}), variable, 0, 0)) == made


def test_a_weight_depends_on_seed_position_and_shape():
    layer = Layer()
    made = [
        seeded_weight(layer, Variable(*shape), seed, position)
        for shape, seed, position in (
            ((3, 4), 0, 0),
            ((3, 4), 0, 1),
            ((3, 4), 1, 0),
            ((4, 3), 0, 0),
        )
    ]
    assert len({digest(each) for each in made}) == 4
    again = seeded_weight(layer, Variable(3, 4), 0, 0)
    np.testing.assert_array_equal(made[0], again)


def test_statistics_are_not_what_keras_begins_with():
    variable = Variable(3000)
    gamma = seeded_weight(Layer(gamma=variable), variable, 0, 0)
    variance = seeded_weight(Layer(moving_variance=variable), variable, 0, 0)
    beta = seeded_weight(Layer(beta=variable), variable, 0, 0)
    assert 0.3 < np.mean(gamma < 0) < 0.37
    assert np.abs(gamma).min() >= 0.5
    assert np.abs(gamma).max() < 1.5
    assert 0.5 <= variance.min() < variance.max() < 2
    assert -0.3 <= beta.min() < 0 < beta.max() < 0.3


def test_kernels_keep_the_size_of_a_signal():
    random = np.random.default_rng(0)
    signal = random.normal(size=(100, 300))
    for position in range(20):
        kernel = seeded_weight(Layer(), Variable(300, 300), 0, position)
        signal = np.maximum(signal @ kernel, 0)
    assert 0.2 < np.sqrt(np.mean(signal**2)) < 5


@pytest.mark.parametrize("window", [(3, 3), (3,), (2, 3, 4)])
def test_depthwise_kernels_add_up_a_window_alone(window):
    plain, depthwise = Layer(), Layer(depth_multiplier=1)
    variable = Variable(*window, 64, 1)
    ratio = seeded_weight(depthwise, variable, 0, 0) / seeded_weight(plain, variable, 0, 0)
    np.testing.assert_allclose(ratio, 8)


def test_what_is_not_made_of_real_numbers_stays():
    assert seeded_weight(Layer(), Variable(2, dtype="int64"), 0, 0) is None


def test_a_sample_is_the_whole_or_places_in_order():
    assert sample(0, 5, 10) == [0, 1, 2, 3, 4]
    places = sample(0, 100_000, 256)
    assert len(places) == 256
    assert places == sorted(set(places))
    assert 0 <= places[0] < 5000
    assert 95_000 < places[-1] < 100_000
    assert places[:3] == SAMPLE
