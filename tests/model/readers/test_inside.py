"""What a layer is by base class, and what one that stays whole holds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount.model.graph import Layer
from pytest_layercount.model.readers import read_graph
from tests.conftest import needs_keras
from tests.kerases import load_keras

pytest.importorskip("tensorflow")
pytestmark = needs_keras
keras = load_keras()
layers = keras.layers


@keras.utils.register_keras_serializable("inside")
class BatchNorm(layers.BatchNormalization):
    """A batch normalization by another name."""


class Frozen(BatchNorm):
    """A batch normalization two classes away."""


@keras.utils.register_keras_serializable("inside")
class Block(layers.Layer):
    """Layers in a list, a dictionary, a tuple and a model."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.norms = [layers.BatchNormalization(name="first"), Frozen(name="second")]
        self.others = {"a": layers.Dense(4, name="dense"), "b": (layers.ReLU(name="relu"),)}
        self.net = keras.Sequential([layers.Dense(4, name="last"), BatchNorm(name="third")])

    def call(self, x: Any) -> Any:
        for norm in self.norms:
            x = norm(x)
        return self.net(self.others["b"][0](self.others["a"](x)))


class Outer(layers.Layer):
    """A block in a block."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.block = Block(name="block")

    def call(self, x: Any) -> Any:
        return self.block(x)


@keras.utils.register_keras_serializable("inside")
class Residual(layers.Layer):
    """A block whose configuration nests what it holds."""

    def __init__(self, parts: list[Any], **settings: Any) -> None:
        super().__init__(**settings)
        self.parts = parts

    def call(self, x: Any) -> Any:
        y = x
        for part in self.parts:
            y = part(y)
        return x + y

    def get_config(self) -> dict[str, Any]:
        parts = [keras.saving.serialize_keras_object(part) for part in self.parts]
        return {**super().get_config(), "parts": parts}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Residual:
        parts = [keras.saving.deserialize_keras_object(part) for part in config.pop("parts")]
        return cls(parts, **config)


class Plain:
    """What Keras does not look into."""

    def __init__(self, layer: Any) -> None:
        self.steps = {"norm": (layer,)}


class Own(layers.Layer):
    """A layer that reaches another one by Python alone."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.reached: Any = None

    def call(self, x: Any) -> Any:
        return x if self.reached is None else self.reached.steps["norm"][0](x)


GLOBAL = layers.BatchNormalization(name="norm")


class NamesGlobal(Own):
    def call(self, x: Any) -> Any:
        return GLOBAL(x)


def through_object(norm: Any) -> Any:
    own = Own(name="own")
    own.reached = Plain(norm)
    return own


def through_method(norm: Any) -> Any:
    own = Own(name="own")
    own.reached = Plain(partial(lambda x, call: call(x), call=norm.call))
    return own


def normed(**settings: Any) -> Any:
    """A convolution with a batch normalization as its activation."""
    norm = layers.BatchNormalization(name="norm")
    return layers.Conv1D(4, 1, name="own", activation=norm, **settings)


def backbone() -> Any:
    """A model in a model."""
    entry = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="dense")], name="inner")
    return keras.Model(entry, layers.BatchNormalization(name="norm")(inner(entry)), name="net")


def model_of(*parts: Any) -> Any:
    return keras.Sequential([keras.Input((5, 4)), *parts], name="model")


def held(model: Any, name: str) -> list[Layer]:
    (layer,) = (layer for layer in read_graph(model).layers if layer.path == name)
    return list(layer.held())


def test_a_subclass_is_what_it_derives_from_and_itself() -> None:
    read = read_graph(model_of(Frozen(name="own"), layers.SpatialDropout1D(0.1, name="drop")))
    own, drop = (layer for layer in read.layers if layer.kind == "layer")
    assert own.bases == ("BatchNorm", "BatchNormalization")
    assert [own.is_a(name) for name in ("Frozen", "BatchNorm", "BatchNormalization")] == [True] * 3
    assert not own.is_a("Layer")
    assert drop.is_a("Dropout")


def test_a_transposed_convolution_is_no_convolution() -> None:
    entry = keras.Input((8, 8, 3))
    read = read_graph(keras.Model(entry, layers.Conv2DTranspose(4, 3)(entry)))
    assert not read.layers[-1].is_a("Conv2D")


def test_a_block_holds_what_keras_finds_in_it_at_every_depth() -> None:
    model = model_of(Outer(name="outer"))
    found = held(model, "outer")
    assert [layer.path for layer in found] == [
        "outer/block",
        *(f"outer/block/{name}" for name in ("first", "second", "dense", "relu")),
        *(f"outer/block/{model.layers[-1].block.net.name}/{name}" for name in ("last", "third")),
    ]
    assert sum(layer.is_a("BatchNormalization") for layer in found) == 3


@pytest.mark.parametrize("form", ["live", "model.keras", "model.h5"])
def test_wrappers_hold_what_they_are_given(form: str, tmp_path: Path) -> None:
    cells = [layers.LSTMCell(3, name="a"), layers.GRUCell(4, name="b")]
    model = model_of(
        layers.TimeDistributed(backbone(), name="each"),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="lstm"), name="both"),
        layers.RNN(cells, name="cells"),
    )
    subject = model
    if form != "live":
        subject = tmp_path / form
        model.save(subject)
    assert [layer.path for layer in held(subject, "each")] == [
        "each/net/inner/dense",
        "each/net/norm",
    ]
    assert [(layer.path, layer.config["go_backwards"]) for layer in held(subject, "both")] == [
        ("both/forward_lstm", False),
        ("both/backward_lstm", True),
    ]
    assert [layer.type for layer in held(subject, "cells")] == [
        "StackedRNNCells",
        "LSTMCell",
        "GRUCell",
    ]
    assert not any(layer.closed for layer in read_graph(subject).layers)


def test_what_keras_makes_a_layer_of_is_not_inside() -> None:
    entry = keras.Input((5, 4))
    x = layers.MultiHeadAttention(2, 2, name="attention")(entry, entry)
    model = keras.Model(entry, layers.LSTM(2, name="lstm")(x))
    assert held(model, "attention") == held(model, "lstm") == []


@pytest.mark.parametrize(
    "make",
    [
        through_object,
        through_method,
        lambda norm: layers.Lambda(lambda x: norm(x) + 1.0, output_shape=(5, 4), name="own"),
        lambda norm: layers.Lambda(
            lambda x, norm: norm(x), output_shape=(5, 4), arguments={"norm": norm}, name="own"
        ),
        lambda norm: layers.Dense(4, activation=norm, name="own"),
        lambda norm: layers.Dense(4, activation=lambda x: norm(x) + 1.0, name="own"),
        lambda _: NamesGlobal(name="own"),
    ],
    ids=["object", "method", "lambda", "arguments", "activation", "function", "global"],
)
def test_what_keras_does_not_know_as_a_part_is_held(make: Any) -> None:
    norm = GLOBAL if make.__name__ == "NamesGlobal" else layers.BatchNormalization(name="norm")
    norm.build((None, 5, 4))
    assert [layer.path for layer in held(model_of(make(norm)), "own")] == ["own/norm"]


def test_what_keras_gives_to_a_layer_is_not_held() -> None:
    entry = keras.Input((5, 4))
    x = layers.Dense(4, name="other")(entry)
    own = Own(name="own")
    model = keras.Model(entry, layers.Dense(4, activation="relu", name="last")(own(x)))
    own.reached = Plain(model)  # refers back to the model that it is in
    assert held(model, "own") == held(model, "last") == []


@pytest.mark.parametrize("form", ["model.keras", "model.h5"])
def test_a_file_tells_which_layer_is_an_activation(form: str, tmp_path: Path) -> None:
    model = model_of(normed(), layers.Dense(4, activation=layers.LeakyReLU(name="leaky")))
    model(np.zeros((1, 5, 4)))  # Keras 3 builds an activation when it first runs
    model.save(tmp_path / form)
    live, read = read_graph(model), read_graph(tmp_path / form)
    for one, other in zip(live.layers, read.layers, strict=True):
        assert [part.path for part in one.held()] == [part.path for part in other.held()]
    assert [layer.path for layer in held(tmp_path / form, "own")] == ["own/norm"]
    assert [layer.parameters for layer in read.layers if layer.weighed][1:] == [36, 20]


def test_a_layer_stands_once() -> None:
    shared = layers.BatchNormalization(name="shared")
    entry = keras.Input((5, 4))
    x = Residual([shared], name="one")(shared(entry))
    other = layers.Dense(4, name="other")
    x = Residual([other], name="two")(x)
    model = keras.Model(entry, Residual([other], name="three")(x))
    paths = [part.path for layer in read_graph(model).layers for part in layer.held()]
    assert paths == ["two/other"]


@pytest.mark.parametrize("form", ["model.keras", "model.h5"])
def test_a_file_tells_what_its_configuration_nests(form: str, tmp_path: Path) -> None:
    parts = [layers.BatchNormalization(name="norm"), layers.Dense(4, name="dense")]
    model = model_of(Residual(parts, name="own"), BatchNorm(name="other"), Block(name="block"))
    model.save(tmp_path / form)
    read = {layer.path: layer for layer in read_graph(tmp_path / form).layers}
    assert [layer.path for layer in read["own"].held()] == ["own/norm", "own/dense"]
    assert read["other"].bases == ("BatchNormalization",)
    # What a block makes itself is in its code alone: that is said.
    assert [path for path, layer in read.items() if layer.closed] == ["own", "block"]


def test_a_file_does_not_tell_what_a_class_that_is_not_loaded_is(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    text = model_of(BatchNorm(name="own")).to_json()
    path.write_text(text.replace("inside>BatchNorm", "inside>Gone").replace('BatchNorm"', 'Gone"'))
    own = read_graph(path).layers[-1]
    assert (own.type, own.bases, own.closed) == ("Gone", (), True)
