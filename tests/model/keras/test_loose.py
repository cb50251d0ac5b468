"""Layers that a layer uses and that Keras does not know as its parts. No Keras."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_layercount.model.keras.loose import is_own_object, loose_layers


class Layer:
    """What Keras's has of all that is asked here."""

    def _flatten_layers(self) -> Any:
        return (self,)


class Holder(Layer):
    """A layer of the user's own that keeps something."""

    def __init__(self, held: Any) -> None:
        self.held = held


def keeps(module: str, layer: Layer) -> Any:
    """An object of a class of this module that keeps a layer."""
    made = type("Keeper", (), {"__module__": module})()
    made.layer = layer
    return made


@pytest.mark.parametrize(
    "module",
    [
        *("keras.src.trackers", "tf_keras.src.metrics", "tensorflow.python.eager", "numpy"),
        *("builtins", "functools", "threading"),
    ],
)
def test_what_a_framework_keeps_is_its_own(module: str) -> None:
    layer = Layer()
    assert not is_own_object(keeps(module, layer))
    assert list(loose_layers(Holder(keeps(module, layer)), builtin=False)) == []


def test_what_an_object_of_the_users_keeps_is_used() -> None:
    layer = Layer()
    for held in keeps("mine", layer), SimpleNamespace(layer=layer), [{"a": (layer,)}]:
        assert list(loose_layers(Holder(held), builtin=False)) == [layer]


@pytest.mark.parametrize(("module", "seen"), [("mine.layers", True), ("keras.src.layers", False)])
def test_what_a_class_holds_is_used_unless_it_is_a_frameworks(module: str, seen: bool) -> None:
    layer = Layer()
    base = type("Base", (Layer,), {"__module__": module, "shared": layer})
    own = type("Own", (base,), {})()
    assert list(loose_layers(own, builtin=False)) == [layer] * seen


@pytest.mark.parametrize("name", ["activation", "recurrent_activation", "function", "arguments"])
def test_what_a_layer_of_keras_was_given_is_used(name: str) -> None:
    layer, given = Layer(), Layer()
    vars(given).update({name: keeps("mine", layer), "other": Layer()})
    assert list(loose_layers(given, builtin=True)) == [layer]


@pytest.mark.parametrize("name", ["_inbound_nodes", "_outbound_nodes"])
def test_where_a_layer_was_called_is_nothing_that_it_uses(name: str) -> None:
    called = Layer()
    vars(called)[name] = [keeps("mine", Layer())]
    assert list(loose_layers(called, builtin=False)) == []
