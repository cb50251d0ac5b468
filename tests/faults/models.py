"""The models in which mistakes are planted: hand-made ones, and those of keras.applications."""

from __future__ import annotations

from typing import Any

from tests.kerases import load_keras
from tests.test_applications import MODELS

HAND_MADE = "hand-made"
NAMES = (HAND_MADE, *MODELS)


def make(name: str) -> Any:
    """The model called ``name``, the same at every call, so small that it is soon run."""
    from pytest_layercount.folding.equivalence.randomise import randomised_copy
    from pytest_layercount.model.readers.live import open_model

    keras = load_keras()
    keras.utils.set_random_seed(0)
    if name == HAND_MADE:
        built = hand_made()
    else:
        shape = (SIZES.get(name, MODELS[name].size),) * 2 + (3,)
        built = getattr(keras.applications, name)(weights=None, input_shape=shape)
    return randomised_copy(open_model(built), seed=0)


SIZES = {
    "MobileNetV2": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "EfficientNetB0": 32,
    "DenseNet121": 32,
}
"""As small as these go; the others need what they have in ``MODELS``."""


def hand_made() -> Any:
    """A place for every mistake: groups, a depth multiplier, padding after a batch norm."""
    keras = load_keras()
    layers = keras.layers
    inputs = keras.Input((12, 12, 4))
    x = layers.BatchNormalization()(inputs)
    x = layers.Conv2D(6, 3, groups=2)(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(6, 3, padding="same")(x)
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))
