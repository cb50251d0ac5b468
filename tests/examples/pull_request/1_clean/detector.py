"""A small detector: what a team ships."""

import keras
from keras import layers


def block(x, filters, name):
    x = layers.Conv2D(filters, 3, strides=2, use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def detector(blocks=3):
    x = image = keras.Input((64, 64, 3), name="image")
    for number in range(blocks):
        x = block(x, 8 * 2**number, f"block{number}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(4, name="boxes")(x), name="detector")
