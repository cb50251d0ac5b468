"""Layers that learn by ``adapt()``: counted, folded around, copied with what they learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount import check_equivalence, check_fold, count_layers, fold
from tests.folding.harness import Kit

TEXTS = ["page 1", "page 2", "page 1 again", "page 2 again", "different text"]
WORDS = ["page", "1", "2", "again"]
NUMBERS = [7, 3, 5]
DEPTH = 12
"""More than any of the layers tells apart, so that all of them fit the same rest."""


@dataclass(frozen=True)
class Learned:
    """A layer that learned (``make``) and what it is asked in a model."""

    name: str
    make: Callable[[Kit], Any]
    asked: Any
    ids: bool = True
    """Whether it returns numbers to look up; other outputs go to a Dense."""


def adapted(layer: Any, data: Any) -> Any:
    layer.adapt(data)
    return layer


def tensor(data: Any) -> Any:
    import tensorflow as tf

    return tf.constant(data)


def text(mode: str, **kwargs: Any) -> Learned:
    length = {"output_sequence_length": 6} if mode == "int" else {}
    asked = [[text] for text in TEXTS] if mode == "int" else TEXTS
    return Learned(
        f"TextVectorization {mode} {' '.join(kwargs)}",
        lambda k: adapted(
            k.TextVectorization(output_mode=mode, **length, **{"max_tokens": 9, **kwargs}), TEXTS
        ),
        asked,
        mode == "int",
    )


def words(name: str, make: Callable[[Kit], Any], ids: bool = True) -> Learned:
    return Learned(name, make, [["page"], ["1"], ["unknown"], ["again"]], ids)


def numbers(name: str, make: Callable[[Kit], Any], ids: bool = True) -> Learned:
    return Learned(name, make, np.array([[3], [5], [7], [9], [-1]]), ids)


def reals(name: str, make: Callable[[Kit], Any], ids: bool = True) -> Learned:
    asked = np.random.default_rng(1).normal(size=(6, 3)).astype("float32")
    return Learned(name, make, asked, ids)


SEEN = np.random.default_rng(0).normal(1, 2, size=(50, 3)).astype("float32")

LEARNED = [
    text("int"),
    text("multi_hot"),
    text("count"),
    text("tf_idf"),
    text("tf_idf", pad_to_max_tokens=True),
    text("multi_hot", pad_to_max_tokens=True),
    text("int", ngrams=2),
    words("StringLookup adapted", lambda k: adapted(k.StringLookup(), [[w] for w in WORDS])),
    words("StringLookup given", lambda k: k.StringLookup(vocabulary=WORDS)),
    words(
        "StringLookup with a mask and three for unknown words",
        lambda k: adapted(
            k.StringLookup(num_oov_indices=3, mask_token="", oov_token="[?]"),
            [[w] for w in WORDS],
        ),
    ),
    words(
        "StringLookup multi_hot",
        lambda k: adapted(k.StringLookup(output_mode="multi_hot"), [[w] for w in WORDS]),
        ids=False,
    ),
    words(
        "StringLookup tf_idf given",
        lambda k: k.StringLookup(
            vocabulary=WORDS, idf_weights=[0.1, 0.2, 0.3, 0.4], output_mode="tf_idf"
        ),
        ids=False,
    ),
    numbers(
        "IntegerLookup adapted", lambda k: adapted(k.IntegerLookup(), np.array([[7], [3], [5]]))
    ),
    numbers(
        "IntegerLookup with a mask",
        lambda k: k.IntegerLookup(vocabulary=NUMBERS, mask_token=0, num_oov_indices=2),
    ),
    numbers(
        "IntegerLookup one_hot",
        lambda k: k.IntegerLookup(vocabulary=NUMBERS, output_mode="one_hot"),
        ids=False,
    ),
    reals("Discretization adapted", lambda k: adapted(k.Discretization(num_bins=4), SEEN)),
    reals("Discretization given", lambda k: k.Discretization(bin_boundaries=[-1.0, 0.0, 0.5])),
    reals("Normalization adapted", lambda k: adapted(k.Normalization(), SEEN), ids=False),
    words("Hashing", lambda k: k.Hashing(num_bins=5)),
    numbers(
        "CategoryEncoding",
        lambda k: k.CategoryEncoding(num_tokens=10, output_mode="multi_hot"),
        ids=False,
    ),
]


def model_of(kit: Kit, learned: Learned) -> Any:
    """The layer, and behind it a batch norm that folds."""
    layer = learned.make(kit)
    asked = np.asarray(learned.asked)
    dtype = "string" if asked.dtype.kind == "U" else str(asked.dtype)
    inputs = kit.input(*asked.shape[1:], dtype=dtype)
    after = layer(inputs)
    if learned.ids:
        after = kit.Embedding(DEPTH, 4, name="f")(after)
    else:
        after = kit.Dense(4, name="f")(after)
    model = kit.model(inputs, kit.ReLU()(kit.bn()(after)))
    random = np.random.default_rng(3)
    for name in ("f", "bn"):
        own = model.get_layer(name)
        own.set_weights([random.uniform(0.5, 1.5, each.shape) for each in own.get_weights()])
    return model


def asked_of(learned: Learned) -> Any:
    asked = np.asarray(learned.asked)
    return (
        tensor(learned.asked)
        if asked.dtype.kind == "U"
        else np.abs(asked)
        if (learned.name == "CategoryEncoding")
        else asked
    )


@pytest.mark.parametrize("learned", LEARNED, ids=lambda learned: learned.name)
def test_learned(learned: Learned, kit: Kit, tmp_path: Path) -> None:
    kit.keras.backend.set_floatx("float32")
    model, asked = model_of(kit, learned), asked_of(learned)
    wanted = np.asarray(model(asked))
    assert np.abs(wanted).max() > 0
    counted = count_layers(model)
    assert counted.total == len(model.layers) == 5
    result = fold(model)
    assert "bn" in [each.layer for each in result.folds]
    np.testing.assert_allclose(np.asarray(result.model(asked)), wanted, rtol=1e-4, atol=1e-5)
    assert check_equivalence(model, result, inputs=asked).equivalent
    assert check_fold(model).equivalence.equivalent
    path = tmp_path / "model.keras"
    model.save(path)
    saved = count_layers(str(path))
    assert (saved.total, saved.parameters) == (counted.total, counted.parameters)
    try:
        # Keras 2 forgets boundaries, and Keras 3 cannot load some of what it saves.
        loaded = np.asarray(kit.keras.models.load_model(path)(asked))
    except (TypeError, ValueError):
        return
    again = np.asarray(fold(str(path)).model(asked))
    np.testing.assert_allclose(again, loaded, rtol=1e-4, atol=1e-5)


def test_what_was_learned_is_not_shared(kit: Kit) -> None:
    kit.keras.backend.set_floatx("float32")
    layer = adapted(kit.Discretization(num_bins=4), SEEN)
    model = kit.chain((3,), layer, kit.Embedding(5, 2))
    copied = fold(model).model.layers[1]
    kept = list(layer.bin_boundaries)
    assert list(copied.bin_boundaries) == kept
    copied.bin_boundaries[0] = -5.0
    assert list(layer.bin_boundaries) == kept


def test_tables_of_parts(kit: Kit) -> None:
    """A layer of the user's own that looks words up."""
    kit.keras.backend.set_floatx("float32")

    class Words(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.lookup = kit.StringLookup()

        def call(self, inputs: Any) -> Any:
            return self.lookup(inputs)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    layer = Words(name="words")
    layer.lookup.adapt([[word] for word in WORDS])
    inputs = kit.input(1, dtype="string")
    model = kit.model(inputs, kit.bn()(kit.Embedding(8, 3, name="f")(layer(inputs))))
    asked = tensor([["page"], ["2"], ["unknown"]])
    result = fold(model)
    assert [each.layer for each in result.folds] == ["bn"]
    wanted = np.asarray(model(asked))
    np.testing.assert_allclose(np.asarray(result.model(asked)), wanted, rtol=1e-5, atol=1e-6)


def test_a_layer_that_has_learned_nothing_yet(kit: Kit) -> None:
    kit.keras.backend.set_floatx("float32")
    inputs = kit.input(1, dtype="string")
    model = kit.model(inputs, kit.Embedding(8, 3)(kit.StringLookup()(inputs)))
    assert count_layers(fold(model).model).total == 3
