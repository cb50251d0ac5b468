"""Calls of users' own layers that are followed: what is put back, and what keeps a layer whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import ModelError, count_layers, read_graph
    from pytest_layercount.model.keras.adapter import Unseen
    from pytest_layercount.model.keras.untouched import as_it_was

    keras = load_keras()
    layers = keras.layers

    class Own(layers.Layer):  # type: ignore[misc,name-defined]
        """A layer of a user's own with all that a call could change."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Dense(3)
            self.listed, self.named, self.some = [1, 2], {"a": 1}, {1}
            self.number = 1

        def build(self, shape: Any) -> None:
            self.count = self.add_weight(
                name="count", shape=(2,), initializer="ones", trainable=False
            )
            self.scale = self.add_weight(name="scale", shape=(2,), initializer="ones")
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    class Deciding(keras.Model):  # type: ignore[misc,name-defined]
        """Looks at a number."""

        def __init__(self) -> None:
            super().__init__()
            self.dense, self.norm = layers.Dense(3), layers.BatchNormalization()

        def build(self, input_shape: Any) -> None:
            self.dense.build(input_shape)
            self.norm.build((*input_shape[:-1], 3))
            self.built = True

        def call(self, inputs: Any) -> Any:
            x = self.norm(self.dense(inputs))
            return x if float(np.asarray(x).sum()) > -1e9 else -x


def built() -> Any:
    layer = Own()
    layer(np.ones((1, 4), "float32"))
    return layer


def change_count(layer: Any) -> None:
    layer.count.assign([5.0, 1.0])


def change_number(layer: Any) -> None:
    layer.number = 2


def add_attribute(layer: Any) -> None:
    layer.other = 3


def change_list(layer: Any) -> None:
    layer.listed.append(3)


def change_entry(layer: Any) -> None:
    layer.named["a"] = 2


def add_entry(layer: Any) -> None:
    layer.named["b"] = 2


def change_set(layer: Any) -> None:
    layer.some.add(2)


def delete(layer: Any) -> None:
    del layer.number


@pytest.mark.parametrize(
    "change",
    [
        change_count,
        change_number,
        add_attribute,
        change_list,
        change_entry,
        add_entry,
        change_set,
        delete,
    ],
)
def test_what_a_call_changes_is_put_back_and_said(change: Any) -> None:
    layer = built()
    with pytest.raises(Unseen, match=r"its call\(\) changes the layer"), as_it_was(layer):
        change(layer)
    assert np.asarray(layer.count).tolist() == [1.0, 1.0]
    assert (layer.number, list(layer.listed), dict(layer.named)) == (1, [1, 2], {"a": 1})
    assert set(layer.some) == {1}
    assert not hasattr(layer, "other")


def test_what_changes_nothing_is_not_said() -> None:
    layer = built()
    with as_it_was(layer):
        layer(np.ones((2, 4), "float32"))
        layer.listed.append(3)
        del layer.listed[-1]
        layer.count.assign([1.0, 1.0])
        layer.scale.assign([7.0, 7.0])  # what trains is compared elsewhere
    assert "add_weight" not in vars(layer)


def test_a_call_that_would_make_a_weight() -> None:
    layer = built()
    with pytest.raises(Unseen, match="it would make a weight"), as_it_was(layer):
        layer.add_weight(name="more", shape=(2,))
    with pytest.raises(Unseen, match="it would make a weight"), as_it_was(layer):
        layer.inner.add_weight(name="more", shape=(2,))
    assert "add_weight" not in vars(layer)


@pytest.mark.skipif(generation(load_keras()) == 2 if has_keras() else True, reason="of Keras 3")
def test_a_sequential_model_inside_takes_symbolic_inputs_meanwhile() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    inner(np.ones((1, 4), "float32"))
    with as_it_was(inner):
        spec = vars(inner)["compute_output_spec"](keras.KerasTensor((2, 4)))
        assert spec.shape == (2, 3)
    assert "compute_output_spec" not in vars(inner)


def test_a_model_that_was_built_is_watched_on_ones() -> None:
    model = Deciding()
    model(np.ones((2, 6, 4), "float32"))
    moving = np.asarray(model.norm.moving_mean).copy()
    graph = read_graph(model)
    assert graph.seen == "one call"
    assert [layer.type for layer in graph.layers] == ["InputLayer", "Dense", "BatchNormalization"]
    assert (graph.nodes[-1].shapes[0] or ())[1:] == (6, 3)
    assert count_layers(model).parameters == 4 * 3 + 3 + 4 * 3
    np.testing.assert_array_equal(moving, np.asarray(model.norm.moving_mean))


def test_a_model_of_which_no_size_is_known_is_not_watched() -> None:
    with pytest.raises(ModelError, match="Deciding"):
        read_graph(Deciding())
    model = Deciding()
    model(np.ones((2, 6, 4), "float32"))
    if generation(keras) == 3:
        model._build_shapes_dict = {"input_shape": (None, None, 4)}
        with pytest.raises(ModelError, match="the size of its input is not known; give it an in"):
            read_graph(model)
        model._build_shapes_dict = None
        with pytest.raises(ModelError, match=r"; give it an input to watch one call with: read_g"):
            read_graph(model)


def test_calls_of_other_threads_are_not_watched() -> None:
    import threading

    class Elsewhere(Deciding):
        def call(self, inputs: Any) -> Any:
            made: list[Any] = []
            other = threading.Thread(target=lambda: made.append(self.other(inputs)))
            other.start()
            other.join()
            return super().call(inputs) + 0.0 * made[0]

    model = Elsewhere()
    model.other = layers.Dense(3)
    given = np.ones((2, 4), "float32")
    model(given)
    graph = read_graph(model, inputs=given)
    assert [layer.type for layer in graph.layers].count("Dense") == 1
