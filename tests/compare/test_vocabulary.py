"""What two models must agree on to be the same, setting by setting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_layercount import explain
from pytest_layercount.model.graph import Layer
from tests.compare.sketch import Sketch


def model(type_, training=None, settings=None, **config):
    """A layer of these attributes, and of others that no row names."""
    net = Sketch()
    value = net.add(type_, net.input(), **config)
    net.layers[-1] = replace(net.layers[-1], settings=settings or {})
    net.nodes[value.node] = replace(net.nodes[value.node], training=training)
    return net.model(value)


@pytest.mark.parametrize(
    ("type_", "one", "two"),
    [
        ("Softmax", {"settings": {"axis": -1}}, {"settings": {"axis": 3}}),
        ("Softmax", {"settings": {"axis": -1}}, {"settings": {}}),
        ("Softmax", {"settings": {"axis": (-3, -2)}}, {"settings": {"axis": [1, 2]}}),
        ("LayerNormalization", {"axis": (-1,)}, {"axis": 3}),
        ("LayerNormalization", {"axis": (-2, -1)}, {"axis": [2, 3]}),
        ("Conv2D", {"data_format": "channels_last"}, {"data_format": None}),
        ("Conv2D", {"activation": "swish"}, {"activation": "silu"}),
        ("Conv2D", {"activation": "hard_swish"}, {"activation": "hard_silu"}),
        ("Conv2D", {"use_bias": False}, {"use_bias": None}),
        ("Conv2D", {"kernel_size": [3, 3]}, {"kernel_size": (3, 3)}),
        ("Conv2D", {"groups": 1}, {"groups": None}),
        ("BatchNormalization", {"trainable": False}, {"trainable": True}),
        ("BatchNormalization", {"epsilon": 1e-3}, {"epsilon": 0.001000000047}),
    ],
)
def test_other_words_for_the_same(type_, one, two):
    explanation = explain(model(type_, **one), model(type_, **two))
    assert explanation.same, explanation.changed


@pytest.mark.parametrize(
    ("type_", "one", "two"),
    [
        ("Softmax", {"settings": {"axis": -1}}, {"settings": {"axis": 1}}),
        ("Softmax", {"settings": {}}, {"settings": {"axis": 1}}),
        ("LayerNormalization", {"axis": (1, 2)}, {"axis": (2, 3)}),
        ("LayerNormalization", {"settings": {"beta": 1}}, {"settings": {"beta": 5}}),
        ("Rescaling", {"offset": -1}, {"offset": 3}),
        ("Rescaling", {"scale": 0.1}, {"scale": 0.1001}),
        ("Conv2D", {"data_format": "channels_last"}, {"data_format": "channels_first"}),
        ("Conv2D", {"activation": "relu"}, {"activation": "relu6"}),
        ("Conv2D", {"use_bias": False}, {"use_bias": True}),
        ("Conv2D", {"groups": 1}, {"groups": 2}),
        ("BatchNormalization", {"epsilon": 1e-3}, {"epsilon": 2e-3}),
        ("ReLU", {"max_value": 6.0}, {"max_value": 6.0, "threshold": 1.0}),
        ("ReLU", {"max_value": 6.0}, {"max_value": 6.0, "negative_slope": 0.5}),
        ("ReLU", {"max_value": 6.0}, {"max_value": 5.0}),
        ("ReLU", {}, {"negative_slope": 0.5}),
    ],
)
def test_other_settings_are_a_change(type_, one, two):
    explanation = explain(model(type_, **one), model(type_, **two))
    assert explanation.changed or explanation.causes


def test_whether_statistics_are_fixed_counts_in_a_call_that_trains():
    one, two = (
        model("BatchNormalization", training=True, trainable=trainable)
        for trainable in (True, False)
    )
    (change,) = explain(one, two).changed
    assert change.attributes == {"trainable": (None, False)}
    (change,) = explain(model("BatchNormalization"), one).changed
    assert change.attributes == {"training": (None, True)}


def holding(*inside):
    """A layer of the user's own and what it holds, as far as that is known."""
    return own_layer(Layer("b", "Block", builtin=False, settings={}, inside=inside))


def own_layer(layer):
    net = Sketch()
    value = net.add(layer.type, net.input(), builtin=False)
    net.layers[-1] = layer
    return net.model(value)


def test_what_a_layer_of_the_users_holds_counts_where_both_models_tell():
    three, four = (Layer("b/d", "Dense", config={"units": units}) for units in (3, 4))
    (change,) = explain(holding(three), holding(four)).changed
    assert change.attributes == {"inside.Dense.units": (3, 4)}
    for one, two in ((three,), ()), ((), (three,)), ((three,), (three,)):
        assert explain(holding(*one), holding(*two)).same


def test_a_reshape_behind_a_pooling_of_an_unknown_shape():
    def model(shape):
        net = Sketch()
        pooled = net.add("GlobalAveragePooling2D", net.input(), shape=shape)
        return net.model(net.add("Reshape", pooled, shape=(None, 1, 1, 4)))

    assert explain(model(None), model(None)).same
    assert explain(model((None, 4)), model(None)).delta == 0


@pytest.mark.parametrize("name", ["subtract", "divide", "power"])
def test_which_side_a_number_stands_on(name):
    def arithmetic(name, *order):
        net = Sketch()
        x = net.input()
        return net.model(net.operation(name, *(x if each is None else each for each in order)))

    (change,) = explain(arithmetic(name, None, 3.0), arithmetic(name, 3.0, None)).changed
    assert change.attributes == {"constant first": (None, True)}
    assert explain(arithmetic("add", None, 3.0), arithmetic("add", 3.0, None)).same


def test_the_one_setting_of_a_wrapped_layer_that_differs_is_named():
    def wrapping(**config):
        return model("TimeDistributed", layer=Layer("d", "Dense", config=config))

    (change,) = explain(wrapping(units=3), wrapping(units=4)).changed
    assert change.attributes == {"layer.units": (3, 4)}
    (change,) = explain(wrapping(units=3), model("TimeDistributed", layer=None)).changed
    assert change.attributes == {"layer": (("Dense", (("units", 3),)), None)}
