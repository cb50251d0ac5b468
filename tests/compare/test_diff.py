"""Aligning: what is paired, and how long it takes."""

from __future__ import annotations

import random
import sys
from itertools import pairwise

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_layercount import explain
from pytest_layercount.compare.diff import View, align
from pytest_layercount.compare.sequences import common
from tests.compare.sketch import POOLED, Sketch

words = st.text("abc", max_size=12)


def longest(one, two):
    """The length of a longest common subsequence, by the textbook."""
    rows = [[0] * (len(two) + 1)]
    for letter in one:
        row = [0]
        for place, other in enumerate(two):
            best = max(rows[-1][place + 1], row[-1])
            row.append(rows[-1][place] + 1 if letter == other else best)
        rows.append(row)
    return rows[-1][-1]


@settings(deadline=None)
@given(words, words)
def test_common_subsequences_are_longest(one, two):
    found = common(one, two)
    assert all(one[i] == two[j] for i, j in found)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(found))
    assert len(found) == longest(one, two)


def chain(text):
    """A view of steps in a row; capitals are another configuration of the same kind."""
    return View(
        strict=list(text),
        loose=[letter.lower() for letter in text],
        reads=[[(step - 1, 0)] if step else [] for step in range(len(text))],
        commutes=[False] * len(text),
        outputs=[(len(text) - 1, 0)],
        entries=[0],
    )


@pytest.mark.parametrize(
    ("one", "two", "pairs"),
    [
        ("iabcd", "iabcd", "0:0 1:1 2:2 3:3 4:4"),
        ("iabcd", "iacd", "0:0 1:1 3:2 4:3"),
        ("iabcd", "iaBcd", "0:0 1:1 2:2 3:3 4:4"),
        ("iabcd", "ixbcy", "0:0 2:2 3:3"),
        ("iabab", "iababab", "0:0 1:1 2:2 3:3 4:4"),
        ("iababz", "iabababz", "0:0 1:1 2:2 3:3 4:4 5:7"),
        ("iabc", "ixyz", "0:0"),
        ("iAAa", "iaaaab", "0:0 1:1 2:3 3:4"),  # from the last pair upwards
    ],
)
def test_chains(one, two, pairs):
    found = align(chain(one), chain(two))
    assert " ".join(f"{here}:{there}" for here, there in sorted(found.items())) == pairs


@settings(deadline=None)
@given(words, words)
def test_pairs_are_one_to_one_and_of_a_kind(one, two):
    found = align(chain("i" + one), chain("i" + two))
    assert len(set(found.values())) == len(found)
    assert all(("i" + one)[here] == ("i" + two)[there] for here, there in found.items())


def deep(layers, seed=None):
    """A model of so many layers; a seed changes every tenth of them."""
    chance = random.Random(seed)
    net = Sketch()
    x = net.input()
    while len(net.layers) < layers - 1:
        changed = seed is not None and chance.random() < 0.4
        y = net.add("Conv2D", x, use_bias=False, filters=4 + changed)
        y = net.add("ReLU", net.add("BatchNormalization", y))
        x = net.add("Add", x, y)
    return net.model(net.add("GlobalAveragePooling2D", x, shape=POOLED))


def calls(function):
    """How many functions of Python a call of ``function`` calls: the same on every machine."""
    number = 0

    def count(frame, event, argument):
        nonlocal number
        number += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
    return number


@pytest.mark.parametrize("seed", [None, 1, 2], ids=["same", "1", "2"])
def test_twice_the_layers_are_twice_the_work(seed):
    explain(deep(20), deep(20, 1))  # what is imported and cached first is no work of comparing
    some, more = (
        calls(lambda size=size: explain(deep(size), deep(size, seed))) for size in (200, 400)
    )
    assert more < 2.1 * some


@pytest.mark.parametrize("other", [deep(1000), deep(1000, 1), deep(700, 2)], ids=["same", "1", "2"])
def test_a_thousand_layers_are_explained(other):
    explanation = explain(deep(1000), other)
    assert sum(cause.delta for cause in explanation.causes) == explanation.delta


def behind(text, entries):
    """The same, with one input more in front of it for each of ``entries``."""
    view = chain(text)
    return View(
        strict=[*entries, *view.strict],
        loose=[*entries, *view.loose],
        reads=[
            *([] for _ in entries),
            *([(source + len(entries), index) for source, index in reads] for reads in view.reads),
        ],
        commutes=[False] * (len(entries) + len(text)),
        outputs=[(step + len(entries), index) for step, index in view.outputs],
        entries=range(len(entries) + 1),
    )


def test_inputs_are_paired_by_position_where_nothing_else_tells_them_apart():
    assert align(behind("iab", "j"), behind("iab", "k")) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert align(behind("iab", ""), behind("iab", "j")) == {0: 1, 1: 2, 2: 3}
    assert align(behind("iab", "j"), behind("iab", "")) == {1: 0, 2: 1, 3: 2}
