"""Every piece in both directions, and random models made of them."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("hypothesis")

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_layercount import explain
from tests.compare.pieces import PIECES
from tests.compare.sketch import POOLED, Sketch


def drawn(recipe, long, keras=3, prefix="", extras=("head",)):
    """A model made of pieces. ``recipe`` holds (name, with a residual connection) pairs.

    ``extras`` says what it has besides; with ``operations`` it is of Keras 2.
    """
    keras = 2 if "operations" in extras else keras
    net = Sketch(keras, prefix)
    x = net.input()
    if "preprocessing" in extras:
        x = net.add("RandomFlip", net.add("Resizing", x))
    side = []
    for (name, residual), is_long in zip(recipe, long, strict=True):
        piece = PIECES[name]
        y = (piece.long if is_long else piece.short)(net, x)
        x = net.add("Add", x, y) if residual else y
        if "auxiliary-outputs" in extras and not side:
            pooled = net.add("GlobalMaxPooling2D", x, shape=POOLED)
            side = [net.add("Dense", pooled, shape=POOLED, units=3)]
    if "operation" in extras:
        x = net.operation("add", x, net.operation("multiply", x, x))
    for _ in range(5 if "blocks" in extras else 2 * ("block" in extras)):
        y = net.add("BatchNormalization", net.add("Conv2D", x, kernel_size=(5, 5)))
        x = net.add("Add", x, net.add("Activation", y, activation="gelu"))
    x = net.add("MaxPooling2D", x)  # or a Dropout at the end would be part of the head
    if "head-replaced" in extras:
        x = net.add("Dense", net.add("Flatten", x, shape=POOLED), shape=POOLED, units=20)
        x = net.add("Dense", net.add("Dropout", x, shape=POOLED), shape=POOLED, units=5)
    elif "head" in extras:
        x = net.add("GlobalAveragePooling2D", x, shape=POOLED)
        x = net.add("Dense", x, shape=POOLED, units=10)
    return net.model(x, *side)


def found(explanation):
    """What each code and direction sums to."""
    sums = Counter()
    for cause in explanation.causes:
        sums[cause.code] += cause.delta
    return dict(sums)


def expected(recipe, one, two):
    sums = Counter()
    for (name, _), before, after in zip(recipe, one, two, strict=True):
        if before != after:
            piece = PIECES[name]
            sums[piece.code] += piece.delta if before else -piece.delta
    return dict(sums)


@pytest.mark.parametrize("name", PIECES)
def test_each_piece_in_both_directions(name):
    piece = PIECES[name]
    recipe = [("dropout", False), (name, False), ("batch norm", True)]
    long = drawn(recipe, [True, True, True])
    short = drawn(recipe, [True, False, True])
    for model, other, delta in ((long, short, piece.delta), (short, long, -piece.delta)):
        explanation = explain(model, other)
        assert explanation.delta == delta
        assert found(explanation) == {piece.code: delta}
        assert not explanation.changed


recipes = st.lists(st.tuples(st.sampled_from(sorted(PIECES)), st.booleans()), max_size=8)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(recipe=recipes, data=st.data())
def test_the_causes_are_what_was_done(recipe, data):
    choices = st.lists(st.booleans(), min_size=len(recipe), max_size=len(recipe))
    one, two = data.draw(choices), data.draw(choices)
    model, other = drawn(recipe, one), drawn(recipe, two, prefix="other_")
    explanation = explain(model, other)
    assert found(explanation) == expected(recipe, one, two)
    assert not explanation.changed
    mirror = explain(other, model)
    assert sorted((c.code, -c.delta, {*c.after}, {*c.before}) for c in mirror.causes) == sorted(
        (c.code, c.delta, {*c.before}, {*c.after}) for c in explanation.causes
    )


EXTRAS = {
    "preprocessing": -2,
    "auxiliary-outputs": -2,
    "head": -2,
    "head-replaced": -2,
    "blocks": -12,
    "operations": -2,
}
"""What a model has in addition, and what the count changes by without it."""

NEEDED = {
    "auxiliary-outputs": {"head"},
    "head-replaced": {"head"},
    "blocks": {"block"},
    "operations": {"operation"},
}
"""What both models have where one has an extra."""


@settings(max_examples=200, deadline=None, derandomize=True)
@given(recipe=recipes.filter(len), data=st.data())
def test_the_causes_are_what_was_done_around_the_pieces_too(recipe, data):
    choices = st.lists(st.booleans(), min_size=len(recipe), max_size=len(recipe))
    one, two = data.draw(choices), data.draw(choices)
    changed = data.draw(st.sampled_from([*EXTRAS, None]))
    extras = data.draw(st.sets(st.sampled_from(["auxiliary-outputs", "head", "preprocessing"])))
    extras |= NEEDED.get(changed, set())
    if changed in ("head", "head-replaced"):
        extras -= {"auxiliary-outputs"}
    if changed == "operations":  # which the long form of this piece is made of
        assume(not any(name == "hard swish" for name, _ in recipe))
    model = drawn(recipe, one, extras=extras | ({changed} - {None}))
    other = drawn(recipe, two, extras=extras - {changed})
    explanation = explain(model, other)
    done = Counter(expected(recipe, one, two))
    if changed:
        done[changed] += EXTRAS[changed]
    assert found(explanation) == dict(done)
    assert not explanation.changed


@settings(max_examples=100, deadline=None, derandomize=True)
@given(one=recipes, two=recipes, count=st.sampled_from(["layers", "nodes", "top"]), data=st.data())
def test_the_deltas_of_any_two_models_sum(one, two, count, data):
    kerases = [data.draw(st.sampled_from([2, 3])) for _ in range(2)]
    model = drawn(one, [True] * len(one), kerases[0])
    other = drawn(two, [False] * len(two), kerases[1])
    explanation = explain(model, other, count=count)
    assert sum(cause.delta for cause in explanation.causes) == explanation.delta
    for cause in explanation.causes:
        assert sum(cause.by_type.values()) == cause.delta
    mirror = explain(other, model, count=count)
    assert {(c.code, -c.delta) for c in mirror.causes if c.code not in ("added", "removed")} == {
        (c.code, c.delta) for c in explanation.causes if c.code not in ("added", "removed")
    }
    assert mirror.delta == -explanation.delta
