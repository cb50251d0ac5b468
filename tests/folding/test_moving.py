"""Rules asked directly: what maps become of maps on their way, against NumPy.

A map on the inputs and the map that a rule makes of it must give the same: whatever a rule
answers is tried on random numbers, and what it refuses is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import Rule, Site, Stop
from pytest_layercount.folding.rules import OURS
from pytest_layercount.model.graph import Layer, Node, Value

Function = Callable[..., Any]
X, Y = Value(0), Value(1)
ALL = slice(None)
RANDOM = np.random.default_rng(0)


def asked(name: str, args: Any, settings: Any, taken: Any, made: Any) -> Site:
    """A call of a layer, or of an operation, which is named in small letters."""
    shapes = [tuple(unknown(each) for each in several) for several in (taken, made)]
    if not name.islower():
        return Site(Layer("it", name, config=settings), Node(0, args), *shapes)
    layer = Layer("it", name.title(), "operation", operation=name)
    return Site(layer, Node(0, args, settings), *shapes)


def unknown(shape: tuple[int, ...]) -> tuple[int | None, ...]:
    """The shape as a graph has it, without the size of the batch."""
    return (None, *shape[1:])


def drawn(shape: tuple[int, ...], axis: int | None, needs: set[str], number: int = 0) -> Affine:
    """A random map along an axis that fulfils what is needed; each ``number`` is another."""
    channels = 1 if axis is None else shape[axis]
    scale, shift = RANDOM.uniform(0.5, 2.0, channels), RANDOM.normal(size=channels)
    if "nonnegative" not in needs:
        scale[0] *= -1
    return Affine.of(
        np.ones(channels) if "unit_scale" in needs else scale,
        shift * ("zero_shift" not in needs),
        axis,
        ("drawn", axis, number, *sorted(needs)),
    )


def applied(affine: Affine | None, array: Array) -> Array:
    if affine is None:
        return array
    scale, shift = affine.arrays()
    if affine.axis is not None:
        form = [1] * array.ndim
        form[affine.axis] = -1
        scale, shift = scale.reshape(form), shift.reshape(form)
    return array * scale + shift


def signs(needs: set[str]) -> list[str]:
    """What a map must fulfil, ``s`` being its scale and ``t`` its shift."""
    return [
        {"nonnegative": "s>=0", "unit_scale": "s=1", "zero_shift": "t=0"}[need]
        for need in sorted(needs)
    ]


def needs_of(routes: Any) -> set[str]:
    return {need.fact for route in routes for need in route.needs}


def check(routes: Any, function: Function, arrays: Any, maps: Any, *, up: bool) -> None:
    """Hold the map on the output to those on the inputs."""
    for route in routes:
        before, after = (route.maps, maps) if up else (maps, route.maps)
        mapped = [applied(before.get(slot), array) for slot, array in enumerate(arrays)]
        made = applied(after.get(0), function(*arrays))
        np.testing.assert_allclose(function(*mapped), made, atol=1e-12)


def said(
    rule: Rule, site: Site, axis: int | None, function: Function, arrays: Any, up: bool
) -> str:
    """The axis along which a map along ``axis`` goes on, after it was tried, or why it stops."""
    made = function(*arrays)
    shape = made.shape if up else arrays[0].shape

    def ask(affine: Affine) -> Any:
        return rule.pass_up(site, affine) if up else (rule.pass_down(site, {0: affine}),)

    try:
        needs = needs_of(ask(drawn(shape, axis, set())))
        affine = drawn(shape, axis, needs)
        routes = ask(affine)
    except Stop as stop:
        return stop.reason
    check(routes, function, arrays, {0: affine}, up=up)
    return " ".join([*(str(route.maps[0].axis) for route in routes), *signs(needs)])


SHAPE = (2, 4, 6, 3)
ONE: dict[str, tuple[Any, ...]] = {
    "first": (
        "get_item",
        (X, (ALL, 0)),
        {},
        lambda x: x[:, 0],
        "None, channel-axis, 1, 2",
        "None, 2, 3",
    ),
    "first, by key": (
        "get_item",
        (X,),
        {"key": (ALL, 0)},
        lambda x: x[:, 0],
        "None, channel-axis, 1, 2",
        "None, 2, 3",
    ),
    "first, by the name of Keras 2": (
        "get_item",
        (X,),
        {"slice_spec": (ALL, 0)},
        lambda x: x[:, 0],
        "None, channel-axis, 1, 2",
        "None, 2, 3",
    ),
    "last axis": (
        "get_item",
        (X, (Ellipsis, -1)),
        {},
        lambda x: x[..., -1],
        "None, 1, 2, channel-axis",
        "None, 1, 2",
    ),
    "some channels": (
        "get_item",
        (X, (Ellipsis, slice(1, 3))),
        {},
        lambda x: x[..., 1:3],
        "None, 1, 2, 3",
        "None, 1, 2, channel-axis",
    ),
    "every second": (
        "get_item",
        (X, [ALL, slice(None, None, 2)]),
        {},
        lambda x: x[:, ::2],
        "None, 1, 2, 3",
        "None, channel-axis, 2, 3",
    ),
    "turned around": (
        "get_item",
        (X, (ALL, ALL, slice(None, None, -1))),
        {},
        lambda x: x[:, :, ::-1],
        "None, 1, 2, 3",
        "None, 1, channel-axis, 3",
    ),
    "new axis": (
        "get_item",
        (X, (ALL, None, Ellipsis)),
        {},
        lambda x: x[:, None],
        "None, 2, 3, 4",
        "None (2), 1, 2, 3",
    ),
    "new axis and a place": (
        "get_item",
        (X, (ALL, None, 1)),
        {},
        lambda x: x[:, None, 1],
        "None, channel-axis, 2, 3",
        "None (2), 2, 3",
    ),
    "all": ("get_item", (X, Ellipsis), {}, lambda x: x, "None, 1, 2, 3", "None, 1, 2, 3"),
    "batch": ("get_item", (X, slice(1)), {}, lambda x: x[:1], "None, 1, 2, 3", "None, 1, 2, 3"),
    "as a file writes it": (
        "get_item",
        (X, [{"start": None, "stop": None, "step": None}, {"start": 1, "stop": 3, "step": None}]),
        {},
        lambda x: x[:, 1:3],
        "None, 1, 2, 3",
        "None, channel-axis, 2, 3",
    ),
    "computed": (
        "get_item",
        (X, (ALL, Y)),
        {},
        lambda x: x[:, 0],
        "unknown-shape (4)",
        "unknown-shape (3)",
    ),
    "twice all": (
        "get_item",
        (X, (Ellipsis, Ellipsis)),
        {},
        lambda x: x,
        "unknown-shape (4)",
        "unknown-shape (4)",
    ),
    "too many": (
        "get_item",
        (X, (ALL,) * 5),
        {},
        lambda x: x,
        "unknown-shape (4)",
        "unknown-shape (4)",
    ),
    "no tensor": (
        "get_item",
        ("x", (ALL, 0)),
        {},
        lambda x: x[:, 0],
        "unknown-shape (4)",
        "unknown-shape (3)",
    ),
    "mean": (
        "mean",
        (X, (1, 2)),
        {},
        lambda x: x.mean((1, 2)),
        "None, channel-axis (2), 1",
        "None, 3",
    ),
    "mean kept": (
        "mean",
        (X, -1, True),
        {},
        lambda x: x.mean(-1, keepdims=True),
        "None, 1, 2, channel-axis",
        "None, 1, 2, None",
    ),
    "mean of all": (
        "reduce_mean",
        (X,),
        {},
        lambda x: x.mean(),
        "None, channel-axis (3)",
        "None",
    ),
    "mean by name": (
        "reduce_mean",
        (X,),
        {"axis": [1], "keepdims": True},
        lambda x: x.mean(1, keepdims=True),
        "None, channel-axis, 2, 3",
        "None (2), 2, 3",
    ),
    "mean of Keras 2": (
        "reduce_mean",
        (X,),
        {"axis": 1, "keep_dims": True},
        lambda x: x.mean(1, keepdims=True),
        "None, channel-axis, 2, 3",
        "None (2), 2, 3",
    ),
    "mean along a tensor": (
        "mean",
        (X, Y),
        {},
        lambda x: x.mean(1),
        "unknown-shape (4)",
        "unknown-shape (3)",
    ),
    "largest": (
        "max",
        (X, 2),
        {},
        lambda x: x.max(2),
        "None s>=0, 1 s>=0, channel-axis, 2 s>=0",
        "None s>=0, 1 s>=0, 3 s>=0",
    ),
    "smallest": (
        "reduce_min",
        (X, [1, 3]),
        {},
        lambda x: x.min((1, 3)),
        "None s>=0, channel-axis, 1 s>=0, channel-axis",
        "None s>=0, 2 s>=0",
    ),
    "largest from": (
        "max",
        (X, 1),
        {"initial": 0.0},
        lambda x: x.max(1, initial=0.0),
        "nonlinear (4)",
        "nonlinear (3)",
    ),
    "transpose": (
        "transpose",
        (X, (0, 3, 1, 2)),
        {},
        lambda x: x.transpose(0, 3, 1, 2),
        "None, 2, 3, 1",
        "None, 3, 1, 2",
    ),
    "transpose by name": (
        "transpose",
        (X,),
        {"perm": [0, 2, 1, 3]},
        lambda x: x.transpose(0, 2, 1, 3),
        "None, 2, 1, 3",
        "None, 2, 1, 3",
    ),
    "transpose by axes": (
        "transpose",
        (X,),
        {"axes": (0, -1, 1, 2)},
        lambda x: x.transpose(0, 3, 1, 2),
        "None, 2, 3, 1",
        "None, 3, 1, 2",
    ),
    "transpose all": (
        "transpose",
        (X,),
        {},
        lambda x: x.transpose(),
        "None, 2, 1, 0",
        "None, 2, 1, 0",
    ),
    "transpose by a tensor": (
        "transpose",
        (X, Y),
        {},
        lambda x: x.transpose(0, 2, 1, 3),
        "unknown-shape (4)",
        "unknown-shape (4)",
    ),
    "permute": (
        "Permute",
        (X,),
        {"dims": (2, 3, 1)},
        lambda x: x.transpose(0, 2, 3, 1),
        "None, 3, 1, 2",
        "None, 2, 3, 1",
    ),
    "flatten": (
        "Flatten",
        (X,),
        {},
        lambda x: x.reshape(2, -1),
        "None, 1 (3)",
        "None, channel-axis",
    ),
    "flatten channels_first": (
        "Flatten",
        (X,),
        {"data_format": "channels_first"},
        lambda x: x.transpose(0, 2, 3, 1).reshape(2, -1),
        "None, 1 (3)",
        "None, channel-axis",
    ),
    "reshape": (
        "Reshape",
        (X,),
        {},
        lambda x: x.reshape(2, 24, 3),
        "None, 1 (2), 2",
        "None, channel-axis, 3",
    ),
    "reshape apart": (
        "Reshape",
        (X,),
        {},
        lambda x: x.reshape(2, 4, 2, 9),
        "None, 1, channel-axis, 3",
        "None, 1, 2, channel-axis",
    ),
    "expand": (
        "expand_dims",
        (X, 1),
        {},
        lambda x: x[:, None],
        "None, 2, 3, 4",
        "None (2), 1, 2, 3",
    ),
    "no tensor reshaped": (
        "reshape",
        ("x", (2, 72)),
        {},
        lambda x: x.reshape(2, 72),
        "nonlinear (4)",
        "nonlinear (2)",
    ),
    "negative": ("negative", (X,), {}, lambda x: -x, "None, 1, 2, 3", "None, 1, 2, 3"),
    "divided by a tensor": (
        "divide",
        (X, Y),
        {},
        lambda x: x / 2.0,
        "None t=0, 1 t=0, 2 t=0, 3 t=0",
        "None t=0, 1 t=0, 2 t=0, 3 t=0",
    ),
}
"""A call, the function that it computes, and what becomes of a map on its input, on its output.

Of a map that is the same everywhere, then of one along each axis: the axis that it goes on
along, with what it must fulfil, or the reason to stop. What is the same for all stands once.
"""


def in_short(answers: list[str]) -> str:
    """The answers in order; one that comes again at once is counted."""
    runs = ((said, len(list(run))) for said, run in groupby(answers))
    return ", ".join(f"{said} ({times})" if times > 1 else said for said, times in runs)


@pytest.mark.parametrize("name", ONE)
def test_of_one_tensor(name: str) -> None:
    called, args, settings, function, down, up = ONE[name]
    array = RANDOM.normal(size=SHAPE)
    made = function(array)
    site = asked(called, args, settings, [SHAPE], [made.shape])
    rule = OURS.rule_for(site.layer)
    assert rule is not None
    found = [
        in_short(
            [said(rule, site, axis, function, [array], way) for axis in (None, *range(1, rank))]
        )
        for way, rank in ((False, array.ndim), (True, made.ndim))
    ]
    assert found == [down, up]


A, B = np.random.default_rng(1).normal(size=(2, *SHAPE))
PAIRS: dict[str, tuple[Any, ...]] = {
    "add": (
        "add",
        (X, Y),
        {},
        np.add,
        "3 s=1 (2), 3, 3 s=1, channel-axis, None s=1, None, 1",
        "01/01/01 (3)",
    ),
    "Add": (
        "Add",
        ([X, Y],),
        {},
        np.add,
        "3 s=1 (2), 3, 3 s=1, channel-axis, None s=1, None, 1",
        "01/01/01 (3)",
    ),
    "subtract": (
        "subtract",
        (X, Y),
        {},
        np.subtract,
        "3 s=1 (2), 3, 3 s=1, channel-axis, None s=1, None, 1",
        "01 (3)",
    ),
    "Average": (
        "Average",
        ([X, Y],),
        {},
        lambda x, y: (x + y) / 2,
        "3 s=1 (2), 3, 3 s=1, channel-axis, None s=1, None, 1",
        "01/01/01 (3)",
    ),
    "multiply": (
        "multiply",
        (X, Y),
        {},
        np.multiply,
        "3 t=0 (4), channel-axis, None t=0 (2), 1 t=0",
        "0/1 t=0 (3)",
    ),
    "Multiply": (
        "Multiply",
        ([X, Y],),
        {},
        np.multiply,
        "3 t=0 (4), channel-axis, None t=0 (2), 1 t=0",
        "0/1 t=0 (3)",
    ),
    "maximum": (
        "maximum",
        (X, Y),
        {},
        np.maximum,
        "nonlinear (2), 3 s>=0, nonlinear (3), None s>=0, 1 s>=0",
        "01 s>=0 (3)",
    ),
    "Minimum": (
        "Minimum",
        ([X, Y],),
        {},
        np.minimum,
        "nonlinear (2), 3 s>=0, nonlinear (3), None s>=0, 1 s>=0",
        "01 s>=0 (3)",
    ),
    "Concatenate": (
        "Concatenate",
        ([X, Y],),
        {"axis": -1},
        lambda x, y: np.concatenate([x, y], -1),
        "3 (4), channel-axis, 3 (2), 1",
        "01 (3)",
    ),
    "concatenate": (
        "concatenate",
        ([X, Y], 1),
        {},
        lambda x, y: np.concatenate([x, y], 1),
        "channel-axis (2), 3, channel-axis (2), 1 (3)",
        "01 (3)",
    ),
    "concat": (
        "concat",
        ([X, Y],),
        {"axis": 2},
        lambda x, y: np.concatenate([x, y], 2),
        "channel-axis (2), 3, channel-axis (2), 2 (2), 1",
        "01 (3)",
    ),
    "divide": (
        "divide",
        (X, Y),
        {},
        np.divide,
        "3 t=0, nonlinear (4), None t=0, nonlinear (2)",
        "0 t=0 (3)",
    ),
    "matmul": (
        "matmul",
        (X, Y),
        {},
        lambda x, y: x @ y.swapaxes(-1, -2),
        "channel-axis (5), None t=0 (2), channel-axis",
        "0/1 t=0, channel-axis (2)",
    ),
    "Dot": (
        "Dot",
        ([X, Y],),
        {"normalize": False},
        lambda x, y: x @ y.swapaxes(-1, -2),
        "channel-axis (5), None t=0 (2), channel-axis",
        "0/1 t=0, channel-axis (2)",
    ),
    "Dot of unit vectors": (
        "Dot",
        ([X, Y],),
        {"normalize": True},
        np.add,
        "nonlinear (8)",
        "nonlinear (3)",
    ),
}
"""A call of two tensors, what becomes of MAPS on them, and which of them take one on the result."""
MAPS: tuple[dict[int, tuple[int | None, int]], ...] = (
    {0: (3, 0)},
    {1: (3, 0)},
    {0: (3, 0), 1: (3, 0)},
    {0: (3, 0), 1: (3, 1)},
    {0: (1, 0), 1: (3, 1)},
    {0: (None, 0)},
    {0: (None, 0), 1: (None, 0)},
    {0: (1, 0), 1: (1, 0)},
)
"""On which inputs, along which axis, and which of several maps."""


def of_pair(rule: Rule, site: Site, slots: Any, function: Function) -> str:
    """What becomes of maps on two inputs."""

    def made(needs: set[str]) -> dict[int, Affine]:
        maps = {key: drawn(SHAPE, key[0], needs, key[1]) for key in slots.values()}
        return {slot: maps[key] for slot, key in slots.items()}

    try:
        needs = needs_of([rule.pass_down(site, made(set()))])
        maps = made(needs)
        route = rule.pass_down(site, maps)
    except Stop as stop:
        return stop.reason
    check([route], function, [A, B], maps, up=False)
    return " ".join([str(route.maps[0].axis), *signs(needs)])


def of_result(rule: Rule, site: Site, axis: int | None, function: Function) -> str:
    """The inputs that may take a map on the result instead."""
    shape = function(A, B).shape
    try:
        needs = needs_of(rule.pass_up(site, drawn(shape, axis, set())))
        affine = drawn(shape, axis, needs)
        routes = rule.pass_up(site, affine)
    except Stop as stop:
        return stop.reason
    check(routes, function, [A, B], {0: affine}, up=True)
    assert all(each.axis == axis for route in routes for each in route.maps.values())
    return " ".join(["/".join("".join(map(str, route.maps)) for route in routes), *signs(needs)])


@pytest.mark.parametrize("name", PAIRS)
def test_of_two_tensors(name: str) -> None:
    called, args, settings, function, down, up = PAIRS[name]
    site = asked(called, args, settings, [SHAPE, SHAPE], [function(A, B).shape])
    rule = OURS.rule_for(site.layer)
    assert rule is not None
    assert in_short([of_pair(rule, site, slots, function) for slots in MAPS]) == down
    assert in_short([of_result(rule, site, axis, function) for axis in (None, 1, 3)]) == up


LINE, CLIP, FIRST = (2, 5, 3), (2, 5, 8, 6, 3), (2, 5, 3, 8, 6)
CONV = {"filters": 4, "kernel_size": (3, 3), "padding": "valid", "data_format": "channels_last"}
STEPS: list[tuple[Any, ...]] = [
    ("SimpleRNN", {"units": 4}, LINE, 2, "adds 4"),
    ("LSTM", {"units": 4}, LINE, 2, "adds 16"),
    ("GRU", {"units": 4}, LINE, 2, "adds 12"),
    ("GRU", {"units": 4, "reset_after": True}, LINE, 2, "adds 24"),
    ("GRU", {"units": 4, "reset_after": True}, LINE, None, "adds 24"),
    ("LSTM", {"units": 4}, LINE, 1, "channel-axis"),
    ("ConvLSTM2D", CONV, CLIP, 4, "adds 16"),
    ("ConvLSTM2D", CONV, CLIP, 2, "channel-axis"),
    ("ConvLSTM2D", {**CONV, "data_format": "channels_first"}, FIRST, 2, "adds 16"),
    ("ConvLSTM2D", {**CONV, "data_format": "channels_first"}, FIRST, 4, "channel-axis"),
    ("ConvLSTM2D", {**CONV, "padding": "same"}, CLIP, 4, "t=0"),
    ("ConvLSTM2D", {**CONV, "padding": "same", "kernel_size": (1, 1)}, CLIP, 4, "adds 16"),
]


@pytest.mark.parametrize(("type_", "config", "shape", "axis", "said"), STEPS)
def test_into_the_kernel_that_meets_the_input(
    type_: str, config: Any, shape: Any, axis: Any, said: str
) -> None:
    for biased in (True, False):
        site = asked(type_, (X,), {**config, "use_bias": biased}, [shape], [shape])
        rule = OURS.rule_for(site.layer)
        assert rule is not None
        maps = {0: drawn(shape, axis, set())}
        if said == "channel-axis":
            with pytest.raises(Stop, match=said):
                rule.absorb(site, "before", maps)
            continue
        found = rule.absorb(site, "before", maps)
        assert found is not None
        assert signs({need.fact for need in found.needs}) == (["t=0"] if said == "t=0" else [])
        assert f"adds {found.adds}" == ("adds 0" if biased or said == "t=0" else said)
        assert found.changes == ({"use_bias": True} if found.adds else {})
        assert rule.absorb(site, "after", maps) is None
