"""Every activation and most layers, as they are by default: what do they mean in each Keras?

No ``test_*.py``, so it runs only when it is named, as ``applications.py`` beside it.
"""

import numpy as np
import pytest

from tests.kerases import load_keras

keras = load_keras()
layers = keras.layers

ACTIVATIONS = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
    "tanh_shrink",
]
VECTOR, ROW, IMAGE, VOLUME = (16,), (12, 8), (16, 16, 4), (8, 8, 8, 2)
LAYERS = {
    **{
        f"Conv{n}D": (shape, {"filters": 3, "kernel_size": 3})
        for n, shape in enumerate((ROW, IMAGE, VOLUME), 1)
    },
    **{
        f"Conv{n}DTranspose": (shape, {"filters": 3, "kernel_size": 3, "strides": 2})
        for n, shape in enumerate((ROW, IMAGE, VOLUME), 1)
    },
    **{f"DepthwiseConv{n}D": (shape, {"kernel_size": 3}) for n, shape in ((1, ROW), (2, IMAGE))},
    **{
        f"SeparableConv{n}D": (shape, {"filters": 3, "kernel_size": 3})
        for n, shape in ((1, ROW), (2, IMAGE))
    },
    **{
        f"{kind}Pooling{n}D": (shape, {})
        for kind in ("Max", "GlobalMax", "GlobalAverage")
        for n, shape in enumerate((ROW, IMAGE, VOLUME), 1)
    },
    **{
        f"AveragePooling{n}D": (shape, {"pool_size": 2})
        for n, shape in enumerate((ROW, IMAGE, VOLUME), 1)
    },
    **{name: (IMAGE, {}) for name in ("BatchNormalization", "LayerNormalization")},
    "GroupNormalization": (IMAGE, {"groups": 2}),
    "UnitNormalization": (IMAGE, {}),
    **{name: (ROW, {"units": 5}) for name in ("LSTM", "GRU", "SimpleRNN")},
    "ConvLSTM2D": ((5, 8, 8, 2), {"filters": 3, "kernel_size": 3}),
    "Dense": (VECTOR, {"units": 5}),
    "EinsumDense": (ROW, {"equation": "abc,cd->abd", "output_shape": (None, 5), "bias_axes": "d"}),
    **{name: (IMAGE, {}) for name in ("LeakyReLU", "PReLU", "ELU", "ReLU", "Softmax", "Flatten")},
    **{f"UpSampling{n}D": (shape, {}) for n, shape in enumerate((ROW, IMAGE, VOLUME), 1)},
    "ZeroPadding2D": (IMAGE, {}),
    "Cropping2D": (IMAGE, {"cropping": 1}),
    "CenterCrop": (IMAGE, {"height": 7, "width": 6}),
    "Rescaling": (IMAGE, {"scale": 1 / 127.5, "offset": -1}),
    "Normalization": (IMAGE, {"mean": [0.1, 0.2, 0.3, 0.4], "variance": [1.0, 2.0, 3.0, 0.5]}),
    "Permute": (ROW, {"dims": (2, 1)}),
    "RepeatVector": (VECTOR, {"n": 3}),
    "GaussianNoise": (VECTOR, {"stddev": 0.1}),
}
RESIZED = [
    f"{name}-{how}"
    for name in ("Resizing", "UpSampling2D")
    for how in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
]


def of(shape, layer):
    x = keras.Input(shape)
    return keras.Model(x, layer(x))


def special():
    """Layers that take more than one tensor or other layers."""
    row = keras.Input(ROW)
    other = keras.Input(ROW)
    number = keras.Input((7,), dtype="int32")
    embedded = layers.Embedding(20, 6, mask_zero=True)(number)
    return {
        "MultiHeadAttention": keras.Model(
            [row, other], layers.MultiHeadAttention(2, 4)(row, other)
        ),
        "Attention": keras.Model([row, other], layers.Attention()([row, other])),
        "AdditiveAttention": keras.Model([row, other], layers.AdditiveAttention()([row, other])),
        "Dot": keras.Model([row, other], layers.Dot(axes=2, normalize=True)([row, other])),
        "Bidirectional": of(ROW, layers.Bidirectional(layers.LSTM(4, return_sequences=True))),
        "TimeDistributed": of(ROW, layers.TimeDistributed(layers.Dense(3))),
        "masked LSTM": keras.Model(number, layers.LSTM(4)(embedded)),
        "masked average": keras.Model(number, layers.GlobalAveragePooling1D()(embedded)),
        "LSTM hard_sigmoid": of(ROW, layers.LSTM(4, recurrent_activation="hard_sigmoid")),
        "GRU reset_before": of(ROW, layers.GRU(4, reset_after=False)),
        "Discretization": of((4,), layers.Discretization(bin_boundaries=[-1.0, 0.0, 0.5])),
        "CategoryEncoding": keras.Model(number, layers.CategoryEncoding(20)(number)),
    }


SPECIAL = special()


@pytest.fixture(params=ACTIVATIONS)
def activation(request):
    function = getattr(keras.activations, request.param, None)
    if function is None:
        pytest.skip(f"this Keras has no {request.param}")
    return of(VECTOR, layers.Activation(request.param))


@pytest.fixture(params=LAYERS)
def layer(request):
    if not hasattr(layers, request.param):
        pytest.skip(f"this Keras has no {request.param}")
    shape, settings = LAYERS[request.param]
    return of(shape, getattr(layers, request.param)(**settings))


@pytest.fixture(params=RESIZED)
def resized(request):
    name, how = request.param.split("-")
    size = {"height": 21, "width": 9} if name == "Resizing" else {"size": (2, 3)}
    return of(IMAGE, getattr(layers, name)(**size, interpolation=how))


@pytest.fixture(params=SPECIAL)
def special_layer(request):
    return SPECIAL[request.param]


def test_activation(activation):
    assert np.isfinite(activation(np.zeros((2, 16), "float32"))).all()


def test_layer(layer): ...


def test_resized(resized): ...


def test_special_layer(special_layer): ...
