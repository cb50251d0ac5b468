"""Mistakes of other kinds than wrong weights for a fold, each in a model made for it.

A kind gives a right pair of models, and the same pair with the mistake. The right pair must
not be suspected, the wrong one must be told apart, and the layer of the mistake be named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pytest_layercount import ModelError, check_equivalence, fold
from pytest_layercount.folding.equivalence import check_fold
from tests.kerases import load_keras

Models = tuple[Any, Any]


class Kind(NamedTuple):
    """``models(random, wrong)`` makes a pair; ``named`` are the layers to blame, if any is."""

    models: Callable[[np.random.Generator, bool], Models]
    named: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """Whether the right pair was suspected, the wrong one caught, and by the right name."""

    alarm: bool
    caught: bool
    misnamed: str


def outcome(kind: Kind, seed: int) -> Outcome:
    """What is said of a right and of a wrong pair with weights made from ``seed``."""
    right, wrong = (_judged(kind, seed, wrong=wrong) for wrong in (False, True))
    caught = wrong is not None
    misnamed = caught and bool(kind.named) and wrong not in kind.named
    return Outcome(right is not None, caught, str(wrong) if misnamed else "")


def lines(seeds: int) -> tuple[list[str], bool]:
    """What is said of every kind, with weights from so many seeds, and whether all is right."""
    said, flawless = [], True
    for name, kind in KINDS.items():
        found = [outcome(kind, seed) for seed in range(seeds)]
        caught, alarms = sum(each.caught for each in found), sum(each.alarm for each in found)
        misnamed = [each.misnamed for each in found if each.misnamed]
        said.append(f"{name:<24}{f'{caught}/{seeds}':>6}{alarms:>4} alarms {' '.join(misnamed)}")
        flawless = flawless and caught == seeds and not alarms and not misnamed
    return said, flawless


def _judged(kind: Kind, seed: int, *, wrong: bool) -> str | None:
    """The layer that differs, empty if it is not known, None if nothing differs."""
    load_keras().utils.set_random_seed(seed)
    model, other = kind.models(np.random.default_rng(seed), wrong)
    try:
        found = check_fold(model).equivalence if other is None else None
    except ModelError as refused:  # the fold itself found out
        return next((name for name in kind.named if name in str(refused)), "")
    found = found or check_equivalence(model, other, seed=seed)
    return None if found.equivalent else found.first


def _chain(shape: tuple[int | None, ...], *layers: Any, dtype: str | None = None) -> Any:
    keras = load_keras()
    first = tensor = keras.Input(shape, dtype=dtype)
    for layer in layers:
        tensor = layer(tensor)
    return keras.Model(first, tensor)


def _drawn(random: np.random.Generator, model: Any) -> Any:
    model.set_weights([random.normal(size=each.shape) for each in model.get_weights()])
    return model


def _twin(model: Any, other: Any) -> Models:
    other.set_weights(model.get_weights())
    return model, other


def last_activation(random: np.random.Generator, wrong: bool) -> Models:
    layers = load_keras().layers

    def build(last: str) -> Any:
        return _chain((6,), layers.Dense(8), layers.Dense(4, activation=last, name="last"))

    lost = ("linear", "sigmoid")[int(random.integers(2))]
    return _twin(_drawn(random, build("softmax")), build(lost if wrong else "softmax"))


def mask(random: np.random.Generator, wrong: bool) -> Models:
    layers = load_keras().layers

    def build(value: float | None) -> Any:
        masking = [] if value is None else [layers.Masking(value, name="masking")]
        return _chain((9, 3), *masking, layers.LSTM(4, name="lstm"))

    lost = (None, 1.0)[int(random.integers(2))]
    return _twin(_drawn(random, build(0.0)), build(lost if wrong else 0.0))


def one_row(random: np.random.Generator, wrong: bool) -> Models:
    layers, keras = load_keras().layers, load_keras()
    model = _chain(
        (2, 5),
        layers.Reshape((10,)),
        layers.Embedding(3000, 4, name="table"),
        layers.BatchNormalization(name="norm"),
        dtype="int32",
    )
    weights = [random.normal(size=each.shape) for each in model.get_weights()]
    weights[-1] = random.uniform(0.5, 2, weights[-1].shape)
    model.set_weights(weights)
    result = fold(model)
    table = next(each for each in result.model.layers if isinstance(each, keras.layers.Embedding))
    if wrong:
        rows = table.get_weights()[0].copy()
        rows[int(random.integers(3000)), int(random.integers(4))] += 0.1
        table.set_weights([rows])
    return model, result


def small_channel(random: np.random.Generator, wrong: bool) -> Models:
    def build() -> Any:
        return _chain((8,), load_keras().layers.Dense(5, name="dense"))

    model = _drawn(random, build())
    kernel, bias = (each.copy() for each in model.get_weights())
    sizes = random.permutation([1e6, 1e3, 1.0, 1e-3, 1e-4])
    model.set_weights([kernel * sizes, bias * sizes])
    model, other = _twin(model, build())
    if wrong:
        kernel, bias = (each.copy() for each in other.get_weights())
        kernel[:, int(np.argmin(sizes))] *= 1.01
        other.set_weights([kernel, bias])
    return model, other


def lost_constant(random: np.random.Generator, wrong: bool) -> Models:
    keras = load_keras()

    class Scaled(keras.layers.Layer):  # type: ignore[misc,name-defined]
        factor = 1.0

        def call(self, inputs: Any) -> Any:
            return inputs * inputs * self.factor

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    own = Scaled(name="scaled")
    layers = keras.layers
    model = _chain((6,), layers.Dense(4), layers.BatchNormalization(), own, layers.Dense(2))
    if wrong:
        own.factor = float(random.uniform(1.5, 3))
    return model, None


def lost_table(random: np.random.Generator, wrong: bool) -> Models:
    layers = load_keras().layers

    def build(words: list[str]) -> Any:
        lookup = layers.StringLookup(vocabulary=words, name="lookup")
        return _chain((3,), lookup, layers.Embedding(8, 4, name="rows"), dtype="string")

    words = [f"word{number}" for number in range(6)]
    others = [words[1], words[0], *words[2:]] if wrong else words
    return _twin_tables(_drawn_tables(random, build(words)), build(others))


def _drawn_tables(random: np.random.Generator, model: Any) -> Any:
    rows = model.get_layer("rows")
    rows.set_weights([random.normal(size=each.shape) for each in rows.get_weights()])
    return model


def _twin_tables(model: Any, other: Any) -> Models:
    other.get_layer("rows").set_weights(model.get_layer("rows").get_weights())
    return model, other


def one_output(random: np.random.Generator, wrong: bool) -> Models:
    keras = load_keras()

    def build() -> Any:
        entry = keras.Input((5,))
        heads = [keras.layers.Dense(3, name=f"head{number}")(entry) for number in range(4)]
        return keras.Model(entry, heads)

    model, other = _twin(_drawn(random, build()), build())
    head = other.get_layer("head2")
    if wrong:
        head.set_weights([1.01 * each for each in head.get_weights()])
    return model, other


def borders(random: np.random.Generator, wrong: bool) -> Models:
    layers = load_keras().layers

    def build(size: int) -> Any:
        # Cropped and padded again: all but the border is as it was.
        around = [layers.Cropping2D(size), layers.ZeroPadding2D(size)] if size else []
        return _chain((12, 12, 3), layers.Conv2D(4, 3, padding="same"), *around)

    return _twin(_drawn(random, build(0)), build(int(wrong)))


def batches(random: np.random.Generator, wrong: bool) -> Models:
    keras = load_keras()

    class Own(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(4)

        def call(self, inputs: Any) -> Any:
            made = self.dense(inputs)
            return made if inputs.shape[0] in (None, 1) or not wrong else made * 1.5

    model = Own()
    model(np.zeros((1, 6), np.float32))
    _drawn(random, model)
    return model, fold(model)


KINDS: Mapping[str, Kind] = {
    "last activation": Kind(last_activation, ("last",)),
    "mask": Kind(mask, ("masking", "lstm")),
    "one embedding row": Kind(one_row, ("table", "norm")),
    "one small channel": Kind(small_channel, ("dense",)),
    "a lost constant": Kind(lost_constant, ("scaled",)),
    "a lost table": Kind(lost_table, ("lookup", "rows")),
    "one output of several": Kind(one_output, ("head2",)),
    "borders only": Kind(borders),
    "batch > 1 only": Kind(batches),
}
