"""What models are made of: nesting, sharing, inputs and outputs, masks, flags, types."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.folding.harness import Case, Kit, check, matrix, randomise, snapshot, unchanged


def sequential(k: Kit, *layers, **kwargs):
    return k.keras.Sequential(list(layers), **kwargs)


def ends(k: Kit, shape, *layers):
    first = tensor = k.input(*shape)
    for layer in layers:
        tensor = layer(tensor)
    return first, tensor


def nested(k: Kit, inside, after, first=()):
    inner = k.model(*ends(k, (6, 6, 3), *inside), name="m")
    return k.chain((6, 6, 3), *first, inner, *after)


def deep(k: Kit):
    inner = k.model(*ends(k, (6, 6, 3), k.bn()), name="inner")
    outer = k.model(*ends(k, (6, 6, 3), inner, k.Activation("tanh")), name="outer")
    return k.chain((6, 6, 3), k.Conv2D(3, 1, name="f"), outer)


def block_twice(k: Kit):
    block = k.model(*ends(k, (5,), k.Dense(4, name="f"), k.bn()), name="m")
    a, b = k.input(5), k.input(5)
    return k.model([a, b], k.Add()([block(a), block(b)]))


def shared(k: Kit, layer, *, norms: bool):
    """One layer called on two inputs, with a batch norm for each call or one for both."""
    a, b = k.input(5), k.input(5)
    first, second = layer(a), layer(b)
    one = k.bn("p")
    other = k.bn("q") if norms else one
    return k.model([a, b], [one(first), other(second)])


def half_normalised(k: Kit):
    layer, a, b = k.Dense(4, name="f"), k.input(5), k.input(5)
    return k.model([a, b], [k.bn("p")(layer(a)), layer(b)])


def two_layers_one_norm(k: Kit, activation=None):
    norm, a = k.bn("p"), k.input(5)
    f, g = k.Dense(4, name="f"), k.Dense(4, activation=activation, name="g")
    return k.model(a, [norm(f(a)), norm(g(a))])


def crossed(k: Kit):
    """The same map, once along the last axis and once along the one before."""
    inputs, norm = k.input(4, 4), k.bn()
    tensor = k.Dense(4, name="f")(inputs)
    return k.model(inputs, k.Add()([norm(tensor), norm(k.Permute((2, 1))(tensor))]))


def with_another_model(k: Kit):
    inputs = k.input(5)
    tensor = k.Dense(4, name="f")(inputs)
    k.model(inputs, k.Activation("tanh")(tensor))
    return k.model(inputs, k.bn()(tensor))


def doubly(k: Kit):
    inputs = k.input(5)
    tensor = k.Dense(4, name="f")(inputs)
    return k.model(inputs, [tensor, k.bn()(tensor)])


def out_and_on(k: Kit):
    inputs = k.input(5)
    tensor = k.bn()(k.Dense(4, name="f")(inputs))
    return k.model(inputs, [k.Activation("tanh")(tensor), tensor])


def reversed_outputs(k: Kit):
    inputs = k.input(5)
    a = k.bn("p")(k.Dense(4, name="f")(inputs))
    b = k.bn("q")(k.Dense(3, name="g")(a))
    return k.model(inputs, [b, a])


def dictionaries(k: Kit):
    a, b = k.input(5, name="a"), k.input(5, name="b")
    outputs = {
        "second": k.bn("p")(k.Dense(4, name="f")(a)),
        "first": k.bn("q")(k.Dense(4, name="g")(b)),
    }
    return k.model({"b": b, "a": a}, outputs)


def twice(k: Kit):
    inputs = k.input(5)
    tensor = k.bn()(k.Dense(4, name="f")(inputs))
    return inputs, [tensor, tensor]


def enclosed(k: Kit, *, training: bool):
    block = k.model(*ends(k, (5,), k.Dense(4, name="f"), k.bn()), name="m")
    return k.chain((5,), lambda x: k.model(*ends(k, (5,), block), name="n")(x, training=training))


def masked(k: Kit, *layers):
    return k.chain((6,), k.Embedding(5, 4, mask_zero=True, name="f"), *layers, dtype="int32")


def padded_class(k: Kit):
    class Conv2D(k.keras.layers.Conv2D):
        """Bears Keras's name, and pads with ones."""

        def call(self, inputs):
            return super().call(inputs) ** 2

    return Conv2D


def odd_norm(k: Kit):
    class OddNorm(k.keras.layers.BatchNormalization):
        def call(self, inputs, training=None, mask=None):
            return inputs * 2

    return OddNorm


def quantized(k: Kit, layer):
    model = k.chain((8,), layer, k.bn())
    layer.quantize("int8")
    return model


def lora(k: Kit, layer):
    model = k.chain((8,), layer, k.bn())
    layer.enable_lora(2)
    return model


NESTING = [
    Case(
        "batch norm outside, convolution inside",
        lambda k: nested(k, [k.Conv2D(4, 3, name="f")], [k.bn()]),
        "bn>m/f",
        "Conv2D",
    ),
    Case(
        "convolution outside, batch norm inside",
        lambda k: nested(k, [k.bn()], [], first=[k.Conv2D(3, 3, padding="same", name="f")]),
        "m/bn>f",
        "Conv2D",
    ),
    Case(
        "two levels",
        deep,
        "outer/inner/bn>f",
        "Conv2D Activation",
    ),
    Case(
        "Sequential in Functional",
        lambda k: k.chain(
            (6, 6, 3),
            sequential(k, k.input(6, 6, 3), k.Conv2D(4, 3, name="f"), name="m"),
            k.bn(),
        ),
        "bn>m/f",
        "Conv2D",
    ),
    Case(
        "Functional in Sequential",
        lambda k: sequential(
            k,
            k.input(6, 6, 3),
            k.model(*ends(k, (6, 6, 3), k.Conv2D(4, 3, name="f")), name="m"),
            k.bn(),
            k.ReLU(),
        ),
        "bn>m/f",
        "Conv2D ReLU",
    ),
    Case(
        "Sequential",
        lambda k: sequential(
            k,
            k.input(6, 6, 3),
            k.Conv2D(4, 3, name="f"),
            k.bn(),
            k.Dropout(0.1, name="d"),
            k.ReLU(),
        ),
        "bn>f",
        "Conv2D ReLU",
        removed="d",
    ),
    Case(
        "a block called twice",
        block_twice,
        "m/bn>m/f",
        "Dense Dense Add",
    ),
]


SHARING = [
    Case(
        "a shared layer, a batch norm for each call",
        lambda k: shared(k, k.Dense(4, name="f"), norms=True),
        "p!shared-layer@f q!shared-layer@f",
        "Dense Dense BatchNormalization BatchNormalization",
    ),
    Case(
        "a shared layer, a shared batch norm",
        lambda k: shared(k, k.Dense(4, name="f"), norms=False),
        "p>f",
        "Dense Dense",
    ),
    Case(
        "a shared layer, one call without batch norm",
        half_normalised,
        "p!shared-layer@f",
        "Dense Dense BatchNormalization",
    ),
    Case(
        "a shared batch norm behind different layers",
        two_layers_one_norm,
        "p>f+g",
        "Dense Dense",
    ),
    Case(
        "a shared batch norm, one call of which cannot",
        lambda k: two_layers_one_norm(k, activation="relu"),
        "p!activation@g",
        "Dense Dense BatchNormalization BatchNormalization",
    ),
    Case(
        "a shared batch norm along two axes of one value",
        crossed,
        "bn!several-consumers@f",
        "Dense BatchNormalization Permute BatchNormalization Add",
    ),
    Case(
        "nodes of other models are no consumers",
        with_another_model,
        "bn>f",
        "Dense",
    ),
]


ENDS = [
    Case(
        "the convolution's output is an output too",
        doubly,
        "bn!model-output@f",
        "Dense BatchNormalization",
    ),
    Case(
        "the batch norm's output is an output and used",
        out_and_on,
        "bn>f",
        "Dense Activation",
    ),
    Case(
        "outputs in another order than layers",
        reversed_outputs,
        "p>f q>g",
        "Dense Dense",
    ),
    Case(
        "dictionaries",
        dictionaries,
        "p>f q>g",
        "Dense Dense",
    ),
    Case(
        "an output twice",
        lambda k: k.model(*twice(k)),
        "bn>f",
        "Dense",
    ),
    Case(
        "a batch norm alone",
        lambda k: k.chain((5,), k.bn()),
        "bn!model-output@bn",
        "BatchNormalization",
    ),
    Case(
        "unknown sizes",
        lambda k: k.chain((None, None, 3), k.Conv2D(4, 3, name="f"), k.bn()),
        "bn>f",
        "Conv2D",
    ),
]


def test_dictionaries_stay_dictionaries(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    model = dictionaries(kit)
    result = fold(model)
    given = {name: np.ones((2, 5)) for name in "ab"}
    assert set(result.model(given)) == {"first", "second"}
    assert list(result.model.output_names) == list(model.output_names)


MASKS = [
    Case(
        "a constant ends a mask",
        lambda k: masked(k, lambda x: x * 2.0, k.LSTM(3)),
        "M!mask@M",
        "Embedding multiply LSTM",
    ),
    Case(
        "batch norm passes a mask on",
        lambda k: masked(k, k.bn(), k.LSTM(3)),
        "bn>f",
        "Embedding LSTM",
    ),
    Case(
        "a mask of what is concatenated",
        lambda k: masked(
            k,
            lambda x: k.Concatenate()([k.bn()(k.Activation("tanh")(x)), k.Dense(2)(x)]),
            k.LSTM(3, name="g"),
        ),
        "bn>g",
        "Embedding Activation Dense Concatenate LSTM",
    ),
    Case(
        "a mean over what the mask leaves",
        lambda k: masked(k, k.GlobalAveragePooling1D(), k.bn()),
        "bn>f",
        "Embedding GlobalAveragePooling1D",
    ),
    Case(
        "masked attention",
        lambda k: masked(k, lambda x: k.MultiHeadAttention(2, 3, name="g")(x, x), k.bn()),
        "bn>g",
        "Embedding MultiHeadAttention",
    ),
]


@matrix(*MASKS)
def test_masks(case: Case, kit: Kit) -> None:
    """M stands for an operation, which has no name of its own."""
    from pytest_layercount import read_graph

    layers = read_graph(case.build(kit)).layers
    names = [layer.path for layer in layers if layer.operation == "multiply"]
    kit.keras.backend.clear_session()
    expected = case.expected.replace("M", *names) if names else case.expected
    check(Case(case.name, case.build, expected, case.left), kit)


FLAGS = [
    Case(
        "called with training=True",
        lambda k: k.chain((5,), k.Dense(4, name="f"), lambda x: k.bn()(x, training=True)),
        "bn!training-call@bn",
        "Dense BatchNormalization",
    ),
    Case(
        "called with training=False",
        lambda k: k.chain((5,), k.Dense(4, name="f"), lambda x: k.bn()(x, training=False)),
        "bn>f",
        "Dense",
    ),
    Case(
        "frozen and called with training=True",
        lambda k: k.chain(
            (5,), k.Dense(4, name="f"), lambda x: k.bn(trainable=False)(x, training=True)
        ),
        "bn>f",
        "Dense",
    ),
    Case(
        "a model called with training=True",
        lambda k: k.chain(
            (5,),
            lambda x: k.model(*ends(k, (5,), k.Dense(4, name="f"), k.bn()), name="m")(
                x, training=True
            ),
        ),
        "m/bn!training-call@m/bn",
        "Dense BatchNormalization",
    ),
    Case(
        "what training does not change, in a model called with training=True",
        lambda k: k.chain(
            (5,),
            lambda x: k.model(
                *ends(k, (5,), k.Dense(4, name="f"), k.Rescaling(2, 1, name="r")), name="m"
            )(x, training=True),
        ),
        "m/r>m/f",
        "Dense",
    ),
    Case(
        "a model in a model called with training=True",
        lambda k: enclosed(k, training=True),
        "n/m/bn!training-call@n/m/bn",
        "Dense BatchNormalization",
    ),
    Case(
        "a model in a model called with training=False",
        lambda k: enclosed(k, training=False),
        "n/m/bn>n/m/f",
        "Dense",
    ),
    Case(
        "a layer called with training=True is no obstacle",
        lambda k: k.chain((5,), lambda x: k.Dense(4, name="f")(x, training=True), k.bn()),
        "bn>f",
        "Dense",
        needs=3,
        training=False,  # else Keras 3 trains what comes after it
    ),
]


def test_dropout_called_with_training_stays(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    model = kit.chain(
        (5,),
        kit.Dense(4, name="f"),
        lambda x: kit.Dropout(0.5, name="d")(x, training=True),
        kit.bn(),
    )
    result = fold(model)
    assert not result.removed
    assert [no.reason for no in result.refusals] == ["training-call"]
    assert [no.blocker for no in result.refusals] == ["d"]


def test_frozen_layers_regularizers_and_constraints_are_kept(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    layer = kit.Conv2D(4, 3, kernel_regularizer="l2", bias_constraint="non_neg", name="f")
    model = kit.chain((6, 6, 3), layer, kit.bn(), kit.ReLU(name="r"))
    layer.trainable = False
    before = snapshot(model)
    kept = fold(model).model.get_layer("f")
    assert not kept.trainable
    assert kept.kernel_regularizer is not None
    assert kept.bias_constraint is not None
    assert unchanged(before, snapshot(model))


@pytest.mark.parametrize("trainable", [True, False])
def test_a_plan_counts_what_trains_as_the_folded_model_does(kit: Kit, trainable: bool) -> None:
    from pytest_layercount.folding import fold, plan_fold
    from pytest_layercount.model.count import count_graph

    layer = kit.Dense(4, use_bias=False, name="f")
    bare = kit.bn("b2", center=False, scale=False)
    model = kit.chain((6,), layer, kit.bn("b0"), kit.ReLU(name="r"), kit.bn("b1"), bare)
    layer.trainable = bare.trainable = trainable
    planned = count_graph(plan_fold(model).graph)
    assert (planned.parameters, planned.trainable_parameters) == (44, 36 if trainable else 0)
    after = fold(model).after
    assert after.trainable_parameters == planned.trainable_parameters
    assert after.parameters == planned.parameters


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
def test_policies(policy: str, kit: Kit) -> None:
    def build(k: Kit):
        layers = [k.Conv2D(4, 3, dtype=policy, name="f"), k.bn(dtype=policy), k.ReLU(dtype=policy)]
        return k.chain((6, 6, 3), *layers)

    tolerance = {"mixed_float16": 4e-3, "mixed_bfloat16": 4e-2, "float32": 1e-5}[policy]
    case = Case(policy, build, "bn>f", "Conv2D ReLU", tolerance=tolerance, floatx="float32")
    check(case, kit)


def test_mixed_types_are_refused(kit: Kit) -> None:
    def build(k: Kit):
        layers = [k.Dense(4, dtype="float32", name="f"), k.bn(dtype="float64")]
        return k.chain((5,), *layers)

    expected, left = "bn!data-type@bn", "Dense BatchNormalization"
    # A layer of Keras 3.3 overwrites the type of the tensor that it reads.
    case = Case("types", build, expected, left, tolerance=1e-6, unless=(3, 3))
    check(case, kit)


@matrix(*NESTING)
def test_nesting(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*SHARING)
def test_sharing(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*ENDS)
def test_ends(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*FLAGS)
def test_flags(case: Case, kit: Kit) -> None:
    check(case, kit)


def talkative(k: Kit):
    class Talkative(k.keras.layers.Layer):
        def __init__(self, power=2, **kwargs):
            super().__init__(**kwargs)
            self.power = power

        def call(self, inputs):
            return inputs**self.power

        def get_config(self):
            return {**super().get_config(), "power_squared": self.power**2}

    return Talkative


def gated(k: Kit):
    class Gated(k.keras.layers.Layer):
        def call(self, inputs, gate=None, power=1):
            return inputs * gate**power

    inputs = k.input(5)
    gate = k.bn()(k.Dense(4, name="f")(inputs))
    return k.model(inputs, Gated(name="o")(k.Dense(4)(inputs), gate=gate, power=2))


CUSTOM = [
    Case(
        "a tensor in a keyword argument",
        gated,
        "bn>f",
        "Dense Dense Gated",
    ),
    Case(
        "a configuration that its own class does not take",
        lambda k: k.chain((5,), k.Dense(4, name="f"), k.bn(), talkative(k)(3, name="o")),
        "bn>f",
        "Dense Talkative",
        needs=3,
    ),
    Case(
        "a subclass that overrides call",
        lambda k: k.chain((6, 6, 3), padded_class(k)(4, 3, name="f"), k.bn()),
        "bn!unknown-layer@f",
        "Conv2D BatchNormalization",
    ),
    Case(
        "a batch norm with a call of its own",
        lambda k: k.chain((5,), k.Dense(4, name="f"), odd_norm(k)(name="o"), k.bn()),
        "bn!unknown-layer@o o!own-class@o",
        "Dense OddNorm BatchNormalization",
    ),
    Case(
        "a Lambda",
        lambda k: k.chain((5,), k.Dense(4), k.Lambda(lambda x: x * 2, name="o"), k.bn()),
        "bn!no-rule@o",
        "Dense Lambda BatchNormalization",
    ),
]


@matrix(*CUSTOM)
def test_custom(case: Case, kit: Kit) -> None:
    check(case, kit)


SEALED = [
    Case(
        "quantized",
        lambda k: quantized(k, k.Dense(4, name="f")),
        "bn!quantized@f",
        "Dense BatchNormalization",
        needs=3,
        floatx="float32",
        tolerance=1e-5,
    ),
    Case(
        "LoRA",
        lambda k: lora(k, k.Dense(4, name="f")),
        "bn!lora@f",
        "Dense BatchNormalization",
        needs=3,
        floatx="float32",
        tolerance=1e-5,
    ),
]


@matrix(*SEALED)
def test_sealed(case: Case, kit: Kit) -> None:
    check(case, kit)


def test_a_layer_quantized_to_float8_stays_as_it_is(kit: Kit) -> None:
    """The copy makes its weights in another order than quantizing did."""
    if kit.generation == 2:
        pytest.skip("needs Keras 3")
    from pytest_layercount.folding import fold

    layer = kit.Dense(4, name="f", dtype="float32")
    model = kit.chain((8,), layer, kit.bn(dtype="float32"))
    layer.quantize("float8")
    randomise(model, 1, (0.1, 1.0))
    result = fold(model)
    assert [no.reason for no in result.refusals] == ["quantized"]
    for weight in layer.weights:
        copied = next(
            each for each in result.model.get_layer("f").weights if each.name == weight.name
        )
        assert np.array_equal(copied.numpy(), weight.numpy()), weight.name


def test_a_variable_in_an_operation_is_not_shared(kit: Kit) -> None:
    import tensorflow as tf

    from pytest_layercount.folding import fold

    factor = tf.Variable(np.arange(4.0))
    folded = fold(kit.chain((5,), kit.Dense(4, activation="tanh"), lambda x: x * factor)).model
    before = np.asarray(folded(np.ones((1, 5))))
    factor.assign(factor * 2)
    assert np.array_equal(np.asarray(folded(np.ones((1, 5)))), before)


def test_parts_that_are_quantized_or_lora_seal_the_whole(kit: Kit) -> None:
    if kit.version < (3, 14):
        pytest.skip("needs Keras 3.14")
    from pytest_layercount.errors import ModelError
    from pytest_layercount.folding import fold, plan_fold

    kit.keras.backend.set_floatx("float32")
    layer = kit.MultiHeadAttention(2, 3, name="f")
    model = kit.chain((6, 8), lambda x: layer(x, x), kit.bn())
    layer._output_dense.enable_lora(2)
    assert [no.reason for no in plan_fold(model).refusals] == ["lora"]
    with pytest.raises(ModelError, match=r"its variables are .* LoRA"):
        fold(model)  # Keras writes LoRA weights of parts into no configuration


def test_tied_weights_seal(kit: Kit) -> None:
    from pytest_layercount.folding import plan_fold

    a, b = kit.Dense(4, name="a"), kit.Dense(4, name="b")
    model = kit.chain((4,), a, kit.bn(), kit.Activation("tanh"), b)
    if kit.generation == 3:
        b._tracker.unlock()
        b._kernel = a._kernel
    else:
        b._trainable_weights[0] = b.kernel = a.kernel
    assert [no.reason for no in plan_fold(model).refusals] == ["tied"]


def test_a_wrong_call_of_nothing_else(kit: Kit) -> None:
    """One layer that cannot fold never stops the others."""

    def build(k: Kit):
        layers = [k.Dense(4, name="f"), k.bn("a"), k.Activation("tanh", name="t"), k.bn("b")]
        return k.chain(
            (5,), *layers, k.Activation("tanh", name="u"), k.Dense(3, name="g"), k.bn("c")
        )

    expected = "a>f b!nonlinear@t c>g"
    check(
        Case("others", build, expected, "Dense Activation BatchNormalization Activation Dense"), kit
    )


def test_a_chain_of_two_thousand_layers(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    inputs = tensor = kit.input(2)
    for _ in range(700):
        tensor = kit.ReLU()(kit.BatchNormalization()(kit.Dense(2)(tensor)))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)  # Keras itself recurses
    model = kit.model(inputs, tensor)
    sys.setrecursionlimit(limit)
    assert len(fold(model).folds) == 700


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_weights(bad: float, kit: Kit) -> None:
    from pytest_layercount.folding import fold

    layer, norm = kit.Dense(4, name="f"), kit.bn()
    model = kit.chain((5,), layer, norm)
    layer.bias.assign(np.full(4, bad))
    assert [(no.reason, no.blocker) for no in fold(model).refusals] == [("non-finite", "f")]
    layer.bias.assign(np.zeros(4))
    norm.gamma.assign(np.full(4, bad))
    assert [(no.reason, no.blocker) for no in fold(model).refusals] == [("non-finite", "bn")]


def test_a_float16_kernel_must_stay_finite(kit: Kit) -> None:
    from pytest_layercount.folding import fold

    layer, norm = kit.Dense(4, dtype="float16", name="f"), kit.bn(dtype="float16")
    model = kit.chain((5,), layer, norm, dtype="float16")
    norm.gamma.assign(np.full(4, 30000.0))
    norm.moving_variance.assign(np.full(4, 1e-3))
    assert [(no.reason, no.blocker) for no in fold(model).refusals] == [("overflow", "f")]


def test_a_layer_inside_that_ends_a_mask_from_outside_stays(kit: Kit) -> None:
    """Without it the LSTM behind it would skip the padding."""
    from pytest_layercount import fold

    start = kit.input(5, 4)
    ended = kit.ZeroPadding1D(0, name="z")(kit.Conv1D(3, 1, name="f")(start))
    block = kit.model(start, kit.LSTM(3, name="l")(kit.bn("n")(ended)), name="m")
    entry = kit.keras.Input((5,), dtype="int32")
    model = kit.model(entry, block(kit.Embedding(5, 4, mask_zero=True, name="e")(entry)))
    randomise(model, 0, (0.5, 2.0))
    result = fold(model)
    numbers = np.random.default_rng(0).integers(0, 5, (3, 5)).astype("int32")
    ours, theirs = (np.asarray(each(numbers, training=False)) for each in (model, result.model))
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5)
