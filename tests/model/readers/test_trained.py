"""What trains is what Keras trains: live, and in files what it trains of the model it loads."""

import math

import numpy as np
import pytest

from pytest_layercount import count_layers
from tests.conftest import needs_keras
from tests.kerases import load_keras

pytest.importorskip("tensorflow")
pytestmark = needs_keras
keras = load_keras()
layers = keras.layers

ROW, FILM = (5, 4), (5, 6, 6, 2)


def of(layer, shape=ROW):
    x = keras.Input(shape)
    return keras.Model(x, layer(x))


def block(name="block"):
    parts = [layers.Dense(3, name="dense"), layers.BatchNormalization(name="norm")]
    return keras.Sequential([keras.Input((4,)), *parts], name=name)


def frozen_block_thawed():
    base = block()
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2)(base(x)))
    base.trainable = False
    base.layers[0].trainable = True
    return model


def frozen_blocks_thawed():
    inner = block("inner")
    base = keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)], name="outer")
    model = of(base, (4,))
    base.trainable = False
    inner.trainable = True
    return model


def frozen_model_thawed():
    model = frozen_block_thawed()
    model.trainable = False
    model.layers[-1].trainable = True
    return model


def frozen_and_thawed():
    model = frozen_block_thawed()
    model.trainable = False
    model.trainable = True
    return model


def frozen_sequential_thawed():
    model = block()
    model.trainable = False
    model.layers[0].trainable = True
    return model


def frozen_wrapper_thawed():
    wrapper = layers.Bidirectional(layers.GRU(3))
    model = of(wrapper)
    wrapper.trainable = False
    wrapper.forward_layer.trainable = True
    return model


def frozen_after(layer, shape=ROW):
    model = of(layer, shape)
    layer.trainable = False
    return model


def attending(**settings):
    x = keras.Input(ROW)
    return keras.Model(x, layers.MultiHeadAttention(2, 3, **settings)(x, x))


FROZEN = {"trainable": False}
MODELS = {
    "frozen block, its layer thawed": frozen_block_thawed,
    "frozen block, a block in it thawed": frozen_blocks_thawed,
    "frozen model, its head thawed": frozen_model_thawed,
    "frozen, then thawed": frozen_and_thawed,
    "frozen Sequential, its layer thawed": frozen_sequential_thawed,
    "frozen wrapper, its layer thawed": frozen_wrapper_thawed,
    "Dense": lambda: of(layers.Dense(3, **FROZEN)),
    "Dense, afterwards": lambda: frozen_after(layers.Dense(3)),
    "LSTM": lambda: of(layers.LSTM(3, **FROZEN)),
    "ConvLSTM2D": lambda: of(layers.ConvLSTM2D(3, 2, **FROZEN), FILM),
    "ConvLSTM2D, afterwards": lambda: frozen_after(layers.ConvLSTM2D(3, 2), FILM),
    "RNN": lambda: of(layers.RNN(layers.LSTMCell(3), **FROZEN)),
    "RNN, a cell": lambda: of(layers.RNN([layers.LSTMCell(3), layers.GRUCell(2, **FROZEN)])),
    "TimeDistributed": lambda: of(layers.TimeDistributed(layers.Dense(3), **FROZEN)),
    "TimeDistributed, inside": lambda: of(layers.TimeDistributed(layers.Dense(3, **FROZEN))),
    "TimeDistributed, afterwards": lambda: frozen_after(layers.TimeDistributed(layers.Dense(3))),
    "Bidirectional": lambda: of(layers.Bidirectional(layers.LSTM(3), **FROZEN)),
    "Bidirectional, one way": lambda: of(
        layers.Bidirectional(
            layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True, **FROZEN)
        )
    ),
    "MultiHeadAttention": lambda: attending(**FROZEN),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def scalars(variables):
    return sum(math.prod(variable.shape) for variable in variables)


def test_a_live_model_trains_what_keras_trains(model):
    count = count_layers(model)
    assert count.trainable_parameters == scalars(model.trainable_weights)
    assert count.parameters == model.count_params()


def test_a_file_trains_what_keras_trains_of_the_loaded_model(model, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path, compile=False)
    count = count_layers(path)
    assert count.trainable_parameters == scalars(loaded.trainable_weights)
    assert count.parameters == loaded.count_params()


def test_a_subclassed_model_trains_what_keras_trains():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(4)
            self.rest = block()

        def call(self, x):
            return self.rest(self.first(x))

    model = Own()
    model(np.zeros((1, 4), "float32"))
    model.trainable = False
    model.first.trainable = True
    assert count_layers(model).trainable_parameters == scalars(model.trainable_weights) == 0
