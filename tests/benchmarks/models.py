"""The models measured: those of keras.applications that the other tests judge, and one more."""

from __future__ import annotations

import sys
from typing import Any

from tests.kerases import load_keras
from tests.test_applications import MODELS

TEN = (*MODELS, "ResNet152V2")


def application(name: str) -> Any:
    return getattr(load_keras().applications, name)(weights=None)


def pairs(count: int) -> Any:
    """So many convolutions, each with a batch normalization."""
    # Keras follows the layers of a new model by recursion, and so once more where it is cloned.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000 + 20 * count))
    layers = load_keras().layers
    x = image = load_keras().Input((8, 8, 4))
    for _ in range(count):
        x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
    return load_keras().Model(image, x)
