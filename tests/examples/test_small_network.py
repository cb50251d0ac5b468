"""A convolution, its batch normalization, an activation: counted, folded, compared."""

import keras
import pytest
from keras import layers


@pytest.fixture(scope="module")
def network():
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3)(image)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x), name="network")


@pytest.mark.layercount(exactly=6)
def test_as_built(network):
    """The test's body runs when the count is right; this one has nothing to add."""


@pytest.mark.layercount(exactly=5, types={"BatchNormalization": 0}, folded=True)
def test_as_deployed(network, assert_equivalent_after_fold):
    check = assert_equivalent_after_fold(network)
    assert (check.result.before.total, check.result.after.total) == (6, 5)


@pytest.mark.xfail(strict=True, reason="meant to fail: --runxfail shows what a failure says")
@pytest.mark.layercount(max=4, reason="the smallest camera has room for four")
def test_too_large(network):
    """Never run, because the mark is judged first."""
