"""What each cause looks like on small models, in both directions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_layercount import explain
from pytest_layercount.compare.causes import CODES
from tests.compare.sketch import POOLED, Sketch

IMAGE = (None, 64, 64, 3)


def body(net, x, blocks=2, filters=8):
    for _ in range(blocks):
        y = net.add("Conv2D", x, use_bias=False, filters=filters)
        y = net.add("BatchNormalization", y)
        y = net.add("Activation", net.add("Conv2D", y, filters=filters, kernel_size=(1, 1)))
        x = net.add("Add", x, y)
    return x


def head(net, x, units=10):
    y = net.add("GlobalAveragePooling2D", x, shape=POOLED)
    y = net.add("Dropout", y, shape=POOLED)
    return net.add("Dense", y, shape=POOLED, units=units, activation="softmax")


def classifier(blocks=2, prefix="", **how):
    net = Sketch(prefix=prefix)
    return net.model(head(net, body(net, net.input(), blocks)), **how)


def both_ways(one, two, count="layers"):
    """The explanation, after checking that the other way round is its mirror image."""
    forth, back = explain(one, two, count=count), explain(two, one, count=count)
    opposite = {"added": "removed", "removed": "added"}
    assert sorted((c.code, c.delta, c.before, c.after) for c in forth.causes) == sorted(
        (opposite.get(c.code, c.code), -c.delta, c.after, c.before) for c in back.causes
    )
    assert [change.flipped() for change in back.changed] == list(forth.changed)
    assert sum(cause.delta for cause in forth.causes) == forth.delta == -back.delta
    assert {cause.code for cause in forth.causes} <= set(CODES)
    return forth


def codes(explanation):
    assert not explanation.changed
    return {cause.code: cause.delta for cause in explanation.causes}


def test_other_names_are_no_difference():
    explanation = both_ways(classifier(), classifier(prefix="other_", name="renamed"))
    assert explanation.same
    assert explanation.delta == 0


def test_the_order_of_what_is_added_is_no_difference():
    def model(swap):
        net = Sketch()
        x = net.input()
        y = net.add("Conv2D", net.add("Conv2D", x), filters=8)
        z = net.add("DepthwiseConv2D", x)
        return net.model(net.add("Add", *((z, y) if swap else (y, z))))

    assert both_ways(model(swap=False), model(swap=True)).same


def test_a_head_removed():
    net = Sketch()
    explanation = both_ways(classifier(), net.model(body(net, net.input())))
    assert codes(explanation) == {"head": -3}
    (cause,) = explanation.causes
    assert cause.by_type == {"Dense": -1, "Dropout": -1, "GlobalAveragePooling2D": -1}
    assert cause.message == (
        "1 GlobalAveragePooling2D, 1 Dropout and 1 Dense of the head gone, "
        "as with include_top=False"
    )


def fully_connected(net, x):
    y = net.add("GlobalAveragePooling2D", x, shape=POOLED)
    y = net.add("Dense", y, shape=POOLED, units=256, activation="relu")
    y = net.add("Dropout", y, shape=POOLED)
    return net.add("Dense", y, shape=POOLED, units=5)


def flat(net, x):
    return net.add("Dense", net.add("Flatten", x, shape=POOLED), shape=POOLED, units=5)


def convolutional(net, x):
    y = net.add("Conv2D", x, kernel_size=(1, 1), filters=5)
    y = net.add("GlobalMaxPooling2D", y, shape=POOLED)
    return net.add("Activation", y, shape=POOLED, activation="softmax")


@pytest.mark.parametrize(
    ("new", "delta", "message"),
    [
        (
            fully_connected,
            1,
            "the head: 1 Dropout and 1 Dense became 2 Dense and 1 Dropout",
        ),
        (
            flat,
            -1,
            (
                "the head: 1 GlobalAveragePooling2D, 1 Dropout and 1 Dense "
                "became 1 Flatten and 1 Dense"
            ),
        ),
        (
            convolutional,
            0,
            (
                "the head: 1 GlobalAveragePooling2D, 1 Dropout and 1 Dense "
                "became 1 Conv2D, 1 GlobalMaxPooling2D and 1 Activation"
            ),
        ),
    ],
)
def test_a_head_replaced(new, delta, message):
    net = Sketch()
    explanation = both_ways(classifier(), net.model(new(net, body(net, net.input()))))
    assert codes(explanation) == {"head-replaced": delta}
    assert explanation.causes[0].message == message


def test_a_head_with_other_sizes_is_the_same_head():
    net = Sketch()
    explanation = both_ways(classifier(), net.model(head(net, body(net, net.input()), units=5)))
    assert not explanation.causes
    assert explanation.changed[0].attributes == {"units": (10, 5)}


def test_models_that_share_little_have_no_head_in_common():
    net = Sketch()
    x = net.add("Conv2D", net.input(), filters=99)
    one = net.model(fully_connected(net, net.add("MaxPooling2D", x)))
    net = Sketch()
    two = net.model(flat(net, net.add("Conv2D", net.input(), filters=98)))
    assert "head-replaced" not in {cause.code for cause in both_ways(one, two).causes}


def test_what_does_nothing_before_a_head_goes_with_it():
    def model(top):
        net = Sketch()
        x = body(net, net.input())
        if top:
            x = net.add("Flatten", net.add("Dropout", x), shape=(None, 256))
            x = net.add("Dense", x, shape=POOLED)
        return net.model(x)

    assert codes(both_ways(model(top=True), model(top=False))) == {"head": -3}


def test_auxiliary_outputs_removed():
    def model(aux):
        net = Sketch()
        x = body(net, net.input())
        side = head(net, net.add("Conv2D", x, kernel_size=(1, 1)), units=5) if aux else None
        main = head(net, body(net, x, filters=16))
        return net.model(*filter(None, (main, side)))

    assert codes(both_ways(model(aux=True), model(aux=False))) == {"auxiliary-outputs": -4}


def test_preprocessing_inside():
    def model(inside):
        net = Sketch()
        x = net.input(IMAGE)
        if inside:
            x = net.add("Resizing", x, shape=IMAGE)
            x = net.add("RandomFlip", net.add("Rescaling", x, shape=IMAGE), shape=IMAGE)
            x = net.operation("subtract", x, 0.5, shape=IMAGE)
        x = net.add("MaxPooling2D", x, pool_size=(2, 2))
        return net.model(head(net, body(net, x)))

    explanation = both_ways(model(inside=True), model(inside=False))
    assert codes(explanation) == {"preprocessing": -3}
    assert len(explanation.causes[0].before) == 4


@pytest.mark.parametrize(
    ("bias", "padding", "code"),
    [(True, "same", "preprocessing"), (True, "valid", "preprocessing")],
)
def test_preprocessing_that_could_fold_is_not_taken_for_folded(bias, padding, code):
    def model(inside):
        net = Sketch()
        x = net.input(IMAGE)
        x = net.add("Rescaling", x, shape=IMAGE) if inside else x
        x = net.add("Conv2D", x, use_bias=bias, padding=padding)
        return net.model(head(net, x))

    assert codes(both_ways(model(inside=True), model(inside=False))) == {code: -1}


def test_a_batch_norm_gone_without_a_bias_in_its_place_was_not_folded():
    def model(normalised):
        net = Sketch()
        x = net.add("Conv2D", net.input(), use_bias=False)
        x = net.add("BatchNormalization", x) if normalised else x
        return net.model(head(net, x))

    assert codes(both_ways(model(normalised=True), model(normalised=False))) == {"removed": -1}


def test_a_batch_norm_that_folds_in_one_model_and_not_in_the_other_is_in_both():
    def model(aux):
        net = Sketch()
        x = net.add("Conv2D", net.input(), use_bias=False)
        y = net.add("BatchNormalization", x)
        side = [head(net, x, units=3)] if aux else []
        return net.model(head(net, y), *side)

    assert codes(both_ways(model(aux=True), model(aux=False))) == {"auxiliary-outputs": -3}


def nested(top=("InputLayer", "Functional")):
    """The classifier in another model."""
    inner = classifier()
    paths = [layer.path if layer.kind == "input" else f"net/{layer.path}" for layer in inner.layers]
    layers = tuple(
        replace(layer, path=path) for layer, path in zip(inner.layers, paths, strict=True)
    )
    return replace(inner, layers=layers, top=tuple(top))


def test_nesting_counts_only_at_the_top():
    assert both_ways(nested(), classifier()).same
    assert both_ways(nested(), classifier(), "nodes").same
    explanation = both_ways(nested(), classifier(), "top")
    assert (explanation.before.total, explanation.after.total) == (2, 14)
    assert codes(explanation) == {"nesting": 12}
    assert explanation.causes[0].by_type["Functional"] == -1
    assert both_ways(nested(), nested(("InputLayer", "Sequential")), "top").same


def test_a_nested_model_removed_with_all_it_holds():
    net = Sketch()
    small = net.model(net.add("Flatten", net.input(), shape=(None, 256)))
    explanation = both_ways(nested(), small, "top")
    assert explanation.delta == 0
    assert codes(explanation) == {"removed": -1, "added": 1}


def test_what_keras_lists_besides_the_graph_is_said():
    model = classifier()
    listed = replace(model, top=(*model.top, "Dense"))
    assert codes(both_ways(model, listed, "top")) == {"unlisted": 1}
    assert both_ways(model, listed).same


def test_a_sequential_model_leaves_its_input_out():
    functional, sequential = classifier(), classifier(sequential=True)
    sequential = replace(sequential, top=sequential.top[1:])
    for count in ("layers", "top"):
        assert codes(both_ways(functional, sequential, count)) == {"sequential-input": -1}
    assert both_ways(functional, sequential, "nodes").same


def scaled(keras):
    net = Sketch(keras)
    x = net.add("Conv2D", net.input())
    return net.model(head(net, net.operation("add", x, net.add("DepthwiseConv2D", x))))


def test_operations_are_layers_in_keras_2_only():
    for count in ("layers", "top"):
        explanation = both_ways(scaled(2), scaled(3), count)
        assert codes(explanation) == {"operations": -1}
        assert explanation.causes[0].by_type == {"TFOpLambda": -1}
    assert both_ways(scaled(2), scaled(3), "nodes").same


def test_an_operation_for_a_layer():
    net = Sketch()
    x = net.add("Conv2D", net.input())
    layered = net.model(head(net, net.add("Add", x, net.add("DepthwiseConv2D", x))))
    assert codes(both_ways(layered, scaled(3))) == {"operations": -1}
    assert both_ways(layered, scaled(2)).same


def test_the_operations_of_a_pattern_are_told_from_its_layers():
    def model(keras):
        net = Sketch(keras)
        x = net.add("Conv2D", net.input())
        if keras == 3:
            return net.model(net.add("Activation", x, activation="hard_silu"))
        y = net.add("ReLU", net.operation("add", x, 3.0), max_value=6.0)
        return net.model(net.add("Multiply", x, net.operation("multiply", y, 1 / 6)))

    explanation = both_ways(model(2), model(3))
    assert codes(explanation) == {"operations": -2, "hard-swish": -1}
    assert {cause.code: cause.by_type for cause in explanation.causes}["hard-swish"] == {
        "Activation": 1,
        "Multiply": -1,
        "ReLU": -1,
    }
    assert codes(both_ways(model(2), model(3), "nodes")) == {"hard-swish": -3}


def relu(net, x):
    return net.operation("relu", x)


def hard_sigmoid(net, x):
    y = net.add("ReLU", net.operation("add", x, 3.0), max_value=6.0)
    return net.operation("multiply", y, 1 / 6)


def pooled(net, x):
    return net.operation("reshape", net.add("GlobalAveragePooling2D", x, shape=POOLED), shape=ONES)


ONES = (None, 1, 1, 4)
POOL = {"shape": ONES, "keepdims": True}


@pytest.mark.parametrize(
    ("written", "layers", "counted", "nodes"),
    [
        (relu, {"ReLU": {}}, {}, {}),
        (relu, {"Conv2D": {"activation": "relu"}}, {"operations": -1}, {"activations-fused": -1}),
        (
            hard_sigmoid,
            {"Activation": {"activation": "hard_sigmoid"}},
            {"operations": -2, "hard-sigmoid": 0},
            {"hard-sigmoid": -2},
        ),
        (pooled, {"GlobalAveragePooling2D": POOL}, {"operations": -1}, {"pooling": -1}),
    ],
)
def test_operations_that_stand_for_layers_are_counted_by_keras_2_alone(
    written, layers, counted, nodes
):
    net, other = Sketch(2), Sketch(3)
    one = net.model(written(net, net.add("Conv2D", net.input())))
    two = other.input()
    for type_, settings in {"Conv2D": {}, **layers}.items():
        two = other.add(type_, two, **settings)
    two = other.model(two)
    assert codes(both_ways(one, two)) == codes(both_ways(one, two, "top")) == counted
    assert codes(both_ways(one, two, "nodes")) == nodes


def test_what_folded_into_a_layer_that_could_itself_fold():
    def model(folded):
        net = Sketch()
        x = net.add("Rescaling", net.input(), **({"offset": (-1.0, -2.0)} if folded else {}))
        if not folded:
            given = {"axis": (-1,), "input_mean": (1.0, 2.0), "invert": False}
            x = net.add("Normalization", x, **given)
        x = net.add("Conv2D", x)
        return net.model(x if folded else net.add("BatchNormalization", x))

    explanation = both_ways(model(folded=False), model(folded=True))
    assert codes(explanation) == {"affine-folded": -1, "batch-norms-folded": -1}
    assert not explanation.changed


def test_a_part_of_a_written_out_activation_folded_away():
    def model(shifted):
        net = Sketch()
        x = net.add("Conv2D", net.input(), use_bias=True)
        x = net.operation("add", x, 3.0) if shifted else x
        y = net.operation("multiply", net.add("ReLU", x, max_value=6.0), 1 / 6)
        return net.model(net.add("Conv2D", y))

    explanation = both_ways(model(shifted=True), model(shifted=False), "nodes")
    assert codes(explanation) == {"affine-folded": -1}
    assert not explanation.changed


@pytest.mark.parametrize("fused", [True, False])
def test_a_name_that_means_something_else_in_keras_2_is_a_change(fused):
    def model(keras):
        net = Sketch(keras)
        how = {"activation": "hard_sigmoid"}
        x = net.add("Conv2D", net.input(), **(how if fused else {}))
        return net.model(x if fused else net.add("Activation", x, **how))

    explanation = both_ways(model(2), model(3))
    assert not explanation.causes
    (change,) = explanation.changed
    assert change.attributes == {
        "activation": ("hard_sigmoid of Keras 2, 0.2 x + 0.5", "hard_sigmoid")
    }
    assert both_ways(model(2), model(2)).same


def test_a_shared_layer_against_copies():
    def model(shared):
        net = Sketch()
        x = net.input()
        y = net.add("Conv2D", x)
        z = net.again(y, y) if shared else net.add("Conv2D", y)
        return net.model(head(net, z))

    assert codes(both_ways(model(shared=True), model(shared=False))) == {"sharing": 1}
    assert not both_ways(model(shared=True), model(shared=False), "nodes").delta


@pytest.mark.parametrize("more", [1, 4])
def test_repeated_blocks_are_said_as_blocks(more):
    explanation = both_ways(classifier(2), classifier(2 + more))
    assert codes(explanation) == {"blocks": 5 * more}
    noun = "1 block" if more == 1 else f"{more} blocks"
    assert explanation.causes[0].message.startswith(f"{noun} of 5 layers more: ")


def test_a_block_of_which_only_two_steps_are_left_after_folding():
    def model(blocks):
        net = Sketch()
        x = net.input()
        for _ in range(blocks):
            y = net.add("BatchNormalization", net.add("Conv2D", x, use_bias=False))
            x = net.add("Activation", y)
        return net.model(head(net, x))

    assert codes(both_ways(model(1), model(2))) == {"blocks": 3}


def test_other_attributes_are_changes():
    one, two = classifier(), classifier()
    layers = list(two.layers)
    layers[1] = replace(layers[1], config={**layers[1].config, "filters": 16})
    two = replace(two, layers=tuple(layers))
    explanation = both_ways(one, two)
    assert not explanation.causes
    (change,) = explanation.changed
    assert (change.before, change.type) == ("conv2d_1", "Conv2D")
    assert change.attributes == {"filters": (8, 16)}
    assert not explanation.same


def test_other_wiring_is_a_change():
    def model(skip):
        net = Sketch()
        x = net.add("Conv2D", net.input(), filters=3)
        y = net.add("Conv2D", x, filters=5)
        z = net.add("Conv2D", y, filters=7)
        return net.model(head(net, net.add("Concatenate", z, x if skip else y)))

    (change,) = both_ways(model(skip=True), model(skip=False)).changed
    assert change.attributes == {"inputs": (("conv2d_3", "conv2d_1"), ("conv2d_3", "conv2d_2"))}


def test_other_outputs_of_the_same_layers_are_a_cause():
    def model(*order):
        net = Sketch()
        x = net.add("Conv2D", net.input(), filters=3)
        made = (x, net.add("Conv2D", x, filters=5))
        return net.model(*(made[place] for place in order))

    assert codes(both_ways(model(0, 1), model(1, 0))) == {"outputs": 0}
    assert codes(both_ways(model(0, 1), model(1))) == {"outputs": 0}


def test_layers_that_no_output_needs_are_counted_and_explained():
    def model(unused):
        net = Sketch()
        x = net.add("Conv2D", net.input())
        if unused:
            net.add("BatchNormalization", net.add("Dense", net.add("Dropout", x)))
        return net.model(head(net, x))

    explanation = both_ways(model(unused=True), model(unused=False))
    assert explanation.delta == -3
    assert not explanation.changed


def test_nothing_in_common():
    net = Sketch()
    text = net.input((None, 20))
    y = net.add("LSTM", net.add("Embedding", text, output_dim=4), shape=POOLED)
    explanation = both_ways(classifier(), net.model(net.add("Dense", y, units=2)))
    assert explanation.delta == -10


def test_what_has_no_cause_is_listed():
    def model(other):
        net = Sketch()
        x = body(net, net.input())
        x = net.add("UpSampling2D", net.add("Cropping2D", x)) if other else net.add("Lambda", x)
        return net.model(head(net, body(net, x, filters=16)))

    explanation = both_ways(model(other=False), model(other=True))
    assert codes(explanation) == {"added": 2, "removed": -1}
    assert explanation.unexplained == explanation.causes
    assert explanation.causes[0].after == ("cropping2d_11", "upsampling2d_12")
    assert explanation.causes[0].message == (
        "1 Cropping2D and 1 UpSampling2D only in the second model"
    )


def test_an_unknown_count_is_refused():
    with pytest.raises(ValueError, match="count='nope'"):
        explain(classifier(), classifier(), count="nope")


def test_inputs_are_no_nodes():
    def model(inputs):
        net = Sketch()
        return net.model(net.add("Add", *(net.input() for _ in range(inputs))))

    explanation = explain(model(2), model(3), count="nodes")
    assert [(cause.code, cause.delta) for cause in explanation.causes] == [("added", 0)]
    assert explain(model(2), model(3)).delta == 1
