"""Integers wrap around: no map moves through them, and what is computed on them stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value
from tests.conftest import needs_keras
from tests.folding.harness import Kit
from tests.kerases import skip_in_keras_3_3

TYPES = ("uint8", "int8", "int32", "int64")
ALL = ("affine", "identity", "activation", "padding", "collapse")


def through_pooling(k: Kit, x: Any, two: Any) -> Any:
    return k.Dense(2)(k.Flatten()(k.MaxPooling1D(2)(x) * two))


def through_padding(k: Kit, x: Any, two: Any) -> Any:
    return k.Dense(2)(k.Flatten()(k.ZeroPadding1D(2)(x) * two))


def side_by_side(k: Kit, x: Any, two: Any) -> Any:
    pooled = k.MaxPooling1D(2)(x)
    both = [k.Dense(3)(pooled), pooled * two]
    return k.Add()(both) if k.generation == 3 else k.Concatenate()([both[0], as_float(both[1])])


def as_float(x: Any) -> Any:
    import tensorflow as tf

    return tf.cast(x, "float64")


BUILDS = {
    "into Rescaling": lambda k, x, two: k.Rescaling(1 / 255)(x * two),
    "a sum into Dense": lambda k, x, two: k.Dense(2)(x + two),
    "a difference into Dense": lambda k, x, two: k.Dense(2)(two - x),
    "into a batch norm": lambda k, x, two: k.bn()(x * two),
    "through a reshape": lambda k, x, two: k.Rescaling(0.5)(k.Reshape((12,))(x * two)),
    "after Add": lambda k, x, two: k.Rescaling(0.5)(k.Add()([x, x]) * two),
    "after Concatenate": lambda k, x, two: k.Rescaling(0.5)(k.Concatenate()([x, x]) + two),
    "through Dropout": lambda k, x, two: k.Rescaling(0.5)(k.Dropout(0.5)(x * two)),
    "through pooling": through_pooling,
    "through padding": through_padding,
    "side by side": side_by_side,
}


@needs_keras
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", BUILDS)
def test_arithmetic_on_integers_stays(kit: Kit, name: str, dtype: str, tmp_path: Any) -> None:
    import tensorflow as tf

    from pytest_layercount.folding import fold, plan_fold

    if name == "into a batch norm":
        skip_in_keras_3_3("cannot call a BatchNormalization on integers")
    entry = kit.keras.Input((4, 3), dtype=dtype)
    model = kit.model(entry, BUILDS[name](kit, entry, tf.constant(100, dtype)))
    limits = np.iinfo(dtype)
    drawn = np.random.default_rng(0).integers(limits.min, limits.max, (3, 4, 3))
    inputs = drawn.astype(dtype)
    wanted = model(inputs).numpy()
    for passes in (ALL[:2], ALL):
        result = fold(model, passes=passes)
        assert not result.folds
        assert {no.reason for no in result.refusals} <= {"integers", "data-type"}
        np.testing.assert_allclose(result.model(inputs).numpy(), wanted, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    assert not plan_fold(tmp_path / "model.keras").folds


@needs_keras
def test_images_resized_as_integers(kit: Kit) -> None:
    """Keras 3 resizes integers to integers and says that they are floats."""
    from pytest_layercount.folding import fold

    entry = kit.keras.Input((5, 5, 3), dtype="uint8")
    scaled = kit.Rescaling(1 / 255)(kit.Resizing(6, 6)(entry))
    model = kit.model(entry, kit.Conv2D(2, 3)(scaled))
    inputs = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3)).astype("uint8")
    result = fold(model)
    assert len(result.folds) == (kit.generation == 2)
    wanted = model(inputs).numpy()
    np.testing.assert_allclose(result.model(inputs).numpy(), wanted, rtol=1e-6, atol=1e-9)


@needs_keras
def test_what_is_cast_folds(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    entry = kit.keras.Input((4,), dtype="uint8")
    cast = kit.keras.ops.cast(entry, "float64") if kit.generation == 3 else as_float(entry)
    model = kit.model(entry, kit.Dense(2)(cast * 2.0))
    inputs = np.array([[100, 150, 200, 250]], "uint8")
    result = fold(model)
    assert len(result.folds) == 1
    np.testing.assert_allclose(result.model(inputs).numpy(), model(inputs).numpy(), rtol=1e-12)


def called(layer: Layer, given: tuple[str, ...], dtype: str, keras: str = "Keras 3.15") -> bool:
    """Whether a call of ``layer`` that is said to give ``dtype`` may give integers."""
    entries = tuple(Layer(f"x{number}", "InputLayer", "input") for number in range(len(given)))
    nodes = tuple(Node(n, shapes=((4,),), dtypes=(each,)) for n, each in enumerate(given))
    values = tuple(Value(number) for number in range(len(given)))
    last = Node(len(given), values, shapes=((4,),), dtypes=(dtype,))
    graph = ModelGraph("net", keras, (*entries, layer), (*nodes, last), values, Value(len(given)))
    return Value(len(given)) in FoldEdit(graph).integers


def test_what_may_be_integers() -> None:
    pooling, dense = Layer("p", "MaxPooling2D"), Layer("d", "Dense", parameters=6)
    multiply = Layer("m", "Multiply", "operation", operation="multiply")
    cast = Layer("c", "Cast", "operation", operation="cast")
    assert called(pooling, ("uint8",), "float32")
    assert not called(pooling, ("uint8",), "float32", "Keras 2.15.0")
    assert not called(pooling, ("float32",), "float32")
    assert called(pooling, ("float32",), "uint8")
    assert not called(pooling, ("",), "")
    assert not called(dense, ("uint8",), "float32")
    assert not called(counted_elsewhere(dense), ("uint8",), "float32")
    assert not called(Layer("r", "Rescaling"), ("uint8",), "float32")
    assert not called(cast, ("uint8",), "float32")
    assert called(cast, ("float32",), "int32")
    assert called(multiply, ("uint8", "uint8"), "uint8")
    assert not called(multiply, ("uint8", "float32"), "float32")
    assert called(Layer("own", "Own", builtin=False), ("uint8",), "float32")


def counted_elsewhere(layer: Layer) -> Layer:
    """A layer whose weights are counted elsewhere."""
    return Layer(layer.path, layer.type)
