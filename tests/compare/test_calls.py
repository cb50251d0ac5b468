"""What an operation is called with: one thing by place or by name, live or in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount import explain, fold, read_graph
from pytest_layercount.kept.baseline import baseline, read, written
from tests.conftest import needs_keras
from tests.kerases import generation, load_keras

tf = pytest.importorskip("tensorflow")
pytestmark = needs_keras
keras = load_keras()
layers = keras.layers
KERAS_2 = generation(keras) == 2
ops: Any = None if KERAS_2 else keras.ops

TABLE = np.arange(20, dtype="float32").reshape(4, 5)

if KERAS_2:
    CALLS: dict[str, Callable[[Any], Any]] = {
        "an axis": lambda x: tf.concat([x, x], -1),
        "a flag": lambda x: tf.reduce_mean(x, [1, 2], True),
        "a slice": lambda x: x[:, 1:, ::2],
        "a place": lambda x: x[:, 0],
        "a new axis": lambda x: x[:, tf.newaxis],
        "a computed end": lambda x: x[:, : tf.shape(x)[1] - 1],
        "paddings": lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        "a type": lambda x: tf.cast(x, tf.float16),
        "a name": lambda x: tf.reduce_mean(x, 1, name="mean"),
        "bounds": lambda x: tf.clip_by_value(x, 0.0, 6.0),
        "an exponent": lambda x: x**2,
        "a table": lambda x: tf.tensordot(x, TABLE, 1),
        "a constant": lambda x: x * TABLE[:, 1],
        "a bias": lambda x: tf.nn.bias_add(x, tf.constant([1.0, 2.0, 3.0, 4.0])),
        "a slope": lambda x: tf.nn.leaky_relu(x, 0.1),
    }
    PAIRS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
        "axis": (lambda x: tf.reduce_mean(x, 1), lambda x: tf.reduce_mean(x, 2)),
        "slice": (lambda x: x[:, 1:], lambda x: x[:, :-1]),
        "bounds": (lambda x: tf.clip_by_value(x, 0, 6), lambda x: tf.clip_by_value(x, 0, 5)),
        "type": (lambda x: tf.cast(x, tf.float16), lambda x: tf.cast(x, tf.float64)),
        "table": (lambda x: tf.tensordot(x, TABLE, 1), lambda x: tf.tensordot(x, -TABLE, 1)),
        "constant": (lambda x: x * TABLE[:, 1], lambda x: x * TABLE[:, 2]),
    }
else:
    CALLS = {
        "an axis": lambda x: ops.concatenate([x, x], -1),
        "a flag": lambda x: ops.mean(x, [1, 2], True),
        "a slice": lambda x: x[:, 1:, ::2],
        "a place": lambda x: x[:, 0],
        "a new axis": lambda x: x[:, None],
        "paddings": lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        "a type": lambda x: ops.cast(x, "float16"),
        "bounds": lambda x: ops.clip(x, 0.0, 6.0),
        "a table": lambda x: ops.tensordot(x, TABLE, 1),
        "a constant": lambda x: x * TABLE[:, 1],
        "a long constant": lambda x: x * np.arange(256, dtype="float32").reshape(8, 8, 4),
    }
    PAIRS = {
        "axis": (lambda x: ops.mean(x, 1), lambda x: ops.mean(x, 2)),
        "slice": (lambda x: x[:, 1:], lambda x: x[:, :-1]),
        "bounds": (lambda x: ops.clip(x, 0, 6), lambda x: ops.clip(x, 0, 5)),
        "type": (lambda x: ops.cast(x, "float16"), lambda x: ops.cast(x, "float64")),
        "table": (lambda x: ops.tensordot(x, TABLE, 1), lambda x: ops.tensordot(x, -TABLE, 1)),
        "constant": (lambda x: x * TABLE[:, 1], lambda x: x * TABLE[:, 2]),
    }
LONG = np.arange(256, dtype="float32").reshape(8, 8, 4)
PAIRS["long constant"] = (lambda x: x * LONG, lambda x: x * (LONG + 1))


def model(call: Callable[[Any], Any]) -> Any:
    image = keras.Input((8, 8, 4))
    return keras.Model(image, call(layers.Conv2D(4, 3, padding="same")(image)))


def text(source: Any) -> str:
    return written(baseline("t.py::t", "t", "structure", read_graph(source)))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_is_the_same_live_and_in_a_file(call, suffix, tmp_path: Path):
    live, path = model(call), tmp_path / f"m{suffix}"
    live.save(path)
    for one, two in ((live, path), (path, live)):
        found = explain(one, two)
        assert found.same, (found.causes, found.changed)
    accepted, saved = (read(text(one)).graph for one in (live, path))
    assert explain(accepted, saved).same


@pytest.mark.parametrize(("call", "other"), PAIRS.values(), ids=PAIRS)
def test_another_argument_is_seen_live_and_in_a_baseline(call, other):
    one, two = model(call), model(other)
    assert not explain(one, two).same
    accepted = read(text(one)).graph
    assert explain(accepted, read(text(one)).graph).same
    assert not explain(accepted, read(text(two)).graph).same


@pytest.mark.skipif(not KERAS_2, reason="Keras 3 keeps arguments as they are given")
def test_what_is_given_by_place_is_as_what_is_given_by_name():
    by_place = model(lambda x: tf.pad(tf.reduce_mean(x, 1, True), [[0, 0]] * 4, "REFLECT"))
    by_name = model(
        lambda x: tf.pad(
            tf.reduce_mean(x, axis=1, keepdims=True), paddings=[[0, 0]] * 4, mode="REFLECT"
        )
    )
    assert explain(by_place, by_name).same
    assert text(by_place) == text(by_name)


@pytest.mark.parametrize("call", [lambda x: x[:, 1:, ::2], lambda x: x[:, 0]])
def test_a_slice_is_called_again_in_a_folded_model_that_can_be_saved(call, tmp_path: Path):
    live = model(lambda x: layers.BatchNormalization()(call(x)))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    folded = fold(live).model
    folded.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras", compile=False)
    for one in (folded, again):
        np.testing.assert_allclose(one(x), live(x), rtol=1e-4, atol=1e-5)
