"""Normalizations, embeddings, attention, einsum layers, and layers in time."""

from __future__ import annotations

from tests.folding.harness import Case, Kit, check, matrix


def attention(k: Kit, *after, **kwargs):
    inputs = k.input(6, 8)
    layer = k.MultiHeadAttention(2, 3, name="f", **kwargs)
    tensor = layer(inputs, inputs)
    for each in after:
        tensor = each(tensor)
    return k.model(inputs, tensor)


def einsum(k: Kit, equation: str, shape, output, *, bias: str | None, before: bool, axis=-1):
    layer = k.EinsumDense(equation, output, bias_axes=bias, name="f")
    norm = k.bn(axis=axis)
    return k.chain(shape, *((norm, layer) if before else (layer, norm)))


def einsums(name: str, *args, expected="bn>f", **kwargs) -> list[Case]:
    return [
        Case(
            f"{name}, {'before' if before else 'after'}",
            lambda k, before=before: einsum(k, *args, before=before, **kwargs),
            expected,
            "EinsumDense" if expected == "bn>f" else "EinsumDense BatchNormalization",
        )
        for before in (False, True)
    ]


def with_scores(k: Kit, *, of=0):
    inputs = k.input(6, 8)
    both = k.MultiHeadAttention(2, 3, name="f")(inputs, inputs, return_attention_scores=True)
    return k.model(inputs, [k.bn()(both[of]), both[1 - of]])


def of_three(k: Kit):
    query, value, key = k.input(5, 8), k.input(6, 8), k.input(6, 8)
    made = k.MultiHeadAttention(2, 3, name="f")(
        k.bn("p")(query), k.bn("q")(value), key=k.bn("r")(key)
    )
    return k.model([query, value, key], made)


def of_memory(k: Kit):
    query, value = k.input(5, 8), k.input(6, 8)
    return k.model(
        [query, value], k.MultiHeadAttention(2, 3, name="f")(query=query, value=k.bn()(value))
    )


def in_time(k: Kit, *layers, shape=(5, 6, 6, 3), **kwargs):
    wrapped = [
        k.TimeDistributed(layer, name=f"t_{layer.name}") if wrap else layer
        for wrap, layer in layers
    ]
    return k.chain(shape, *wrapped, **kwargs)


NORMALIZING = [
    Case(
        "LayerNormalization",
        lambda k: k.chain((4, 5), k.LayerNormalization(name="f"), k.bn()),
        "bn>f",
        "LayerNormalization",
    ),
    Case(
        "LayerNormalization without weights",
        lambda k: k.chain((5,), k.LayerNormalization(center=False, scale=False, name="f"), k.bn()),
        "bn>f",
        "LayerNormalization",
    ),
    Case(
        "LayerNormalization without center, scale alone",
        lambda k: k.chain(
            (5,), k.LayerNormalization(center=False, name="f"), k.Rescaling(0.3, name="bn")
        ),
        "bn>f",
        "LayerNormalization",
    ),
    Case(
        "LayerNormalization over several axes",
        lambda k: k.chain((3, 4, 5), k.LayerNormalization(axis=[1, 3], name="f"), k.bn()),
        "bn>f",
        "LayerNormalization",
    ),
    Case(
        "LayerNormalization over unsorted axes, without center",
        lambda k: k.chain(
            (3, 4, 5), k.LayerNormalization(axis=[3, 1], center=False, name="f"), k.bn(axis=1)
        ),
        "bn>f",
        "LayerNormalization",
    ),
    Case(
        "LayerNormalization over another axis",
        lambda k: k.chain((4, 5), k.LayerNormalization(axis=1, name="f"), k.bn()),
        "bn!channel-axis@f",
        "LayerNormalization BatchNormalization",
    ),
    Case(
        "LayerNormalization, uniform map",
        lambda k: k.chain(
            (3, 4, 5), k.LayerNormalization(axis=[1, 2], name="f"), k.Rescaling(0.3, 1, name="bn")
        ),
        "bn>f",
        "LayerNormalization",
    ),
    Case(
        "before LayerNormalization",
        lambda k: k.chain((5,), k.bn(), k.LayerNormalization(name="f")),
        "bn!nonlinear@f",
        "BatchNormalization LayerNormalization",
    ),
    Case(
        "GroupNormalization",
        lambda k: k.chain((4, 4, 6), k.GroupNormalization(groups=2, name="f"), k.bn()),
        "bn>f",
        "GroupNormalization",
    ),
    Case(
        "GroupNormalization along axis 1 without weights",
        lambda k: k.chain(
            (6, 4, 4),
            k.GroupNormalization(groups=3, axis=1, center=False, scale=False, name="f"),
            k.bn(axis=1),
        ),
        "bn>f",
        "GroupNormalization",
    ),
    Case(
        "RMSNormalization, a scale",
        lambda k: k.chain((5,), k.RMSNormalization(name="f"), k.Rescaling(-0.3, name="bn")),
        "bn>f",
        "RMSNormalization",
        needs=(3, 9),
    ),
    Case(
        "RMSNormalization, a shift",
        lambda k: k.chain((5,), k.RMSNormalization(name="f"), k.bn()),
        "bn!no-bias@f",
        "RMSNormalization BatchNormalization",
        needs=(3, 9),
    ),
    Case(
        "UnitNormalization",
        lambda k: k.chain((5,), k.UnitNormalization(name="f"), k.bn()),
        "bn!nonlinear@f",
        "UnitNormalization BatchNormalization",
    ),
]

EMBEDDING = [
    Case(
        "Embedding",
        lambda k: k.chain((7,), k.Embedding(5, 4, name="f"), k.bn(), dtype="int32"),
        "bn>f",
        "Embedding",
    ),
    Case(
        "Embedding along the sequence",
        lambda k: k.chain((4,), k.Embedding(5, 4, name="f"), k.bn(axis=1), dtype="int32"),
        "bn!channel-axis@f",
        "Embedding BatchNormalization",
    ),
]


ATTENTION = [
    Case("MultiHeadAttention", lambda k: attention(k, k.bn()), "bn>f", "MultiHeadAttention"),
    Case(
        "MultiHeadAttention of another width",
        lambda k: attention(k, k.bn(), output_shape=(5,), value_dim=4),
        "bn>f",
        "MultiHeadAttention",
    ),
    Case(
        "MultiHeadAttention without bias",
        lambda k: attention(k, k.bn(), use_bias=False),
        "bn!no-bias@f",
        "MultiHeadAttention BatchNormalization",
    ),
    Case(
        "MultiHeadAttention without bias, a scale",
        lambda k: attention(k, k.Rescaling(-0.3, name="bn"), use_bias=False),
        "bn>f",
        "MultiHeadAttention",
    ),
    Case(
        "before MultiHeadAttention",
        lambda k: k.chain((6, 8), k.bn(), lambda x: k.MultiHeadAttention(2, 3, name="f")(x, x)),
        "bn>f",
        "MultiHeadAttention",
    ),
    Case(
        "before MultiHeadAttention with a key",
        lambda k: k.chain(
            (6, 8), k.bn(), lambda x: k.MultiHeadAttention(2, 3, name="f")(x, x, key=k.ReLU()(x))
        ),
        "bn!shift-not-zero@re_lu",
        "BatchNormalization ReLU MultiHeadAttention",
    ),
    Case("before each of query, value and key", of_three, "p>f q>f r>f", "MultiHeadAttention"),
    Case("before the value alone", of_memory, "bn>f", "MultiHeadAttention"),
    Case(
        "before MultiHeadAttention without bias",
        lambda k: k.chain(
            (6, 8), k.bn(), lambda x: k.MultiHeadAttention(2, 3, use_bias=False, name="f")(x, x)
        ),
        "bn!no-bias@f",
        "BatchNormalization MultiHeadAttention",
    ),
    Case(
        "a skip connection around attention",
        lambda k: k.chain(
            (6, 8),
            k.bn(),
            lambda x: k.Add(name="s")([x, k.MultiHeadAttention(2, 3, name="f")(x, x)]),
        ),
        "bn!scale-not-one@s",
        "BatchNormalization MultiHeadAttention Add",
    ),
    Case("with scores", with_scores, "bn>f", "MultiHeadAttention"),
    Case(
        "of scores",
        lambda k: with_scores(k, of=1),
        "bn!nonlinear@f",
        "MultiHeadAttention BatchNormalization",
    ),
    Case(
        "GroupQueryAttention",
        lambda k: k.chain((6, 8), lambda x: k.GroupQueryAttention(3, 4, 2, name="f")(x, x), k.bn()),
        "bn>f",
        "GroupedQueryAttention",
        needs=3,
    ),
    Case(
        "before GroupQueryAttention",
        lambda k: k.chain((6, 8), k.bn(), lambda x: k.GroupQueryAttention(3, 4, 2, name="f")(x, x)),
        "bn>f",
        "GroupedQueryAttention",
        needs=3,
    ),
]


EINSUM = [
    *einsums("dense", "ab,bc->ac", (4,), 5, bias="c"),
    *einsums("dense without bias", "ab,bc->ac", (4,), 5, bias=None),
    *einsums("ellipsis on the left", "...x,xy->...y", (3, 4), 5, bias="y"),
    *einsums("ellipsis on the left, without bias", "...x,xy->...y", (3, 2, 4), 5, bias=None),
    *einsums("two new axes", "abc,cde->abde", (3, 4), (3, 2, 5), bias="e"),
    *einsums("two new axes, without bias", "abc,cde->abde", (3, 4), (3, 2, 5), bias=None),
    *einsums("two axes summed", "abcd,cde->abe", (3, 2, 4), (3, 5), bias="e"),
    *einsums("an axis shared", "bhc,hcd->bhd", (2, 4), (2, 5), bias=None),
    *einsums("ordered otherwise", "abc,dc->abd", (3, 4), (3, 5), bias="bd"),
    *einsums("an axis summed by itself", "abc,cd->ad", (3, 4), 5, bias="d"),
    Case(
        "ellipsis on the right, after",
        lambda k: einsum(k, "ab...,bc->ac...", (4, 3), 5, bias="c", before=False, axis=1),
        "bn>f",
        "EinsumDense",
    ),
    Case(
        "ellipsis on the right, before, without bias",
        lambda k: einsum(k, "ab...,bc->ac...", (4, 3), 5, bias=None, before=True, axis=1),
        "bn>f",
        "EinsumDense",
    ),
    Case(
        "along an axis that is only carried",
        lambda k: einsum(k, "abc,cd->abd", (3, 4), (3, 3), bias="d", before=False, axis=1),
        "bn!channel-axis@f",
        "EinsumDense BatchNormalization",
    ),
    Case(
        "along the ellipsis",
        lambda k: einsum(k, "...x,xy->...y", (3, 4), 3, bias="y", before=False, axis=1),
        "bn!channel-axis@f",
        "EinsumDense BatchNormalization",
    ),
    Case(
        "a bias along another axis than the map",
        lambda k: einsum(k, "abc,cde->abde", (3, 4), (3, 2, 5), bias="d", before=False),
        "bn>f",
        "EinsumDense",
    ),
    *einsums(
        "a bias that Keras 3.15 adds along another axis",
        *("abc,cde->abde", (3, 4), (3, 2, 2)),
        bias="d",
        expected="bn!ambiguous-axis@f",
    ),
    Case(
        "a map whose shift Keras 3.15 would add along another axis",
        lambda k: einsum(k, "abc,cde->abde", (3, 4), (3, 2, 2), bias=None, before=False, axis=2),
        "bn!ambiguous-axis@f",
        "EinsumDense BatchNormalization",
    ),
    Case(
        "a uniform map",
        lambda k: k.chain(
            (3, 4), k.EinsumDense("abc,cde->abde", (3, 2, 5), name="f"), k.Rescaling(2, 1, name="r")
        ),
        "r>f",
        "EinsumDense",
    ),
    Case(
        "an activation inside",
        lambda k: k.chain((4,), k.EinsumDense("ab,bc->ac", 5, activation="tanh", name="f"), k.bn()),
        "bn!activation@f",
        "EinsumDense BatchNormalization",
    ),
]


TIME = [
    Case(
        "convolution and batch norm in time",
        lambda k: in_time(k, (True, k.Conv2D(4, 3, name="f")), (True, k.bn())),
        "t_bn>t_f",
        "TimeDistributed",
    ),
    Case(
        "a bias appears inside",
        lambda k: in_time(
            k, (True, k.Conv2D(4, 3, groups=1, use_bias=False, name="f")), (False, k.bn())
        ),
        "bn>t_f",
        "TimeDistributed",
    ),
    Case(
        "before",
        lambda k: in_time(k, (False, k.bn()), (True, k.Conv2D(4, 3, name="f"))),
        "bn>t_f",
        "TimeDistributed",
    ),
    Case(
        "through pooling and flattening in time",
        lambda k: in_time(
            k,
            (True, k.bn()),
            (True, k.AveragePooling2D(2, name="p")),
            (True, k.Flatten(name="g")),
            (True, k.Dropout(0.5, name="d")),
            (False, k.Dense(4, name="f")),
        ),
        "t_bn>f",
        "TimeDistributed TimeDistributed Dense",
        removed="t_d",
    ),
    Case(
        "up through global pooling in time",
        lambda k: in_time(
            k,
            (True, k.Conv2D(4, 3, name="f")),
            (True, k.GlobalAveragePooling2D(name="p")),
            (False, k.bn()),
        ),
        "bn>t_f",
        "TimeDistributed TimeDistributed",
    ),
    Case(
        "along the time axis",
        lambda k: in_time(k, (True, k.Dense(4, name="f")), (False, k.bn(axis=1)), shape=(4, 3)),
        "bn!channel-axis@t_f",
        "TimeDistributed BatchNormalization",
    ),
    Case(
        "an activation inside",
        lambda k: in_time(
            k, (True, k.Dense(4, activation="relu", name="f")), (False, k.bn()), shape=(4, 3)
        ),
        "bn!activation@t_f",
        "TimeDistributed BatchNormalization",
    ),
    Case(
        "a batch norm inside switched on",
        lambda k: in_time(
            k,
            (True, k.Activation("tanh", name="a")),
            (True, k.bn("f", scale=False, center=False)),
            (False, k.Normalization(axis=None, mean=0.5, variance=4.0, name="r")),
            (True, k.Activation("tanh", name="b")),
            shape=(4, 3),
        ),
        "r>t_f t_f!nonlinear@t_a",
        "TimeDistributed TimeDistributed TimeDistributed",
    ),
    Case(
        "a model inside",
        lambda k: k.chain(
            (5, 4),
            k.TimeDistributed(k.chain((4,), k.Dense(3)), name="t"),
            k.bn(),
        ),
        "bn!no-rule@t",
        "TimeDistributed BatchNormalization",
        unless=(3, 3),
    ),
    Case(
        "fixed batch",
        lambda k: in_time(
            k,
            (True, k.bn("p")),
            (True, k.Dense(4, use_bias=False, name="f")),
            (True, k.bn("q")),
            shape=(5, 3),
            batch_size=3,
        ),
        "t_p>t_f t_q>t_f",
        "TimeDistributed",
    ),
    Case(
        "fixed batch, masked",
        lambda k: k.chain(
            (5,),
            k.Embedding(5, 4, mask_zero=True),
            k.Activation("tanh"),
            k.TimeDistributed(k.Dense(4), name="t"),
            k.bn(),
            dtype="int32",
            batch_size=3,
        ),
        "bn!nonlinear@t",
        "Embedding Activation TimeDistributed BatchNormalization",
    ),
    Case(
        "unknown number of steps",
        lambda k: in_time(
            k, (True, k.Dense(4, use_bias=False, name="f")), (True, k.bn()), shape=(None, 3)
        ),
        "t_bn>t_f",
        "TimeDistributed",
    ),
]


@matrix(*NORMALIZING)
def test_normalizing(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*EMBEDDING)
def test_embedding(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*ATTENTION)
def test_attention(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*EINSUM)
def test_einsum(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*TIME)
def test_time(case: Case, kit: Kit) -> None:
    check(case, kit)
