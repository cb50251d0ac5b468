"""What rules answer about one call, against NumPy: no Keras, no graph around the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import ZERO_SHIFT, Need, Rule, Side, Site, Stop
from pytest_layercount.folding.rules import OURS
from pytest_layercount.folding.rules.batch_norm import Inherited
from pytest_layercount.model.graph import Layer, Node, Shape, Value

BATCH = 2
Axis = int | None


@dataclass(frozen=True)
class Call:
    """One call: a layer, or an operation where ``type`` is not capitalised.

    ``inputs`` are the shapes of the values that it takes. ``args`` are given after them,
    or in their place where values stand among them.
    """

    type: str
    inputs: tuple[Shape, ...]
    output: Shape
    config: Mapping[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Shape, ...] = ()

    def site(self) -> Site:
        raw = self.type[0].islower()
        layer = Layer("f", self.type, config=self.config, operation=self.type if raw else None)
        values: Any = [Value(number) for number in range(len(self.inputs))]
        several = not raw or self.type in ("concatenate", "concat")
        first = (values,) if several and len(values) > 1 else tuple(values)
        own = any(isinstance(arg, Value) for arg in self.args)
        args = self.args if own else (*first, *self.args)
        outputs = self.outputs or (self.output,)
        return Site(layer, Node(0, args, self.kwargs, outputs), self.inputs, outputs)

    def rule(self) -> Rule:
        rule = OURS.rule_for(self.site().layer)
        assert rule is not None
        return rule


def affine(axis: Axis, channels: int, seed: int = 0, token: str = "map") -> Affine:
    random = np.random.default_rng(seed)
    scale, shift = random.uniform(-2, 2, channels), random.uniform(-2, 2, channels)
    return Affine.of(scale, shift, axis, (token, seed))


def fulfilling(needs: tuple[Need, ...], found: Affine) -> Affine:
    """A map like this of which the facts hold that are needed."""
    scale, shift = found.arrays()
    facts = {need.fact for need in needs}
    shift = np.zeros_like(shift) if "zero_shift" in facts else shift
    scale = np.ones_like(scale) if "unit_scale" in facts else scale
    scale = np.abs(scale) if "nonnegative" in facts else scale
    return Affine.of(scale, shift, found.axis, found.token)


def applied(found: Affine | None, array: Array) -> Array:
    if found is None:
        return array
    scale, shift = found.arrays()
    if found.axis is None:
        assert scale.shape == (1,)
        return array * scale + shift
    shape = [1] * array.ndim
    shape[found.axis] = -1
    assert array.shape[found.axis] == len(scale) == found.channels
    return array * scale.reshape(shape) + shift.reshape(shape)


def arrays(call: Call) -> list[Array]:
    random = np.random.default_rng(5)
    sizes = [[size or BATCH for size in shape or ()] for shape in call.inputs]
    return [random.normal(size=shape) for shape in sizes]


@dataclass(frozen=True)
class Passing:
    """A call, what NumPy computes, and where maps are and what they become.

    ``up`` is the axis and the channels of a map on the output, ``needs`` what it must
    fulfil; ``down`` the same for each input.
    """

    call: Call
    compute: Callable[..., Any]
    up: tuple[tuple[Axis, int], ...] = ()
    down: tuple[Mapping[int, tuple[Axis, int]], ...] = ()
    needs: tuple[str, ...] = ()
    alike: bool = False


def facts(needs: tuple[Need, ...]) -> tuple[str, ...]:
    return tuple(need.fact for need in needs)


LINE, IMAGE = (None, 6, 4), (None, 5, 6, 4)
FLIPPED = (None, 4, 6)


def item(*key: Any, spec: Any = None) -> Callable[[Array], Array]:
    picked = key if spec is None else spec
    return lambda x: x[picked]


PASSING: Mapping[str, Passing] = {
    "a sum of two": Passing(
        Call("Add", (LINE, LINE), LINE),
        lambda x, y: x + y,
        up=((2, 4), (1, 6), (None, 1)),
    ),
    "a sum by name": Passing(
        Call("add", (LINE, LINE), LINE, args=(Value(0),), kwargs={"y": Value(1), "name": "sum"}),
        lambda x, y: x + y,
        up=((2, 4),),
    ),
    "a sum with a map on one": Passing(
        Call("Add", (LINE, LINE), LINE),
        lambda x, y: x + y,
        down=({0: (2, 4)}, {1: (2, 4)}, {0: (2, 4), 1: (2, 4)}),
        needs=("unit_scale",),
    ),
    "a sum with the same map on all": Passing(
        Call("Add", (LINE, LINE, LINE), LINE),
        lambda x, y, z: x + y + z,
        down=({0: (2, 4), 1: (2, 4), 2: (2, 4)},),
        alike=True,
    ),
    "a difference": Passing(
        Call("Subtract", (LINE, LINE), LINE), lambda x, y: x - y, up=((2, 4), (None, 1))
    ),
    "a difference with a map on one": Passing(
        Call("subtract", (LINE, LINE), LINE),
        lambda x, y: x - y,
        down=({0: (2, 4)}, {1: (2, 4)}),
        needs=("unit_scale",),
    ),
    "a mean": Passing(
        Call("Average", (LINE, LINE, LINE), LINE),
        lambda x, y, z: (x + y + z) / 3,
        up=((2, 4), (None, 1)),
    ),
    "a mean with a map on one": Passing(
        Call("Average", (LINE, LINE, LINE), LINE),
        lambda x, y, z: (x + y + z) / 3,
        down=({1: (2, 4)},),
        needs=("unit_scale",),
    ),
    "a mean with the same map on all": Passing(
        Call("Average", (LINE, LINE), LINE),
        lambda x, y: (x + y) / 2,
        down=({0: (2, 4), 1: (2, 4)},),
        alike=True,
    ),
    "a product": Passing(
        Call("Multiply", (LINE, LINE), LINE),
        lambda x, y: x * y,
        up=((2, 4), (None, 1)),
        down=({0: (2, 4)}, {0: (2, 4), 1: (2, 4)}, {1: (None, 1)}),
        needs=("zero_shift",),
    ),
    "a product of which one is broadcast": Passing(
        Call("multiply", (LINE, (None, 6, 1)), LINE),
        lambda x, y: x * y,
        up=((2, 4),),
        down=({0: (2, 4)}, {1: (1, 6)}),
        needs=("zero_shift",),
    ),
    "the larger": Passing(
        Call("Maximum", (LINE, LINE), LINE),
        np.maximum,
        up=((2, 4), (None, 1)),
        needs=("nonnegative",),
    ),
    "the smaller of two mapped alike": Passing(
        Call("minimum", (LINE, LINE), LINE),
        np.minimum,
        down=({0: (2, 4), 1: (2, 4)},),
        needs=("nonnegative",),
        alike=True,
    ),
    "side by side": Passing(
        Call("Concatenate", (LINE, (None, 6, 3)), (None, 6, 7), {"axis": -1}),
        lambda x, y: np.concatenate([x, y], -1),
        up=((2, 7), (1, 6), (None, 1)),
        down=({0: (2, 4)}, {1: (2, 3)}, {0: (None, 1)}, {0: (2, 4), 1: (None, 1)}),
    ),
    "one after the other": Passing(
        Call("concatenate", (LINE, LINE), (None, 12, 4), kwargs={"axis": 1}),
        lambda x, y: np.concatenate([x, y], 1),
        up=((1, 12), (2, 4)),
        down=({0: (1, 6)},),
    ),
    "one after the other, all mapped alike": Passing(
        Call("concat", (LINE, LINE), (None, 12, 4), args=(1,)),
        lambda x, y: np.concatenate([x, y], 1),
        down=({0: (2, 4), 1: (2, 4)},),
        alike=True,
    ),
    "divided": Passing(
        Call("divide", (LINE, LINE), LINE),
        lambda x, y: x / y,
        up=(),
        needs=("zero_shift",),
        down=({0: (2, 4)},),
    ),
    "with the other sign": Passing(
        Call("negative", (LINE,), LINE), np.negative, up=((2, 4), (None, 1)), down=({0: (2, 4)},)
    ),
    "of an index": Passing(
        Call("get_item", (IMAGE,), (None, 6, 4), args=((slice(None), 2),)),
        item(slice(None), 2),
        up=((2, 4), (1, 6), (None, 1)),
        down=({0: (3, 4)}, {0: (2, 6)}, {0: (None, 1)}),
    ),
    "of slices": Passing(
        Call(
            "get_item",
            (IMAGE,),
            (None, 5, 2, 4),
            args=([slice(None), slice(None), slice(1, -1, 2)],),
        ),
        item(slice(None), slice(None), slice(1, -1, 2)),
        up=((3, 4), (1, 5), (None, 1)),
        down=({0: (3, 4)}, {0: (2, 6)}),
    ),
    "of an ellipsis and a new axis": Passing(
        Call("get_item", (LINE,), (None, 6, 1, 3), kwargs={"key": (Ellipsis, None, slice(0, 3))}),
        item(Ellipsis, None, slice(0, 3)),
        up=((1, 6),),
        down=({0: (2, 4)}, {0: (1, 6)}),
    ),
    "of slices that Keras 2 wrote down": Passing(
        Call(
            "get_item",
            (LINE,),
            (None, 2, 4),
            kwargs={
                "slice_spec": [
                    {"start": None, "stop": None, "step": None},
                    {"start": 1, "stop": 5, "step": 2},
                ]
            },
        ),
        item(slice(None), slice(1, 5, 2)),
        up=((2, 4),),
        down=({0: (2, 4)}, {0: (1, 6)}),
    ),
    "a mean over axes": Passing(
        Call("mean", (IMAGE,), (None, 4), args=((1, 2),)),
        lambda x: x.mean((1, 2)),
        up=((1, 4), (None, 1)),
        down=({0: (3, 4)}, {0: (None, 1)}),
    ),
    "a mean over an axis that is kept": Passing(
        Call("reduce_mean", (IMAGE,), (None, 5, 1, 4), kwargs={"axis": -2, "keepdims": True}),
        lambda x: x.mean(2, keepdims=True),
        up=((3, 4), (1, 5)),
        down=({0: (1, 5)}, {0: (3, 4)}),
    ),
    "the largest over axes": Passing(
        Call("reduce_max", (IMAGE,), (None, 4), {"axis": [1, 2]}),
        lambda x: x.max((1, 2)),
        up=((1, 4),),
        down=({0: (3, 4)},),
        needs=("nonnegative",),
    ),
    "the smallest of all": Passing(
        Call("min", (LINE,), (), {"axis": None, "keepdims": False}),
        lambda x: x.min(),
        up=((None, 1),),
        down=({0: (None, 1)},),
        needs=("nonnegative",),
    ),
    "a matrix product": Passing(
        Call("matmul", (LINE, FLIPPED), (None, 6, 6)),
        np.matmul,
        up=((None, 1),),
        down=({0: (None, 1)}, {1: (None, 1)}, {0: (None, 1), 1: (None, 1)}),
        needs=("zero_shift",),
    ),
    "a dot product": Passing(
        Call("Dot", (LINE, FLIPPED), (None, 6, 6), {"axes": (2, 1), "normalize": False}),
        np.matmul,
        up=((None, 1),),
        down=({1: (None, 1)},),
        needs=("zero_shift",),
    ),
    "flattened": Passing(
        Call("Flatten", (LINE,), (None, 24), {"data_format": "channels_last"}),
        lambda x: x.reshape(len(x), -1),
        up=((None, 1),),
        down=({0: (2, 4)}, {0: (1, 6)}, {0: (None, 1)}),
    ),
    "flattened, channels first": Passing(
        Call("Flatten", (LINE,), (None, 24), {"data_format": "channels_first"}),
        lambda x: x.transpose(0, 2, 1).reshape(len(x), -1),
        up=((None, 1),),
        down=({0: (2, 4)}, {0: (1, 6)}, {0: (None, 1)}),
    ),
    "turned": Passing(
        Call("Permute", (IMAGE,), (None, 4, 5, 6), {"dims": (3, 1, 2)}),
        lambda x: x.transpose(0, 3, 1, 2),
        up=((1, 4), (3, 6), (None, 1)),
        down=({0: (3, 4)}, {0: (1, 5)}, {0: (None, 1)}),
    ),
    "transposed": Passing(
        Call("transpose", (IMAGE,), (4, 6, 5, None)),
        lambda x: x.transpose(),
        up=((0, 4), (1, 6)),
        down=({0: (3, 4)}, {0: (2, 6)}),
    ),
    "transposed to": Passing(
        Call("transpose", (LINE,), FLIPPED, kwargs={"perm": [0, -1, 1]}),
        lambda x: x.transpose(0, 2, 1),
        up=((1, 4),),
        down=({0: (1, 6)},),
    ),
    "repeated": Passing(
        Call("RepeatVector", ((None, 4),), (None, 3, 4)),
        lambda x: np.repeat(x[:, None], 3, 1),
        up=((2, 4),),
        down=({0: (1, 4)},),
    ),
    "squeezed": Passing(
        Call("squeeze", ((None, 1, 4),), (None, 4)),
        lambda x: x[:, 0],
        up=((1, 4), (None, 1)),
        down=({0: (2, 4)}, {0: (1, 1)}, {0: (None, 1)}),
    ),
}


def drawn(where: Mapping[int, tuple[Axis, int]], alike: bool) -> dict[int, Affine]:
    """A map for each input, the same for all of them or another."""
    return {
        slot: affine(axis, channels, seed=0 if alike else slot)
        for slot, (axis, channels) in where.items()
    }


@pytest.mark.parametrize("name", [name for name, each in PASSING.items() if each.up])
def test_a_map_on_the_output_is_maps_on_the_inputs(name: str) -> None:
    passing = PASSING[name]
    site, rule, given = passing.call.site(), passing.call.rule(), arrays(passing.call)
    for axis, channels in passing.up:
        general = affine(axis, channels)
        for number, route in enumerate(rule.pass_up(site, general)):
            assert facts(route.needs) == passing.needs
            special = fulfilling(route.needs, general)
            maps = rule.pass_up(site, special)[number].maps
            mapped = [applied(maps.get(slot), array) for slot, array in enumerate(given)]
            wanted = applied(special, np.asarray(passing.compute(*given)))
            np.testing.assert_allclose(passing.compute(*mapped), wanted, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, each in PASSING.items() if each.down])
def test_maps_on_the_inputs_are_a_map_on_the_output(name: str) -> None:
    passing = PASSING[name]
    site, rule, given = passing.call.site(), passing.call.rule(), arrays(passing.call)
    for where in passing.down:
        general = drawn(where, passing.alike)
        route = rule.pass_down(site, general)
        assert facts(route.needs) == passing.needs
        maps = {slot: fulfilling(route.needs, each) for slot, each in general.items()}
        (found,) = rule.pass_down(site, maps).maps.values()
        mapped = [applied(maps.get(slot), array) for slot, array in enumerate(given)]
        wanted = applied(found, np.asarray(passing.compute(*given)))
        np.testing.assert_allclose(passing.compute(*mapped), wanted, atol=1e-12)


ONES = np.ones(4)
CHANNELS, STEPS, ALL = (2, 4), (1, 6), (None, 1)

# A call, the axis and channels of a map on its output, and why it stays there.
STOPS_UP: tuple[tuple[Call, tuple[Axis, int], str], ...] = (
    (Call("add", (LINE,), LINE, args=(ONES,)), CHANNELS, "fixed-weights"),
    (Call("Add", (LINE, (None, 6, 1)), LINE), CHANNELS, "channel-axis"),
    (Call("Add", (LINE, (None, 4)), LINE), CHANNELS, "channel-axis"),
    (Call("Add", (LINE, None), LINE), CHANNELS, "channel-axis"),
    (Call("Add", (LINE, LINE), None), CHANNELS, "channel-axis"),
    (Call("Add", (LINE, LINE), LINE), (2, 3), "channel-axis"),
    (Call("subtract", (LINE,), LINE, args=(1.0,)), CHANNELS, "fixed-weights"),
    (Call("Subtract", (LINE, (None, 1, 4)), LINE), STEPS, "channel-axis"),
    (Call("Average", (LINE, (None, 1, 4)), LINE), STEPS, "channel-axis"),
    (Call("multiply", (LINE,), LINE, args=(ONES,)), CHANNELS, "fixed-weights"),
    (Call("Multiply", ((None, 6, 1), (None, 6, 1)), LINE), CHANNELS, "channel-axis"),
    (Call("maximum", (LINE,), LINE, args=(0.0,)), CHANNELS, "fixed-weights"),
    (Call("Maximum", (LINE, (None, 6, 1)), LINE), CHANNELS, "channel-axis"),
    (Call("divide", (LINE, LINE), LINE, args=(2.0, Value(0))), CHANNELS, "nonlinear"),
    (Call("divide", (LINE,), LINE, args=(2.0,)), CHANNELS, "fixed-weights"),
    (Call("divide", ((None, 6, 1), LINE), LINE), CHANNELS, "channel-axis"),
    (Call("Concatenate", (LINE, None), (None, 6, 7), {"axis": 2}), CHANNELS, "unknown-shape"),
    (Call("Concatenate", (LINE, LINE), None, {"axis": 2}), CHANNELS, "unknown-shape"),
    (Call("Concatenate", (LINE, LINE), (None, 6, 9), {"axis": 2}), CHANNELS, "unknown-shape"),
    (
        Call("Concatenate", (LINE, (None, 6, None)), (None, 6, None), {"axis": 2}),
        CHANNELS,
        "unknown-shape",
    ),
    (Call("concatenate", (LINE, LINE), (None, 6, 8)), CHANNELS, "unknown-shape"),
    (
        Call("concatenate", (LINE,), (None, 6, 8), args=([Value(0), ONES], 2)),
        CHANNELS,
        "unknown-shape",
    ),
    (
        Call("concatenate", (LINE, LINE), (None, 6, 12), args=([Value(0), Value(1), ONES], 2)),
        CHANNELS,
        "unknown-shape",
    ),
    (Call("get_item", (LINE,), (None, 4), args=((0, ONES),)), CHANNELS, "unknown-shape"),
    (Call("get_item", (None,), (None, 4), args=(0,)), ALL, "unknown-shape"),
    (Call("get_item", (LINE,), (4,), args=((0, 1, 2, 3),)), ALL, "unknown-shape"),
    (Call("get_item", (LINE,), LINE, args=((Ellipsis, Ellipsis),)), ALL, "unknown-shape"),
    (Call("get_item", (LINE,), LINE, kwargs={"key": slice(1.0)}), ALL, "unknown-shape"),
    (Call("get_item", (LINE,), LINE, args=(0, 1)), ALL, "unknown-shape"),
    (Call("get_item", (LINE,), (None, 6, 2), args=((Ellipsis, slice(2)),)), (2, 2), "channel-axis"),
    (Call("split", (LINE,), None, outputs=((None, 6, 2),) * 2), (2, 2), "several-consumers"),
    (Call("split", (None,), None), CHANNELS, "unknown-shape"),
    (Call("mean", (None,), (None, 4), args=(1,)), ALL, "unknown-shape"),
    (Call("mean", (LINE,), (None, 4), kwargs={"axis": ONES}), ALL, "unknown-shape"),
    (Call("mean", (LINE,), (None, 4), kwargs={"axis": (1.5,)}), ALL, "unknown-shape"),
    (Call("max", (LINE,), (None, 4), kwargs={"axis": 1, "initial": 0.0}), (1, 4), "nonlinear"),
    (Call("mean", (LINE,), (None, 4), args=([Value(0)], 1)), (1, 4), "unknown-shape"),
    (Call("matmul", (LINE, FLIPPED), (None, 6, 6)), (2, 6), "channel-axis"),
    (Call("matmul", (LINE,), (None, 6, 4), args=(np.ones((4, 4)),)), ALL, "nonlinear"),
    (Call("Dot", (LINE, FLIPPED), (None, 6, 6), {"normalize": True}), ALL, "nonlinear"),
    (Call("Dot", (LINE, FLIPPED), (None, 6, 6), {"normalize": False}), (1, 6), "channel-axis"),
    (Call("Flatten", (None,), (None, 24)), (1, 24), "unknown-shape"),
    (Call("Flatten", (LINE,), None), (1, 24), "unknown-shape"),
    (Call("Flatten", (LINE,), (None, 20)), (1, 24), "channel-axis"),
    (Call("Permute", (None,), FLIPPED, {"dims": (2, 1)}), CHANNELS, "unknown-shape"),
    (Call("transpose", (LINE,), FLIPPED, args=(Value(0), Value(1))), CHANNELS, "unknown-shape"),
    (Call("transpose", (LINE,), FLIPPED, args=((0, 1, 1),)), CHANNELS, "unknown-shape"),
    (Call("transpose", (LINE,), FLIPPED, args=([Value(0)], (0, 2, 1))), CHANNELS, "unknown-shape"),
    (Call("RepeatVector", ((None, 4),), (None, 3, 4)), (1, 3), "channel-axis"),
    (Call("reshape", (LINE,), (None, 24), args=(ONES, Value(0))), (1, 24), "nonlinear"),
    (Call("Reshape", (None,), (None, 24)), (1, 24), "unknown-shape"),
    (Call("Rescaling", (LINE,), LINE, {"scale": 2.0, "offset": 0.0}), CHANNELS, "fixed-weights"),
    (Call("Normalization", (LINE,), LINE, {"axis": (2,)}), CHANNELS, "fixed-weights"),
    (Call("tanh", (LINE,), LINE), CHANNELS, "nonlinear"),
)


@pytest.mark.parametrize(("call", "where", "reason"), STOPS_UP)
def test_why_a_map_on_the_output_stays(call: Call, where: tuple[Axis, int], reason: str) -> None:
    with pytest.raises(Stop) as stopped:
        call.rule().pass_up(call.site(), affine(*where))
    assert stopped.value.reason == reason


TWO = {0: CHANNELS, 1: CHANNELS}
STOPS_DOWN: tuple[tuple[Call, Mapping[int, tuple[Axis, int]], str], ...] = (
    (Call("add", (LINE,), LINE, args=(ONES,)), {0: CHANNELS}, "fixed-weights"),
    (Call("Add", (LINE, LINE), LINE), {0: CHANNELS, 1: STEPS}, "channel-axis"),
    (Call("Add", ((None, 6, 1), LINE), LINE), {0: CHANNELS}, "channel-axis"),
    (Call("Add", ((None, 4), LINE), LINE), {0: (1, 4)}, "channel-axis"),
    (Call("Average", (LINE, LINE), LINE), {0: STEPS, 1: CHANNELS}, "channel-axis"),
    (Call("Multiply", (LINE, LINE), LINE), {0: CHANNELS, 1: STEPS}, "channel-axis"),
    (Call("Multiply", (LINE, (None, 1, 4)), LINE), {0: CHANNELS, 1: STEPS}, "channel-axis"),
    (Call("Maximum", (LINE, LINE), LINE), TWO, "nonlinear"),
    (Call("Maximum", (LINE, LINE), LINE), {0: CHANNELS}, "nonlinear"),
    (Call("Concatenate", (LINE, None), None, {"axis": 2}), {0: CHANNELS}, "unknown-shape"),
    (Call("Concatenate", (LINE, LINE), (None, 6, 8), {"axis": 2}), {0: STEPS}, "channel-axis"),
    (
        Call("Concatenate", (LINE, LINE), (None, 6, 8), {"axis": 2}),
        {0: STEPS, 1: STEPS},
        "channel-axis",
    ),
    (
        Call("Concatenate", (LINE, LINE), (None, 6, 8), {"axis": 2}),
        {0: CHANNELS, 1: STEPS},
        "channel-axis",
    ),
    (Call("divide", (LINE, LINE), LINE), {1: CHANNELS}, "nonlinear"),
    (Call("divide", (LINE, LINE), LINE), TWO, "nonlinear"),
    (Call("get_item", (LINE,), (None, 4), args=((0, ONES),)), {0: CHANNELS}, "unknown-shape"),
    (Call("get_item", (LINE,), (None, 4), args=((slice(None), 0),)), {0: STEPS}, "channel-axis"),
    (Call("split", (None,), None, outputs=(None,) * 2), {0: CHANNELS}, "unknown-shape"),
    (Call("split", (LINE,), None, outputs=((None, 6, 2),) * 2), TWO, "unknown-shape"),
    (
        Call("split", (LINE,), None, outputs=((None, 6, 2), (None, 6, 1))),
        {0: CHANNELS},
        "unknown-shape",
    ),
    (Call("mean", (LINE,), (None, 4), args=(1,)), {0: STEPS}, "channel-axis"),
    (Call("matmul", (LINE, FLIPPED), (None, 6, 6)), {0: CHANNELS}, "channel-axis"),
    (Call("matmul", (LINE,), LINE, args=(ONES,)), {0: ALL}, "nonlinear"),
    (Call("Flatten", (None,), (None, 24)), {0: CHANNELS}, "unknown-shape"),
    (Call("Flatten", (LINE,), (None, 24)), {0: (2, 5)}, "channel-axis"),
    (Call("Permute", (None,), FLIPPED, {"dims": (2, 1)}), {0: CHANNELS}, "unknown-shape"),
    (Call("RepeatVector", ((None, 4),), (None, 3, 4)), {0: (0, 2)}, "channel-axis"),
    (Call("tanh", (LINE,), LINE), {0: CHANNELS}, "nonlinear"),
    (Call("Dense", (LINE,), LINE), {0: CHANNELS}, "nonlinear"),
)


@pytest.mark.parametrize(("call", "where", "reason"), STOPS_DOWN)
def test_why_maps_on_the_inputs_stay(
    call: Call, where: Mapping[int, tuple[Axis, int]], reason: str
) -> None:
    with pytest.raises(Stop) as stopped:
        call.rule().pass_down(call.site(), drawn(where, alike=False))
    assert stopped.value.reason == reason


def test_a_split_into_one_part_divides_nothing() -> None:
    call, general = Call("split", (LINE,), LINE), affine(*CHANNELS)
    assert call.rule().pass_down(call.site(), {0: general}).maps == {0: general}
    (route,) = call.rule().pass_up(call.site(), general)
    assert route.maps == {0: general}


def test_the_parts_of_a_split_are_mapped_each() -> None:
    call = Call("split", (LINE,), None, outputs=((None, 6, 1), (None, 6, 3)))
    general = affine(*CHANNELS)
    maps = call.rule().pass_down(call.site(), {0: general}).maps
    (array,) = arrays(call)
    parts = np.split(array, [1], -1), np.split(applied(general, array), [1], -1)
    for number, (before, after) in enumerate(zip(*parts, strict=True)):
        np.testing.assert_allclose(applied(maps[number], before), after)
    other = affine(*STEPS)
    assert call.rule().pass_down(call.site(), {0: other}).maps == {0: other, 1: other}


@pytest.mark.parametrize(
    ("call", "weights", "reason"),
    [
        (Call("Rescaling", (None,), None, {"scale": 1.0, "offset": 0.0}), None, "unknown-shape"),
        (Call("Rescaling", (LINE,), LINE, {"scale": "?", "offset": 0.0}), None, "unknown-layer"),
        (Call("Rescaling", (LINE,), LINE, {"scale": 1.0, "offset": None}), None, "unknown-layer"),
        (
            Call("Rescaling", (LINE,), LINE, {"scale": [1.0] * 3, "offset": 0.0}),
            None,
            "channel-axis",
        ),
        (
            Call("Rescaling", (LINE,), LINE, {"scale": [[1.0] * 4], "offset": 0}),
            None,
            "channel-axis",
        ),
        (Call("Rescaling", (LINE,), LINE, {"scale": 1, "offset": [[1.0]]}), None, "channel-axis"),
        (
            Call(
                "Rescaling",
                (LINE,),
                LINE,
                {"scale": [1.0] * 4, "offset": 0.0, "data_format": "channels_first"},
            ),
            None,
            "channel-axis",
        ),
        (Call("Rescaling", (LINE,), LINE, {"scale": np.inf, "offset": 0.0}), None, "non-finite"),
        (Call("Rescaling", (LINE,), LINE, {"scale": 1.0, "offset": np.nan}), None, "non-finite"),
        (Call("Normalization", (None,), None, {"axis": (2,)}), None, "unknown-shape"),
        (Call("Normalization", ((None, 6, None),), None, {"axis": (2,)}), None, "unknown-shape"),
        (Call("Normalization", (LINE,), LINE, {"axis": (1, 2)}), None, "channel-axis"),
        (
            Call(
                "Normalization",
                (LINE,),
                LINE,
                {"axis": (2,), "input_mean": None, "epsilon": 1e-7, "invert": False},
            ),
            {"mean": np.full(4, np.inf), "variance": ONES},
            "non-finite",
        ),
        (
            Call(
                "Normalization",
                (LINE,),
                LINE,
                {"axis": (2,), "input_mean": None, "epsilon": 1e-7, "invert": True},
            ),
            {"mean": ONES, "variance": np.full(4, np.nan)},
            "non-finite",
        ),
        (Call("LayerScale", (None,), None), None, "unknown-shape"),
        (Call("LayerScale", ((None, 6, None),), None), None, "unknown-shape"),
        (Call("LayerScale", (LINE,), LINE), {"gamma": np.ones(6)}, "channel-axis"),
        (Call("LayerScale", (LINE,), LINE), {"gamma": np.full(4, np.nan)}, "non-finite"),
        (Call("BatchNormalization", (LINE,), LINE, {"axis": (1, 2)}), None, "channel-axis"),
        (Call("BatchNormalization", (LINE,), LINE, {"axis": ()}), None, "channel-axis"),
        (
            Call("BatchNormalization", (LINE,), LINE, {"axis": -1, "virtual_batch_size": 2}),
            None,
            "channel-axis",
        ),
        (Call("BatchNormalization", (None,), None, {"axis": -1}), None, "unknown-shape"),
        (Call("BatchNormalization", ((None, 6, None),), None, {"axis": -1}), None, "unknown-shape"),
        (
            Call(
                "BatchNormalization", (LINE,), LINE, {"axis": -1, "scale": False, "epsilon": 1e-3}
            ),
            {"moving_mean": ONES, "moving_variance": -ONES},
            "non-finite",
        ),
        (
            Call("add", ((None, 2, 2),), (None, 2, 2), args=(np.ones((2, 1)),)),
            None,
            "ambiguous-axis",
        ),
        (Call("divide", (LINE,), LINE, args=(0.0,)), None, "non-finite"),
        (Call("multiply", (LINE,), LINE, args=(np.inf,)), None, "non-finite"),
    ],
)
def test_why_a_call_is_no_map(call: Call, weights: Any, reason: str) -> None:
    config = {"scale": True, **call.config} if call.type == "BatchNormalization" else call.config
    site = Call(call.type, call.inputs, call.output, config, call.args).site()
    with pytest.raises(Stop) as stopped:
        call.rule().affine(site, weights)
    assert stopped.value.reason == reason


NORM = {"axis": (2,), "input_mean": None, "epsilon": 1e-7, "invert": False}
EINSUM = {"equation": "abc,cd->abd", "bias_axes": None, "activation": "linear"}
PLAIN = {"axis": (2,), "scale": True, "center": True}
IN, OUT = "before", "after"


@pytest.mark.parametrize(
    ("call", "side", "where", "reason"),
    [
        (
            Call(
                "Rescaling",
                (LINE,),
                LINE,
                {"scale": 1.0, "offset": 0.0, "data_format": "channels_first"},
            ),
            OUT,
            CHANNELS,
            "channel-axis",
        ),
        (
            Call("Rescaling", (LINE,), LINE, {"scale": 1.0, "offset": 0.0}),
            OUT,
            STEPS,
            "channel-axis",
        ),
        (
            Call("Rescaling", (LINE,), LINE, {"scale": 3e38, "offset": 0.0}),
            IN,
            CHANNELS,
            "overflow",
        ),
        (Call("Normalization", (None,), None, NORM), OUT, CHANNELS, "unknown-shape"),
        (Call("Normalization", (LINE,), LINE, NORM), OUT, STEPS, "channel-axis"),
        (Call("Normalization", (LINE,), LINE, NORM), IN, CHANNELS, "scale-negative"),
        (Call("LayerScale", (LINE,), LINE), OUT, STEPS, "channel-axis"),
        (Call("LayerScale", (LINE,), LINE), IN, (2, 3), "channel-axis"),
        (Call("LayerScale", (None,), None), IN, CHANNELS, "unknown-shape"),
        (
            Call("BatchNormalization", (LINE,), LINE, {"axis": (1, 2)}),
            OUT,
            CHANNELS,
            "channel-axis",
        ),
        (Call("BatchNormalization", (LINE,), LINE, {"axis": -1}), OUT, STEPS, "channel-axis"),
        (Call("LayerNormalization", (None,), None, PLAIN), OUT, CHANNELS, "unknown-shape"),
        (Call("LayerNormalization", (LINE,), (None, 6, None), PLAIN), OUT, ALL, "unknown-shape"),
        (Call("LayerNormalization", (LINE,), LINE, PLAIN), OUT, STEPS, "channel-axis"),
        (
            Call("LayerNormalization", (LINE,), LINE, {**PLAIN, "rms_scaling": True}),
            OUT,
            CHANNELS,
            "nonlinear",
        ),
        (Call("GroupNormalization", (LINE,), LINE, PLAIN), OUT, (2, 3), "channel-axis"),
        (Call("GroupNormalization", (LINE,), LINE, {"axis": None}), OUT, (2, 4), "unknown-shape"),
        (Call("RMSNormalization", (LINE,), LINE, {"axis": (1, 2)}), OUT, CHANNELS, "channel-axis"),
        (Call("RMSNormalization", (LINE,), LINE, {"axis": 1}), OUT, CHANNELS, "channel-axis"),
        (Call("RMSNormalization", (LINE,), LINE, {"axis": -1}), OUT, STEPS, "channel-axis"),
        (Call("EinsumDense", (LINE,), LINE, {**EINSUM, "equation": "?"}), OUT, ALL, "nonlinear"),
        (
            Call("EinsumDense", (LINE,), LINE, {**EINSUM, "equation": "aab,bc->aac"}),
            OUT,
            CHANNELS,
            "nonlinear",
        ),
        (Call("EinsumDense", (None,), LINE, EINSUM), IN, CHANNELS, "unknown-shape"),
        (Call("EinsumDense", (LINE,), None, EINSUM), OUT, CHANNELS, "unknown-shape"),
        (Call("EinsumDense", (LINE,), LINE, EINSUM), OUT, STEPS, "channel-axis"),
        (Call("EinsumDense", (LINE,), LINE, EINSUM), OUT, (2, 3), "channel-axis"),
        (
            Call("EinsumDense", (LINE,), (None, 6, None), EINSUM),
            IN,
            CHANNELS,
            "unknown-shape",
        ),
        (
            Call(
                "EinsumDense", ((None, None, 4),), (None, 4), {**EINSUM, "equation": "abc,cd->ad"}
            ),
            IN,
            CHANNELS,
            "unknown-shape",
        ),
    ],
)
def test_why_a_call_takes_up_no_map(
    call: Call, side: Any, where: tuple[Axis, int], reason: str
) -> None:
    with pytest.raises(Stop) as stopped:
        call.rule().absorb(call.site(), side, {0: affine(*where)})
    assert stopped.value.reason == reason


CONV = {
    "use_bias": True,
    "activation": "linear",
    "padding": "valid",
    "data_format": "channels_last",
    "kernel_size": (1,),
    "strides": (1,),
    "dilation_rate": (1,),
    "groups": 1,
}
FIRST = {**CONV, "data_format": "channels_first"}


@pytest.mark.parametrize(
    ("config", "output", "where", "answer"),
    [
        (CONV, (None, 6, 4), (2, 4), None),
        (FIRST, (None, 4, 6), (1, 4), None),
        (FIRST, (None, 4, 4), (1, 4), "ambiguous-axis"),
        ({**FIRST, "use_bias": False}, (None, 4, 4), (1, 4), "ambiguous-axis"),
        (CONV, (None, 4, 4), (2, 4), None),
        (CONV, (None, 6, 4), (1, 6), "channel-axis"),
        (CONV, None, (2, 4), "unknown-shape"),
        ({**CONV, "activation": "tanh"}, (None, 6, 4), (2, 4), "activation"),
    ],
)
def test_biases_that_some_keras_adds_elsewhere(
    config: Any, output: Shape, where: tuple[Axis, int], answer: str | None
) -> None:
    call = Call("Conv1D", (LINE,), output, config)
    general = affine(*where)
    if answer is None:
        taken = call.rule().absorb(call.site(), "after", {0: general})
        assert taken is not None
        assert not taken.needs
    else:
        with pytest.raises(Stop, match=answer):
            call.rule().absorb(call.site(), "after", {0: general})
    if answer == "ambiguous-axis" and not config["use_bias"]:
        scale = general.scale_only()
        assert call.rule().absorb(call.site(), "after", {0: scale}) is not None


def test_maps_move_along_the_channels_of_shapes_that_are_known() -> None:
    pool = {"data_format": "channels_last", "padding": "valid", "pool_size": 2, "strides": 2}
    known = Call("AveragePooling1D", (LINE,), (None, 3, 4), pool)
    assert known.rule().pass_down(known.site(), {0: affine(2, 4)}).maps[0].axis == 2
    general = affine(None, 1)
    for inputs, output in ((None, (None, 3, 4)), (LINE, None)):
        call = Call("AveragePooling1D", (inputs,), output, pool)
        for asked in (
            lambda each, call=call: call.rule().pass_up(call.site(), each),
            lambda each, call=call: call.rule().pass_down(call.site(), {0: each}),
        ):
            with pytest.raises(Stop, match="unknown-shape"):
                asked(affine(2, 4))
            assert asked(general)


def test_a_batch_norm_of_the_users_own_is_a_map_that_keeps_its_weights() -> None:
    norm = {"axis": -1, "scale": True, "center": True}
    call = Call("BatchNormalization", (LINE,), LINE, norm)
    inherited = Inherited()
    found = inherited.affine(call.site(), None)
    assert found is not None
    assert (found.axis, found.channels) == (2, 4)
    with pytest.raises(Stop, match="own-class"):
        inherited.absorb(call.site(), "after", {0: affine(2, 4)})


@pytest.mark.parametrize("type_", ["LayerNormalization", "GroupNormalization", "RMSNormalization"])
def test_a_map_before_a_normalization_is_not_taken_up(type_: str) -> None:
    call = Call(type_, (LINE,), LINE, PLAIN)
    assert call.rule().absorb(call.site(), "before", {0: affine(*CHANNELS)}) is None


def test_a_normalization_that_was_given_its_statistics_takes_up_nothing() -> None:
    call = Call("Normalization", (LINE,), LINE, {**NORM, "input_mean": 0.5})
    assert call.rule().absorb(call.site(), "after", {0: affine(*CHANNELS)}) is None


def in_steps(call: Call, **node: Any) -> tuple[Rule, Site]:
    """The call of a TimeDistributed of this layer, with the shapes of the wrapper."""
    inner = call.site()
    layer = Layer("steps", "TimeDistributed", config={"layer": inner.layer})
    rule = OURS.rule_for(layer)
    assert rule is not None
    outer = Node(0, (Value(0),), shapes=inner.outputs, **node)
    return rule, Site(layer, outer, inner.inputs, inner.outputs)


DENSE = {"use_bias": True, "activation": "linear"}
FIXED = (2, 6, 4)


def test_what_is_asked_of_a_layer_for_each_step() -> None:
    flat = Call("Permute", (IMAGE,), (None, 5, 4, 6), {"dims": (2, 1)})
    rule, site = in_steps(flat)
    (route,) = rule.pass_up(site, affine(2, 4))
    assert (route.maps[0].axis, route.maps[0].channels) == (3, 4)
    assert rule.pass_down(site, {0: affine(3, 4)}).maps[0].axis == 2
    general = affine(None, 1)
    assert rule.pass_down(site, {0: general}).maps[0] is general
    for asked in (rule.pass_up, lambda site, each: rule.pass_down(site, {0: each})):
        with pytest.raises(Stop, match="channel-axis"):
            asked(site, affine(1, 5))
    rescaled = Call("Rescaling", (IMAGE,), IMAGE, {"scale": [1.0, 2.0, 3.0, 4.0], "offset": 0.0})
    rule, site = in_steps(rescaled)
    own = rule.affine(site, None)
    assert own is not None
    assert (own.axis, own.channels) == (3, 4)
    rule, site = in_steps(Call("Rescaling", (IMAGE,), IMAGE, {"scale": 2.0, "offset": 0.0}))
    own = rule.affine(site, None)
    assert own is not None
    assert own.axis is None
    rule, site = in_steps(Call("Dense", (LINE,), LINE, DENSE))
    assert rule.affine(site, None) is None
    with pytest.raises(Stop, match="nonlinear"):
        rule.pass_down(site, {0: affine(*CHANNELS)})


@pytest.mark.parametrize(
    ("node", "shape", "stops"),
    [
        ({"masked": (True,)}, FIXED, True),
        ({"kwargs": {"mask": Value(1)}}, FIXED, True),
        ({"masked": (True,)}, None, True),
        ({"masked": (True,)}, LINE, False),
        ({"masked": (False,)}, FIXED, False),
        ({}, FIXED, False),
    ],
)
def test_a_step_that_a_mask_hides_may_repeat_another(node: Any, shape: Shape, stops: bool) -> None:
    rule, site = in_steps(Call("ReLU", (shape,), shape), **node)
    if stops:
        with pytest.raises(Stop, match="nonlinear"):
            rule.pass_up(site, affine(*CHANNELS))
    else:
        assert rule.pass_up(site, affine(*CHANNELS))
    if shape is not None:
        rule, site = in_steps(
            Call("Rescaling", (shape,), shape, {"scale": 2.0, "offset": 0.0}), **node
        )
        if stops:
            with pytest.raises(Stop, match="nonlinear"):
                rule.affine(site, None)
        else:
            assert rule.affine(site, None) is not None


@pytest.mark.parametrize("side", [IN, OUT])
@pytest.mark.parametrize("bias_axes", ["d", None])
@pytest.mark.parametrize("shifted", [True, False])
def test_an_einsum_layer_takes_up_a_map(side: Side, bias_axes: str | None, shifted: bool) -> None:
    call = Call("EinsumDense", (LINE,), (None, 6, 5), {**EINSUM, "bias_axes": bias_axes})
    random, (array,) = np.random.default_rng(3), arrays(call)
    weights = {"kernel": random.normal(size=(4, 5))}
    if bias_axes:
        weights["bias"] = random.normal(size=5)
    found = affine(2, 4 if side == IN else 5)
    found = found if shifted else fulfilling((ZERO_SHIFT,), found)

    def result(x: Array, held: Mapping[str, Array]) -> Array:
        return np.einsum("abc,cd->abd", x, held["kernel"]) + held.get("bias", 0.0)

    new = call.rule().absorbed(call.site(), side, weights, {0: found})
    assert new.keys() == ({"kernel", "bias"} if bias_axes or shifted else {"kernel"})
    if side == IN:
        wanted = result(applied(found, array), weights)
    else:
        wanted = applied(found, result(array, weights))
    np.testing.assert_allclose(result(array, new), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "mean", "variance", "trusted"),
    [
        (None, 0.0, 1.0, False),
        (None, 0.0, 2.0, True),
        (None, 3.0, 1.0, True),
        ((0.0,), 0.0, 1.0, True),
        ((3.0,), 3.0, 1.0, True),
    ],
)
def test_statistics_of_zero_and_one_may_be_those_of_a_layer_that_learned_nothing(
    given: Any, mean: float, variance: float, trusted: bool
) -> None:
    call = Call("Normalization", (LINE,), LINE, {**NORM, "input_mean": given})
    found = call.rule().affine(call.site(), {"mean": mean * ONES, "variance": variance * ONES})
    assert found is not None
    assert found.trusted is trusted
