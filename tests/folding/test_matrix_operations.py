"""Raw operations and what Keras has beside its layers: maps on their way through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.folding.harness import Case, Kit, check, matrix


def ops(k: Kit) -> Any:
    """``keras.ops``, and in Keras 2 TensorFlow itself."""
    if k.generation == 3:
        return k.keras.ops
    import tensorflow as tf

    return tf


def mean(k: Kit, x, axis, **kwargs):
    return (ops(k).mean if k.generation == 3 else ops(k).reduce_mean)(x, axis=axis, **kwargs)


def largest(k: Kit, x, axis):
    return (ops(k).max if k.generation == 3 else ops(k).reduce_max)(x, axis=axis)


def joined(k: Kit, xs, axis):
    if k.generation == 3:
        return ops(k).concatenate(xs, axis=axis)
    return ops(k).concat(xs, axis)


def after(name: str, function, left: str, expected="bn>f", shape=(4, 6), end=None, **given) -> Case:
    """A dense layer, the operation, a batch norm (or ``end``)."""

    def build(k: Kit):
        inputs = k.input(*shape)
        tensor = function(k, k.Dense(3, name="f")(inputs))
        return k.model(inputs, (k.bn() if end is None else end(k))(tensor))

    return Case(name, build, expected, f"Dense {left}", **given)


def before(name: str, function, left: str, expected="bn>f", shape=(4, 6), **given) -> Case:
    """A batch norm, the operation, a dense layer."""

    def build(k: Kit):
        inputs = k.input(*shape)
        return k.model(inputs, k.Dense(3, name="f")(function(k, k.bn(**given)(inputs))))

    return Case(name, build, expected, f"{left} Dense")


def scaled_product(k: Kit, function, name="s"):
    inputs = k.input(4, 6)
    query, key = k.Dense(3, name="f")(inputs), k.Dense(3, name="g")(inputs)
    tensor = k.Rescaling(0.25, name=name)(function(k, query, key))
    return k.model(inputs, k.Softmax()(tensor))


def transposed(k: Kit, x):
    return k.Permute((2, 1))(x)


def two(k: Kit, axis, end):
    inputs = k.input(4, 6)
    tensor = joined(k, [k.Dense(3, name="f")(inputs), k.Dense(3, name="g")(inputs)], axis)
    return k.model(inputs, end(tensor))


def split(k: Kit, x, sizes, axis):
    """In parts of these sizes; Keras 3 names the places between them instead."""
    if k.generation == 3:
        return ops(k).split(x, [sum(sizes[: place + 1]) for place in range(len(sizes) - 1)], axis)
    return ops(k).split(x, sizes, axis)


def parted(k: Kit, sizes, axis):
    inputs = k.input(4, 6)
    a, b = split(k, k.bn()(inputs), sizes, axis)
    return k.model(
        inputs, k.Concatenate(axis=1)([k.Dense(3, name="f")(a), k.Dense(3, name="g")(b)])
    )


def whole(k: Kit, *layers):
    """A split into one part, which stands for ``split`` among ``layers``."""
    x = inputs = k.input(4, 6)
    for layer in layers:
        x = ops(k).split(x, 1, 2)[0] if layer == "split" else layer(x)
    return k.model(inputs, x)


def after_a_part(k: Kit):
    inputs = k.input(4, 6)
    a, b = split(k, k.Dense(6, name="f")(inputs), [3, 3], 2)
    return k.model(inputs, [k.bn()(a), k.ReLU()(b)])


def quotient(k: Kit, end):
    inputs = k.input(4, 6)
    over = k.Dense(3, activation="softplus")(inputs)
    return k.model(inputs, end(k.Dense(3, name="f")(inputs) / over))


def shaped(k: Kit):
    """What reads only the shape of a tensor does not mind what is in it."""
    inputs = k.input(4, 6)
    tensor = k.bn()(inputs)
    zeros = k.Dense(3)(ops(k).zeros_like(tensor))
    return k.model(inputs, k.Add()([k.Dense(3, name="f")(tensor), zeros]))


def halves(k: Kit):
    inputs = k.input(5, 6)
    tensor = k.bn()(inputs)
    left = k.Dense(3, name="f")(tensor[..., :2])
    return k.model(inputs, k.Add()([left, k.Dense(3, name="g")(tensor[:, :, 2:])]))


OPERATIONS = [
    after("mean over positions", lambda k, x: mean(k, x, 1), "M"),
    after("mean, dimensions kept", lambda k, x: mean(k, x, [1], keepdims=True), "M"),
    after(
        "mean over the channels",
        lambda k, x: mean(k, x, -1),
        "M BatchNormalization",
        "bn!channel-axis@f",
    ),
    before("mean of normalized positions", lambda k, x: mean(k, x, (1,)), "M"),
    before(
        "mean over the normalized axis",
        lambda k, x: mean(k, x, 1),
        "BatchNormalization M",
        "bn!channel-axis@mean",
        axis=1,
    ),
    after("largest", lambda k, x: largest(k, x, 1), "X", "bn>f", end=lambda k: k.bn(scale=False)),
    after(
        "largest, a negative scale",
        lambda k, x: largest(k, x, 1),
        "X Rescaling",
        "r!scale-negative@max",
        end=lambda k: k.Rescaling(-0.5, name="r"),
    ),
    after("one position", lambda k, x: x[:, 0], "get_item"),
    after("every other position", lambda k, x: x[:, 1:-1:2], "get_item"),
    after("a new axis", lambda k, x: x[:, None], "get_item"),
    after(
        "some channels",
        lambda k, x: x[..., :2],
        "get_item BatchNormalization",
        "bn!channel-axis@get_item",
    ),
    before("the first position, normalized", lambda k, x: x[:, 0], "get_item"),
    before("some normalized channels", lambda k, x: x[..., 1:4], "get_item"),
    Case("normalized channels in halves", halves, "bn>f+g", "get_item get_item Dense Dense Add"),
    Case(
        "split along the channels",
        lambda k: parted(k, [4, 2], 2),
        "bn>f+g",
        "split Dense Dense Concatenate",
    ),
    Case(
        "split along the positions",
        lambda k: parted(k, [1, 3], 1),
        "bn>f+g",
        "split Dense Dense Concatenate",
    ),
    Case(
        "after the whole",
        lambda k: whole(k, k.Dense(6, name="f"), "split", k.bn()),
        "bn>f",
        "Dense split",
    ),
    Case(
        "before the whole",
        lambda k: whole(k, k.bn(), "split", k.Dense(3, name="f")),
        "bn>f",
        "split Dense",
    ),
    Case(
        "after a part",
        after_a_part,
        "bn!several-consumers@split",
        "Dense split BatchNormalization ReLU",
    ),
    Case(
        "a scaled quotient",
        lambda k: quotient(k, k.Rescaling(-0.3, name="r")),
        "r>f",
        "Dense Dense divide",
    ),
    Case(
        "a normalized quotient",
        lambda k: quotient(k, k.bn()),
        "bn!shift-not-zero@div",
        "Dense Dense divide BatchNormalization",
    ),
    Case("zeros like it", shaped, "bn>f", "zeros_like Dense Dense Add"),
    Case("concatenated", lambda k: two(k, -1, k.bn()), "bn>f+g", "Dense Dense C"),
    Case("concatenated positions", lambda k: two(k, 1, k.bn()), "bn>f+g", "Dense Dense C"),
    after(
        "concatenated with a constant",
        lambda k, x: joined(k, [x, ops(k).ones((3, 4, 2))], -1),
        "C BatchNormalization",
        "bn!unknown-shape@concat",
        needs=3,
    ),
    Case(
        "a scaled matrix product",
        lambda k: scaled_product(k, lambda k, q, v: ops(k).matmul(q, transposed(k, v))),
        "s>f",
        "Dense Dense Permute matmul Softmax",
    ),
    Case(
        "a scaled sum of products",
        lambda k: scaled_product(k, lambda k, q, v: ops(k).einsum("bqd,bkd->bqk", q, v)),
        "s>f",
        "Dense Dense einsum Softmax",
    ),
    Case(
        "a scaled Dot",
        lambda k: scaled_product(k, lambda k, q, v: k.Dot(axes=2)([q, v])),
        "s>f",
        "Dense Dense Dot Softmax",
    ),
    Case(
        "a normalized Dot",
        lambda k: scaled_product(
            k, lambda k, q, v: k.Dot(axes=2, normalize=True, name="d")([q, v])
        ),
        "s!nonlinear@d",
        "Dense Dense Dot Rescaling Softmax",
    ),
    after(
        "a normalized product",
        lambda k, x: ops(k).matmul(x, transposed(k, x)),
        "Permute matmul BatchNormalization",
        "bn!channel-axis@matmul",
    ),
    after("a sign", lambda k, x: -x, "", "N>f bn>f"),
    Case(
        "images enlarged and cropped",
        lambda k: k.chain((6, 6, 3), k.Conv2D(3, 1, name="f"), k.CenterCrop(4, 4), k.bn()),
        "bn>f",
        "Conv2D CenterCrop",
        training=False,  # else Keras 3.15 trains what comes after preprocessing
    ),
    after("absolute values", lambda k, x: abs(x), "A BatchNormalization", "bn!no-rule@absolute"),
]


@matrix(*OPERATIONS)
def test_operations(case: Case, kit: Kit) -> None:
    """Names and types of operations are those of the Keras at hand."""
    check(_here(case, kit), kit)


def _here(case: Case, kit: Kit) -> Case:
    from dataclasses import replace

    from pytest_layercount import read_graph
    from tests.folding.harness import skip_unless

    skip_unless(case, kit)
    layers = read_graph(case.build(kit)).layers
    kit.keras.backend.clear_session()
    two = kit.generation == 2
    types = {"M": "mean", "X": "max", "C": "concatenate", "A": "absolute", "N": "negative"}
    if two:
        types |= {"M": "reduce_mean", "X": "reduce_max", "C": "concat", "A": "abs"}
    paths = {layer.operation: layer.path for layer in layers if layer.operation}
    expected = case.expected
    for name in ("mean", "max", "absolute", "concat", "get_item", "matmul", "split", "div"):
        real = next((path for kind, path in paths.items() if name[:3] in kind), name)
        expected = expected.replace(f"@{name}", f"@{real}")
    expected = expected.replace("N>", f"{paths.get('negative', 'N')}>")
    left = " ".join(types.get(word, word) for word in case.left.split())
    return replace(case, expected=expected, left=left)


def test_operations_of_later_models_keep_their_arguments(kit: Kit) -> None:
    """TensorFlow rewrites a function that is first called where autograph is off."""
    if kit.generation != 2:
        pytest.skip("Keras 2 saves operations by TensorFlow's functions")
    import tensorflow as tf

    from pytest_layercount.folding import fold

    def build() -> Any:
        entry = kit.input(6, 6, 3)
        x = kit.bn()(kit.Conv2D(4, 3, name="f")(entry))
        return kit.model(entry, 1.0 - x[:, 1:])

    folded = fold(build()).model
    tf.function(folded, autograph=False)(np.ones((1, 6, 6, 3)))
    saved = build().to_json()
    assert '"y": [' in saved
    assert '"slice_spec"' in saved


def test_a_fold_that_follows_an_uncertain_one_is_uncertain(kit: Kit) -> None:
    from pytest_layercount import plan_fold

    normalization = kit.Normalization(axis=None, mean=0.5, variance=2.0, name="n")
    dense = kit.Dense(4, activation="relu", name="f")
    model = kit.chain((3,), dense, normalization, lambda x: x * 2.0)
    conditions = [fold.condition for fold in plan_fold(model).folds]
    assert conditions == ["its shift is zero", "n folds"]
    assert not plan_fold(model, resolve=True).folds


def test_a_fold_across_the_place_of_an_uncertain_one_is_uncertain(kit: Kit) -> None:
    from pytest_layercount import plan_fold

    column = np.array([[-0.2], [0.2]])
    model = kit.chain(
        (2, 3),
        kit.Activation("tanh"),
        kit.bn("first", axis=1),
        kit.Normalization(axis=-1, mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0], name="n"),
        lambda x: x * column,
        kit.bn("last"),
    )
    uncertain = [(fold.into, fold.condition) for fold in plan_fold(model).folds]
    assert uncertain == [(("last",), "its shift is zero"), (("first",), "n folds")]
    assert not plan_fold(model, resolve=True).folds
