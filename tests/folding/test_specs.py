"""What the inputs of a model mean, on graphs drawn without Keras."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_layercount.folding.equivalence.inputs import InputSpec
from pytest_layercount.folding.equivalence.specs import COMPUTES, MOVES, input_specs
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from pytest_layercount.model.layers import LAYERS, known
from pytest_layercount.model.readers.live import OpenModel


def layer(name: str) -> Layer:
    """A layer of a type, or the operation that a name in small letters means."""
    if not name.islower():
        return Layer(name, name)
    return Layer(name, name.title(), "operation", operation=name)


def spec(dtype: str, *names: str, last: Any = None) -> InputSpec:
    """What is said of an input of ``dtype`` that goes through ``names`` one after the other.

    ``last`` is the live layer behind the last of them.
    """
    layers = [Layer("entry", "InputLayer", "input"), *map(layer, names)]
    shapes = ((None, 4),)
    nodes = [
        Node(n, (Value(n - 1),) if n else (), shapes=shapes, dtypes=(dtype,))
        for n in range(len(layers))
    ]
    graph = ModelGraph("drawn", "Keras", tuple(layers), tuple(nodes), Value(0), Value(len(names)))
    live = [SimpleNamespace() for _ in layers[:-1]]
    (found,) = input_specs(OpenModel(graph, (*live, last or SimpleNamespace()), None))
    return found


class Embedding(SimpleNamespace):
    pass


class Masking(SimpleNamespace):
    pass


@pytest.mark.parametrize("move", sorted({*MOVES, "Dropout"}))
def test_ids_stay_ids_while_they_are_moved(move: str) -> None:
    assert spec("int32", move, "Embedding", last=Embedding(input_dim=9)).limit == 9


def test_ids_are_looked_for_no_further_than_a_layer_that_computes() -> None:
    assert spec("int32", "Dense", "Embedding", last=Embedding(input_dim=9)).limit is None


@pytest.mark.parametrize("name", ["input_dim", "vocabulary_size", "num_tokens"])
def test_how_many_integers_a_layer_knows(name: str) -> None:
    assert spec("int64", "Own", last=SimpleNamespace(**{name: 7})).limit == 7
    assert spec("float32", "Own", last=SimpleNamespace(**{name: 7})).limit is None
    assert spec("bool", "Own", last=SimpleNamespace(**{name: 7})).limit is None
    assert spec("int64", "Own", last=SimpleNamespace(**{name: None})).limit is None


@pytest.mark.parametrize("name", sorted({*COMPUTES, "Dense", "Conv2D"}))
def test_integers_that_are_computed_with_are_numbers(name: str) -> None:
    small, wide = spec("uint8", name), spec("int32", name)
    assert (small.whole, small.wide) == (True, False)
    assert (wide.whole, wide.wide) == (False, True)
    assert spec("uint16", name).wide


def test_other_integers_may_be_names() -> None:
    assert not spec("int32", "Own").wide
    assert not spec("float32", "Dense").wide
    assert spec("float16", "Dense").dtype == "float64"


def test_pixels_are_told_by_their_scaling() -> None:
    assert spec("uint8", "Rescaling").pixels
    assert not spec("uint8", "Dense").pixels


def test_what_a_vocabulary_knows_is_asked() -> None:
    words = ["", "[UNK]", "one", "two"]
    looks_up = SimpleNamespace(get_vocabulary=lambda: words, vocabulary_size=4)
    asked = spec("string", "StringLookup", last=looks_up)
    assert asked.limit is None
    assert asked.words[:4] == ("", "[UNK]", "one", "two")
    assert asked.words[-1] == "something else"
    assert "one two" in asked.words
    numbers = SimpleNamespace(get_vocabulary=lambda: [-1, 3, 5])
    assert spec("int64", "IntegerLookup", last=numbers).words == (-1, 3, 5, 6)
    assert spec("float32", "IntegerLookup", last=numbers).words == ()


def test_a_vocabulary_that_was_not_learned_is_none() -> None:
    def fail() -> None:
        raise ValueError("adapt() first")

    assert spec("string", "StringLookup", last=SimpleNamespace(get_vocabulary=fail)).words == ()


@pytest.mark.parametrize(
    ("boundaries", "span"),
    [([0.0, 1.0], (-0.5, 1.5)), ([2.0], (1.0, 3.0)), ([], None), (None, None)],
)
def test_numbers_reach_over_all_bins(boundaries: Any, span: Any) -> None:
    bins = SimpleNamespace(bin_boundaries=boundaries)
    assert spec("float32", "Discretization", last=bins).span == span


def test_what_masks_steps_is_known() -> None:
    assert spec("float32", "Masking", last=Masking(mask_value=2)).mask == 2.0
    embedding = Embedding(input_dim=9, mask_zero=True)
    assert spec("int32", "Embedding", last=embedding).mask == 0.0
    assert spec("bool", "Embedding", last=embedding).mask is None
    assert spec("int32", "Embedding", last=Embedding(input_dim=9)).mask is None


@pytest.mark.parametrize("name", sorted(MOVES | COMPUTES))
def test_what_an_integer_goes_through_is_a_layer_or_operation_of_keras(name: str) -> None:
    operation = name.title().replace("_", "")  # as the classes of operations are called
    # ``identity`` is TensorFlow's; Keras has a layer of that name.
    there = known._OPERATIONS | {"Identity"} if name.islower() else LAYERS
    assert (operation if name.islower() else name) in there
