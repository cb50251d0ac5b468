"""Plans of graphs drawn by hand: before, after, and what is said. No Keras, no weights."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from pytest_layercount.folding import plan_fold
from tests.folding.drawing import drawn, graph
from tests.folding.harness import said

CASES = {
    "nothing to do": (
        """
        x: Input() -> 8 8 3
        f: Conv2D(x) -> 6 6 4
        return f
        """,
        "",
        """
        x: InputLayer() -> 8 8 3
        f: Conv2D(x) -> 6 6 4
        return f
        """,
    ),
    "a bias appears": (
        """
        x: Input() -> 8 8 3
        f: Conv2D(x) -> 6 6 4
        n: BatchNormalization(f) -> 6 6 4
        return n
        """,
        "n>f",
        """
        x: InputLayer() -> 8 8 3
        f: Conv2D(x) -> 6 6 4 use_bias=True
        return f
        """,
    ),
    "before a dense layer, through flatten and dropout": (
        """
        x: Input() -> 2 2 3
        n: BatchNormalization(x) -> 2 2 3
        g: Flatten(n) -> 12
        d: Dropout(g) -> 12
        f: Dense(d) -> 4
        return f
        """,
        "n>f",
        """
        x: InputLayer() -> 2 2 3
        g: Flatten(x) -> 12
        f: Dense(g) -> 4
        return f
        """,
    ),
    "every branch of a concatenation": (
        """
        x: Input() -> 8 8 3
        a: Conv2D(x) -> 6 6 4
        b: Conv2D(x) -> 6 6 2
        c: Concatenate(a, b) -> 6 6 6
        n: BatchNormalization(c) -> 6 6 6
        return n
        """,
        "n>a+b",
        """
        x: InputLayer() -> 8 8 3
        a: Conv2D(x) -> 6 6 4 use_bias=True
        b: Conv2D(x) -> 6 6 2 use_bias=True
        c: Concatenate(a, b) -> 6 6 6
        return c
        """,
    ),
    "a branch with an activation stops all": (
        """
        x: Input() -> 8 8 3
        a: Conv2D(x) -> 6 6 4
        b: Conv2D(x) -> 6 6 2 activation=relu
        c: Concatenate(a, b) -> 6 6 6
        n: BatchNormalization(c) -> 6 6 6
        return n
        """,
        "n!activation@b",
        """
        x: InputLayer() -> 8 8 3
        a: Conv2D(x) -> 6 6 4
        b: Conv2D(x) -> 6 6 2 activation=relu
        c: Concatenate(a, b) -> 6 6 6
        n: BatchNormalization(c) -> 6 6 6
        return n
        """,
    ),
    "into all consumers": (
        """
        x: Input() -> 5
        n: BatchNormalization(x) -> 5
        a: Dense(n) -> 4
        b: Dense(n) -> 4
        s: Add(a, b) -> 4
        return s
        """,
        "n>a+b",
        """
        x: InputLayer() -> 5
        a: Dense(x) -> 4
        b: Dense(x) -> 4
        s: Add(a, b) -> 4
        return s
        """,
    ),
    "an output is a consumer": (
        """
        x: Input() -> 5
        f: Dense(x) -> 4
        n: BatchNormalization(f) -> 4
        return f, n
        """,
        "n!model-output@f",
        """
        x: InputLayer() -> 5
        f: Dense(x) -> 4
        n: BatchNormalization(f) -> 4
        return f, n
        """,
    ),
    "a layer called twice": (
        """
        x: Input() -> 5
        f: Dense(x) -> 5
        g=f(f) -> 5
        n: BatchNormalization(g) -> 5
        return n
        """,
        "n!shared-layer@f",
        """
        x: InputLayer() -> 5
        f: Dense(x) -> 5
        f2=f(f) -> 5
        n: BatchNormalization(f2) -> 5
        return n
        """,
    ),
    "same padding takes no shift": (
        """
        x: Input() -> 8 8 3
        n: BatchNormalization(x) -> 8 8 3
        f: Conv2D(n) -> 8 8 4 padding=same
        return f
        """,
        "n!shift-meets-padding@f",
        """
        x: InputLayer() -> 8 8 3
        n: BatchNormalization(x) -> 8 8 3
        f: Conv2D(n) -> 8 8 4 padding=same
        return f
        """,
    ),
    "the wrong axis": (
        """
        x: Input() -> 8 8 3
        f: Conv2D(x) -> 6 6 6
        n: BatchNormalization(f) -> 6 6 6 axis=1
        return n
        """,
        "n!channel-axis@f",
        """
        x: InputLayer() -> 8 8 3
        f: Conv2D(x) -> 6 6 6
        n: BatchNormalization(f) -> 6 6 6 axis=1
        return n
        """,
    ),
    "an unknown layer": (
        """
        x: Input() -> 5
        f: Dense(x) -> 4
        o: Oddity(f) -> 4
        n: BatchNormalization(o) -> 4
        return n
        """,
        "n!no-rule@o",
        """
        x: InputLayer() -> 5
        f: Dense(x) -> 4
        o: Oddity(f) -> 4
        n: BatchNormalization(o) -> 4
        return n
        """,
    ),
    "one fold makes room for another": (
        """
        x: Input() -> 5
        f: Dense(x) -> 4
        a: BatchNormalization(f) -> 4
        b: BatchNormalization(a) -> 4
        return b
        """,
        "a>f b>f",
        """
        x: InputLayer() -> 5
        f: Dense(x) -> 4
        return f
        """,
    ),
}


@pytest.mark.parametrize(("before", "expected", "after"), CASES.values(), ids=CASES)
def test_plan(before: str, expected: str, after: str) -> None:
    plan = plan_fold(graph(before))
    assert " ".join(said(plan)) == expected
    assert drawn(plan.graph) == dedent(after).strip()
    again = plan_fold(plan.graph)
    assert not again.folds
    assert again.graph.nodes == plan.graph.nodes


def test_a_condition_is_said() -> None:
    plan = plan_fold(
        graph(
            """
            x: Input() -> 5
            f: Dense(x) -> 4
            m: Maximum(f, f) -> 4
            n: BatchNormalization(m) -> 4
            return n
            """
        )
    )
    assert [fold.condition for fold in plan.folds] == ["its scale is nowhere negative"]
    assert plan.conditional


def test_added_parameters_are_counted() -> None:
    plan = plan_fold(graph(CASES["a bias appears"][0]))
    assert [layer.parameters for layer in plan.graph.layers] == [0, 4]


def test_depth_costs_no_recursion() -> None:
    lines = ["x: Input() -> 2"]
    for number in range(2000):
        before = f"n{number - 1}" if number else "x"
        lines += [
            f"f{number}: Dense({before}) -> 2",
            f"n{number}: BatchNormalization(f{number}) -> 2",
        ]
    plan = plan_fold(graph("\n".join([*lines, "return n1999"])))
    assert len(plan.folds) == 2000


@pytest.mark.parametrize(
    ("kind", "settings", "sizes"),
    [
        ("SeparableConv2D", "", "6"),
        ("Conv2DTranspose", "", "6"),
        ("DepthwiseConv2D", "", "6"),
        ("Conv1D", "", ""),
        ("Conv2D", "", "6"),
        ("Conv3D", "", "5 6"),
        ("Conv1D", "groups=2", ""),
        ("Conv2D", "groups=2", "6"),
        ("Conv3D", "groups=2", "5 6"),
    ],
)
@pytest.mark.parametrize(("width", "refused"), [(4, ["ambiguous-axis"]), (5, [])])
def test_a_bias_that_some_keras_adds_along_the_width(
    kind: str, settings: str, sizes: str, width: int, refused: list[str]
) -> None:
    drawing = f"""
        x: Input() -> 4 {sizes} {width}
        f: {kind}(x) -> 4 {sizes} {width} data_format=channels_first {settings}
        n: BatchNormalization(f) -> 4 {sizes} {width} axis=1
        return n
        """
    plan = plan_fold(graph(re.sub(" +", " ", drawing)))
    assert [no.reason for no in plan.refusals] == refused
