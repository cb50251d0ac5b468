"""What a layer is by base class, and what one that stays whole holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_layercount.model.graph import Layer
from pytest_layercount.model.readers import read_graph
from tests.kerases import load_keras

pytest.importorskip("tensorflow")
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
