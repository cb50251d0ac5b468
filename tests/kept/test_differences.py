"""One mistake at a time, planted in two models: caught and named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_layercount.kept.differences import CODES, gap, pair
from pytest_layercount.kept.record import ModelRecord
from pytest_layercount.model.graph import Layer
from tests.compare.sketch import Sketch
from tests.kept.models import (
    NETS,
    edited,
    numbers,
    plain_net,
    recorded,
    reordered_weights,
    residual_net,
    reversed_pair,
)

PLANTED = {
    "kernel size": (
        lambda graph: edited(graph, "Conv2D", kernel_size=(5, 5)),
        "changed",
        "{conv}: kernel_size (3, 3) -> (5, 5)",
    ),
    "activation": (
        lambda graph: edited(graph, "Activation", activation="elu"),
        "changed",
        "{act}: activation 'relu' -> 'elu'",
    ),
    "epsilon": (
        lambda graph: edited(graph, "BatchNormalization", epsilon=1e-5),
        "changed",
        "{norm}: epsilon 0.001 -> 1e-05",
    ),
    "reversed pair": (reversed_pair, "changed", "{act}: inputs ("),
}
NAMES = {
    "plain": {"conv": "stem", "norm": "norm", "act": "act"},
    "residual": {"conv": "conv2d", "norm": "batchnormalization", "act": "activation"},
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("planted", PLANTED)
def test_planted_in_the_structure(net, planted):
    plant, code, text = PLANTED[planted]
    found = pair(recorded(NETS[net]()), recorded(plant(NETS[net]())))
    messages = [finding.message for finding in found.findings if finding.code == code]
    wanted = text.format(**NAMES[net])
    assert any(wanted in message for message in messages), found.findings


@pytest.mark.parametrize("net", NETS)
def test_planted_in_the_order_of_the_weights(net):
    made = recorded(NETS[net]())
    (finding,) = pair(made, reordered_weights(made)).findings
    name = made.graph.layers[1].path
    assert finding.code == "weight-order"
    assert finding.message == (
        f"get_weights()[0] is (4,) of {name}, was (3, 3, 4, 4) of {name}: "
        "the weights stand in another order"
    )


@pytest.mark.parametrize("net", NETS)
def test_planted_in_the_values(net):
    found = pair(recorded(NETS[net]()), recorded(NETS[net](), (0.5, -0.25, 1.4)))
    assert [finding.code for finding in found.findings] == ["values"]
    assert found.findings[0].message == (
        "outputs up to 0.1 apart, their largest being 1.5; float32 noise explains 4e-08"
    )


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("versions", [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_the_same_model_has_no_findings(net, versions):
    one, two = (recorded(NETS[net](keras)) for keras in versions)
    found = pair(one, two)
    assert found.findings == ()
    assert [each.equal for each in found.gaps] == [True]


def test_weights_of_layers_that_have_the_same_shapes_are_told_apart_by_their_layer():
    made = recorded(residual_net())
    kernels = [place for place, (_, shape) in enumerate(made.weights) if len(shape) == 4]
    weights = list(made.weights)
    weights[kernels[0]], weights[kernels[1]] = weights[kernels[1]], weights[kernels[0]]
    (finding,) = pair(made, replace(made, weights=tuple(weights))).findings
    assert finding.code == "weight-order"
    assert "of conv2d_1, was (3, 3, 4, 4) of conv2d:" in finding.message


def test_other_shapes_of_weights_alone():
    made = recorded(plain_net())
    weights = ((made.weights[0][0], (1, 1, 4, 4)), *made.weights[1:])
    (finding,) = pair(made, replace(made, weights=weights)).findings
    assert finding.code == "weights"


def test_outputs_are_not_compared_where_the_weights_are_others():
    wider = recorded(edited(plain_net(), "Dense", units=9), (9.0,))
    wider = replace(wider, weights=(*wider.weights[:-1], (6, (9,))))
    found = pair(recorded(plain_net()), wider)
    assert [finding.code for finding in found.findings] == ["changed"]
    assert found.gaps == ()


def test_outputs_of_another_shape():
    found = pair(recorded(plain_net()), recorded(plain_net(), (1.0, 2.0)))
    assert found.findings[0].message == "the outputs have the shapes [(1, 2)], they had [(1, 3)]"


@pytest.mark.parametrize("sides", [(True, False), (False, True)])
def test_a_model_that_only_one_version_can_run(sides):
    one, two = (
        recorded(plain_net(), **({"unrun": "no kernel for it", "numbers": ()} if unrun else {}))
        for unrun in sides
    )
    (finding,) = pair(one, two).findings
    assert (finding.code, finding.message) == ("not-run", "no kernel for it")


def test_a_model_that_one_version_cannot_build():
    (finding,) = pair(recorded(plain_net()), ModelRecord(problem="no RegNet here")).findings
    assert (finding.code, finding.message) == ("missing", "no RegNet here")


@pytest.mark.parametrize("before", [2, 3])
def test_a_known_change_of_meaning_is_named(before):
    one, two = (
        recorded(edited(plain_net(keras), "Activation", activation="hard_sigmoid"), values)
        for keras, values in ((before, (0.1, 0.2, 0.3)), (5 - before, (0.1, 0.2, 0.4)))
    )
    meaning, values = pair(one, two).findings
    ends = repr("hard_sigmoid of Keras 2, 0.2 x + 0.5"), repr("hard_sigmoid")
    was, now = ends if before == 2 else ends[::-1]
    assert (meaning.code, values.code) == ("changed", "values")
    assert meaning.message == f"act: activation {was} -> {now}"


def test_a_known_change_of_meaning_inside_a_wrapper():
    inner = Layer("lstm", "LSTM", config={"recurrent_activation": "hard_sigmoid"})

    def net(keras):
        drawn = Sketch(keras)
        both = drawn.add("Bidirectional", drawn.input(), forward_layer=inner, backward_layer=inner)
        return drawn.model(both)

    (meaning,) = pair(*(recorded(net(keras)) for keras in (2, 3))).findings
    assert "forward_layer" in meaning.message


@pytest.mark.parametrize("type_", ["LSTM", "GRU", "ConvLSTM2D"])
def test_a_known_change_of_meaning_inside_a_recurrent_layer(type_):
    def net(keras):
        drawn = Sketch(keras)
        rnn = drawn.add(
            type_, drawn.input(), recurrent_activation="hard_sigmoid", activation="tanh"
        )
        return drawn.model(rnn)

    (meaning,) = pair(*(recorded(net(keras)) for keras in (2, 3))).findings
    assert meaning.message.endswith(
        "recurrent_activation 'hard_sigmoid of Keras 2, 0.2 x + 0.5' -> 'hard_sigmoid'"
    )


def test_the_limit_is_what_noise_explains():
    one, two = numbers((1.0, 2.0), noise=1e-6), numbers((1.0, 2.0 + 3.9e-6), noise=1e-7)
    assert gap(one, two).equal
    assert not gap(one, numbers((1.0, 2.0 + 4.2e-6), noise=1e-7)).equal


def test_what_a_sample_does_not_show_the_statistics_do():
    one = numbers((1.0, 2.0))
    assert not gap(one, replace(one, largest=5.0)).equal
    assert not gap(one, replace(one, mean=1.0)).equal


def test_words():
    one = replace(numbers((0.0,)), dtype="string", values=("a",))
    assert gap(one, one).equal
    assert not gap(one, replace(one, values=("b",))).equal


def test_codes_are_unique():
    assert len(set(CODES)) == len(CODES)
