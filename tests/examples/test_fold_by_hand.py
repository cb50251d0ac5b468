"""Folding a batch normalization by hand, and the same from ``fold``."""

import keras
import numpy as np
import pytest
from keras import layers

from pytest_layercount import fold


def fold_by_hand(conv, norm):
    """The kernel and bias of one convolution that does the work of both layers."""
    kernel = conv.get_weights()[0]
    bias = conv.get_weights()[1] if conv.use_bias else np.zeros(kernel.shape[-1])
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return kernel * scale, (bias - mean) * scale + beta


@pytest.mark.parametrize("use_bias", [True, False])
def test_the_same_weights(use_bias):
    conv = layers.Conv2D(8, 3, use_bias=use_bias, name="conv")
    norm = layers.BatchNormalization(name="norm")
    model = keras.Sequential([keras.Input((16, 16, 3)), conv, norm])
    random = np.random.default_rng(0)
    norm.set_weights([random.uniform(0.5, 1.5, 8) for _ in range(4)])

    folded = fold(model).model

    kernel, bias = fold_by_hand(conv, norm)
    found_kernel, found_bias = folded.get_layer("conv").get_weights()
    np.testing.assert_allclose(found_kernel, kernel, rtol=3e-7)
    np.testing.assert_allclose(found_bias, bias, rtol=3e-7, atol=1e-7)
