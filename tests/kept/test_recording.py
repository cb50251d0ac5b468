"""Recording live models: planted mistakes, and that nothing happens to the model itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import needs_keras
from tests.kerases import generation, load_keras, skip_in_keras_3_3

pytestmark = needs_keras


@pytest.fixture(scope="module")
def keras():
    return load_keras()


def straight(keras, kernel=3, activation="relu", epsilon=1e-3, order=("norm", "act"), **how):
    """A convolution, a normalization and an activation, one after the other."""
    made = {
        "norm": keras.layers.BatchNormalization(epsilon=epsilon, name="norm"),
        "act": keras.layers.Activation(activation, name="act"),
    }
    x = entry = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, kernel, padding="same", name="conv")(x)
    for name in order:
        x = made[name](x)
    x = keras.layers.Flatten()(x)
    return keras.Model(entry, scale(keras, **how)(x))


def branched(keras, kernel=3, activation="relu", epsilon=1e-3, order=("norm", "act"), **how):
    """The same beside a way around it."""
    made = {
        "norm": keras.layers.BatchNormalization(epsilon=epsilon, name="norm"),
        "act": keras.layers.Activation(activation, name="act"),
    }
    entry = keras.Input((8, 8, 4))
    x = keras.layers.DepthwiseConv2D(kernel, padding="same", name="conv")(entry)
    for name in order:
        x = made[name](x)
    x = keras.layers.Concatenate()([x, entry])
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(entry, [scale(keras, **how)(x), keras.layers.Dense(2)(x)])


def scale(keras, swapped=False):
    class Scale(keras.layers.Layer):
        def build(self, shape):
            names = ("shift", "gain") if swapped else ("gain", "shift")
            for name in names:
                size = (shape[-1],) if name == "gain" else (1,)
                setattr(self, name, self.add_weight(name=name, shape=size, initializer="ones"))
            self.built = True

        def call(self, inputs):
            return inputs * self.gain + self.shift

        def get_config(self):
            return super().get_config()

    return Scale(name="scale")


PLANTED = {
    "kernel": ({"kernel": 5}, "changed", "conv: kernel_size (3, 3) -> (5, 5)"),
    "activation": ({"activation": "elu"}, "changed", "act: activation 'relu' -> 'elu'"),
    "epsilon": ({"epsilon": 1e-5}, "changed", "norm: epsilon 0.001 -> 1e-05"),
    "order": ({"swapped": True}, "weight-order", "of scale: the weights stand in another order"),
    "pair": ({"order": ("act", "norm")}, "added", "norm"),
}


@pytest.fixture(scope="module", params=[straight, branched], ids=lambda net: net.__name__)
def net(request):
    return request.param


@pytest.fixture(scope="module")
def sound(keras, net):
    from pytest_layercount import record

    return record(net(keras))


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_mistakes(keras, net, sound, planted):
    from pytest_layercount import compare_records, record

    how, code, text = PLANTED[planted]
    found = compare_records(sound, record(net(keras, **how)))
    (_, cell) = found.rows["model"]
    messages = {finding.code: finding.message for finding in cell.unexpected}
    if planted == "pair":
        assert {"changed", "added", "removed"} & set(messages)
        assert any("norm" in message or "act" in message for message in messages.values())
    else:
        assert text in messages[code]
    shapes_differ = planted == "kernel"
    assert ("values" in messages) is not shapes_differ or planted == "order"


def test_the_same_model_built_again_is_the_same(keras, net, sound):
    from pytest_layercount import compare_records, record
    from pytest_layercount.kept.record_file import to_data

    again = record(net(keras))
    assert compare_records(sound, again).good
    assert to_data(again) == to_data(sound)


def test_the_model_is_not_changed(keras):
    """Also where a batch normalization is called with training=True, which moves it in Keras 2."""
    from pytest_layercount import record

    entry = keras.Input((6,))
    x = keras.layers.BatchNormalization(name="norm")(entry, training=True)
    model = keras.Model(entry, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(x, training=True)))
    before = [weight.copy() for weight in model.get_weights()]
    config = model.to_json()
    made = record(model).models["model"]
    assert made.numbers
    assert not made.unrun
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.to_json() == config


def test_what_is_built_afterwards_has_the_weights_it_would_have_had(keras):
    from pytest_layercount import record

    def weights(recording):
        keras.utils.set_random_seed(7)
        first = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        if recording:
            record(first)
        second = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        return second.get_weights()[0]

    np.testing.assert_array_equal(weights(False), weights(True))


def test_seeded_weights_and_own_ones(keras):
    from pytest_layercount import record

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    once, own = (record(model, weights=how).models["model"] for how in ("seeded", "own"))
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert record(model).models["model"].numbers == once.numbers
    assert record(model, weights="own").models["model"].numbers != own.numbers
    assert record(model, seed=1).models["model"].numbers != once.numbers
    with pytest.raises(ValueError, match="expected 'seeded' or 'own'"):
        record(model, weights="mine")


def test_the_last_activation_counts_and_does_not_hide_what_is_before_it(keras):
    from pytest_layercount import record

    def numbers(activation):
        layers = [keras.Input((4,)), keras.layers.Dense(3, activation=activation, name="last")]
        return record(keras.Sequential(layers)).models["model"].numbers

    plain, soft = numbers("linear"), numbers("softmax")
    assert (len(plain), len(soft)) == (1, 2)
    assert soft[0] == plain[0]
    np.testing.assert_allclose(np.sum(np.reshape(soft[1].values, (-1, 3)), axis=1), 1)


def test_large_outputs_are_sampled(keras):
    from pytest_layercount import record

    entry = keras.Input((16, 16, 3))
    model = keras.Model(entry, keras.layers.Conv2D(8, 3, padding="same")(entry))
    (numbers,) = record(model).models["model"].numbers
    assert numbers.shape[1:] == (16, 16, 8)
    assert len(numbers.values) == 256
    assert numbers.smallest <= min(numbers.values) < max(numbers.values) <= numbers.largest


def test_words_and_whole_numbers(keras):
    from pytest_layercount import compare_records, record

    entry = keras.Input((5,), dtype="int32")
    model = keras.Model(entry, keras.layers.Embedding(10, 3)(entry))
    made = record(model)
    assert made.models["model"].numbers[0].noise > 0
    assert compare_records(made, made).good


def test_a_model_that_cannot_be_run_is_recorded_without_outputs(keras):
    from pytest_layercount import record

    class Fails(keras.layers.Layer):
        def call(self, inputs):
            return inputs

        def get_config(self):
            raise NotImplementedError("no configuration")

    model = keras.Sequential([keras.Input((4,)), Fails(name="fails")])
    made = record(model).models["model"]
    assert made.count("layers") == 1
    assert "'fails' of type Fails cannot be copied from its configuration" in made.unrun


def hidden_batch_norms(keras):
    layers = keras.layers

    class Normed(layers.BatchNormalization):
        pass

    class Block(layers.Layer):
        def __init__(self, kind="plain", **kwargs):
            super().__init__(**kwargs)
            kinds = {"plain": layers.BatchNormalization, "own": Normed, "block": Block}
            self.kind, self.dense, self.norm = kind, layers.Dense(4), kinds[kind]()

        def build(self, shape):
            self.dense.build(shape)
            self.norm.build((*shape[:-1], 4))
            self.built = True

        def call(self, inputs, training=None):
            return self.norm(self.dense(inputs), training=training)

        def get_config(self):
            return {**super().get_config(), "kind": self.kind}

    class Scaled(layers.Layer):
        def build(self, shape):
            ones = {"shape": (shape[-1],), "initializer": "ones"}
            self.spread = self.add_weight(name="moving_variance", trainable=False, **ones)
            self.built = True

        def call(self, inputs):
            return inputs / self.spread**0.5

    inner = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    return {
        "a block": Block(),
        "a block in a block": Block("block"),
        "a subclass": Normed(),
        "a subclass in a block": Block("own"),
        "a wrapper": layers.TimeDistributed(layers.BatchNormalization()),
        "a model in a wrapper": layers.TimeDistributed(inner),
        "a variable of one's own": Scaled(),
    }


@pytest.mark.parametrize(
    "where",
    [
        "a block",
        "a block in a block",
        "a subclass",
        "a subclass in a block",
        "a wrapper",
        "a model in a wrapper",
        "a variable of one's own",
    ],
)
def test_variances_are_positive_wherever_they_are(keras, where):
    from pytest_layercount import compare_records, record

    if where == "a model in a wrapper":
        skip_in_keras_3_3("has no TimeDistributed of a model: Sequential tells it no output shape")
    layer = hidden_batch_norms(keras)[where]
    entry = keras.Input((3, 4))
    model = keras.Model(entry, keras.layers.Dense(2)(layer(keras.layers.Dense(4)(entry))))

    made = record(model)

    assert not made.models["model"].unrun
    (again,) = [cell.pair for cell in compare_records(made, record(model)).rows["model"][1:]]
    assert len(again.gaps) == 1
    assert again.gaps[0].equal


def test_outputs_that_are_not_finite_are_no_agreement(keras, tmp_path):
    from pytest_layercount import compare_records, record
    from pytest_layercount.cli import main

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights([np.full((3, 2), np.inf), np.zeros(2)])
    files = [str(tmp_path / name) for name in ("one.json", "two.json")]

    records = [record(model, file, weights="own") for file in files]

    assert "not finite" in records[0].models["model"].unrun
    compared = compare_records(*records)
    (finding,) = compared.rows["model"][1].unexpected
    assert (finding.code, "not finite" in finding.message) == ("not-run", True)
    assert not compared.good
    assert main(["compare", *files]) == 1


def test_stale_calls_and_other_models_have_no_part_in_it(keras):
    """Keras 3's Sequential.add leaves calls behind; a layer may be used in a second model."""
    from pytest_layercount import compare_records, record

    def grown(added, borrowed):
        dense = keras.layers.Dense(3, name="dense")
        layers = [keras.layers.Dense(4, name="first"), dense, keras.layers.ReLU(name="relu")]
        model = keras.Sequential([keras.Input((4,)), *([] if added else layers)])
        for layer in layers if added else ():
            model.add(layer)
        if borrowed:
            entry = keras.Input((4,))
            keras.Model(entry, keras.layers.Dense(2)(dense(entry)))
        return record(model)

    made = [grown(added, borrowed) for added in (False, True) for borrowed in (False, True)]
    assert all(compare_records(made[0], other).good for other in made[1:])
    assert made[3].models["model"].count("nodes") == 3


def test_data_type_policies_are_said_alike(keras):
    from pytest_layercount import record
    from pytest_layercount.kept.record_file import to_data

    def data(dtype):
        layers = [keras.Input((4,)), keras.layers.Dense(3, dtype=dtype)]
        return to_data(record(keras.Sequential(layers)))

    policy = keras.mixed_precision.Policy if generation(keras) == 2 else keras.DTypePolicy
    assert data("float32") == data(policy("float32"))
    json.dumps(data("mixed_float16"))


@pytest.mark.skipif(
    os.environ.get("LAYERCOUNT_TEST_KERAS") != "tf_keras", reason="needs both Kerases"
)
def test_tf_keras_in_the_place_of_keras():
    code = (
        "import tensorflow as tf; from pytest_layercount import record; "
        "k = tf.keras; print(record(k.Sequential([k.Input((4,)), k.layers.Dense(2)])).label)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ", tf_keras 2." in done.stdout


def test_what_a_model_was_run_on_before_is_no_part_of_its_record(keras):
    from pytest_layercount import record

    inputs = keras.Input(batch_size=2, shape=(3, 4))
    model = keras.Model(inputs, keras.layers.SimpleRNN(3, stateful=True)(inputs))
    first = record(model)
    model(np.ones((2, 3, 4), "float32"))
    assert record(model).models["model"].numbers == first.models["model"].numbers
    assert first.models["model"].computed == "float64"
