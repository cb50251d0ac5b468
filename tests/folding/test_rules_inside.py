"""Users' rules for layers inside Keras's wrappers: the hook is asked for these as for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.folding.harness import Case, assert_same_outputs, randomise
from tests.kerases import computing_in, load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import Absorbs, Affine, Route, Rule, Stop, explain, fold, plan_fold
    from pytest_layercount.folding.affine import Array
    from pytest_layercount.folding.rule import Side, Site, Weights
    from pytest_layercount.folding.rules.recurrent import Recurrent
    from pytest_layercount.folding.rules.weighted import Dense
    from pytest_layercount.hookspecs import answer_through

    keras = load_keras()
    layers = keras.layers

    class OwnDense(layers.Dense):  # type: ignore[misc,name-defined]
        """Keras's, by another name."""

    class Doubling(layers.Layer):  # type: ignore[misc,name-defined]
        """Twice the input."""

        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    class Scaling(layers.Layer):  # type: ignore[misc,name-defined]
        """The input times a weight for each channel."""

        def build(self, shape: Any) -> None:
            self.factors = self.add_weight(name="factors", shape=(shape[-1],))

        def call(self, inputs: Any) -> Any:
            return inputs * self.factors

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    class ScaleAndShift(layers.Layer):  # type: ignore[misc,name-defined]
        """An affine map with weights of its own."""

        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(shape[-1],))
            self.shift = self.add_weight(name="shift", shape=(shape[-1],))

        def call(self, inputs: Any) -> Any:
            return inputs * self.scale + self.shift

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    class Chosen(ScaleAndShift):  # type: ignore[misc,name-defined]
        """An affine map of the first of two inputs."""

        def build(self, shape: Any) -> None:
            super().build(shape[0])

        def call(self, inputs: Any) -> Any:
            return super().call(inputs[0]) + inputs[1]

        def compute_output_shape(self, shape: Any) -> Any:
            return shape[0]

    class OwnGRU(layers.GRU):  # type: ignore[misc,name-defined]
        """Keras's, by another name."""

    class OwnNormalization(layers.BatchNormalization):  # type: ignore[misc,name-defined]
        """Keras's, by another name."""

    class Linear(Rule):
        """Of what is linear without a shift."""

        def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
            return (Route({0: affine.shift_times(0.5)}),)

        def pass_down(self, site: Site, maps: Mapping[int, Affine]) -> Route:
            return Route({0: maps[0].shift_times(2.0)})

    class Scales(Rule):
        """Of what multiplies each channel by a weight."""

        weights = ("factors",)

        def affine(self, site: Site, weights: Weights | None) -> Affine | None:
            assert site.input is not None
            axis, token = len(site.input) - 1, ("layer", site.layer.path)
            if weights is None:
                return Affine(axis, int(site.input[-1] or 0), token, zero_shift=True)
            factors: Array = weights["factors"]
            return Affine.of(factors, np.zeros_like(factors), axis, token)

    class BothSides(Rule):
        """Of what takes up maps after it and before it."""

        weights = ("scale", "shift")

        def absorb(self, site: Site, side: Side, maps: Mapping[int, Affine]) -> Absorbs:
            return Absorbs()

        def absorbed(
            self, site: Site, side: Side, weights: Weights, maps: Mapping[int, Affine]
        ) -> dict[str, Array]:
            (a, b), (scale, shift) = (weights["scale"], weights["shift"]), maps[0].arrays()
            if side == "after":
                return {"scale": scale * a, "shift": scale * b + shift}
            return {"scale": a * scale, "shift": a * shift + b}

    class EachSide(Rule):
        """The same, with a method for each side."""

        weights = ("scale", "shift")

        def absorb_after(self, site: Site, affine: Affine) -> Absorbs | Stop:
            fits = site.output is not None and affine.axis == len(site.output) - 1
            return Absorbs() if fits else Stop("channel-axis")

        def absorb_before(self, site: Site, affine: Affine) -> Absorbs | Stop:
            fits = site.input is not None and affine.axis == len(site.input) - 1
            return Absorbs() if fits else Stop("channel-axis")

        def after(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
            return BothSides().absorbed(site, "after", weights, {0: affine})

        def before(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
            return BothSides().absorbed(site, "before", weights, {0: affine})

    class OfSeveral(EachSide):
        """It minds which input a map is on, and has methods that know but one."""

        several = True

    class Raising(Rule):
        """It says no, and why, to every question."""

        def affine(self, site: Site, weights: Weights | None) -> Affine:
            raise Stop("lora")

        def absorb_after(self, site: Site, affine: Affine) -> Absorbs:
            raise Stop("quantized")

        def absorb_before(self, site: Site, affine: Affine) -> Absorbs:
            raise Stop("fixed-weights")

        def pass_down(self, site: Site, maps: Mapping[int, Affine]) -> Route:
            raise Stop("unknown-shape", "another")

    class Returning(Rule):
        """The same, returned."""

        def affine(self, *args: Any) -> Any:
            return Stop("lora")

        def absorb_after(self, *args: Any) -> Any:
            return Stop("quantized")

        def absorb_before(self, *args: Any) -> Any:
            return Stop("fixed-weights")

        def pass_down(self, *args: Any) -> Any:
            return Stop("unknown-shape", "another")

    RULES: dict[str, Rule] = {
        "Doubling": Linear(),
        "OwnDense": Dense(),
        "OwnGRU": Recurrent(),
        "Scaling": Scales(),
    }


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """The types of the layers for which the hook was asked; it answers from ``RULES``."""
    types: list[str] = []

    def answer(layer: Any) -> Rule | None:
        types.append(type(layer).__name__)
        return RULES.get(type(layer).__name__)

    stop = answer_through(answer)
    yield types
    stop()


def chain(shape: tuple[int, ...], *parts: Any) -> Any:
    entry = tensor = keras.Input(shape)
    for part in parts:
        tensor = part(tensor)
    model = keras.Model(entry, tensor)
    randomise(model, 5, (1e-2, 10.0))
    return model


def bn() -> Any:
    return layers.BatchNormalization(name="bn")


def each(layer: Any) -> Any:
    return layers.TimeDistributed(layer, name="each")


def both(layer: Any) -> Any:
    with keras.utils.custom_object_scope({"OwnGRU": OwnGRU}):  # it is copied from its settings
        return layers.Bidirectional(layer, name="both")


INSIDE: dict[str, tuple[Callable[[], Any], str, str]] = {
    "absorbs after": (lambda: chain((5, 4), each(OwnDense(3)), bn()), "OwnDense", "bn>each"),
    "absorbs before": (lambda: chain((5, 4), bn(), each(OwnDense(3))), "OwnDense", "bn>each"),
    "gains a bias": (
        lambda: chain((5, 4), bn(), each(OwnDense(3, use_bias=False))),
        "OwnDense",
        "bn>each",
    ),
    "two deep": (
        lambda: chain((5, 2, 4), each(layers.TimeDistributed(OwnDense(3))), bn()),
        "OwnDense",
        "bn>each",
    ),
    "lets it through": (
        lambda: chain((5, 4), layers.Dense(3, name="dense"), each(Doubling()), bn()),
        "Doubling",
        "bn>dense",
    ),
    "is a map": (
        lambda: chain((5, 4), layers.Dense(3, name="dense"), each(Scaling())),
        "Scaling",
        "each>dense",
    ),
    "both ways": (lambda: chain((5, 4), bn(), both(OwnGRU(3))), "OwnGRU", "bn>both"),
    "both ways, each step": (
        lambda: chain((2, 5, 4), bn(), each(both(OwnGRU(3)))),
        "OwnGRU",
        "bn>each",
    ),
}
"""How a model is built, the type for which the hook is asked, and what is folded."""


@pytest.mark.parametrize("kind", INSIDE)
def test_the_hook_answers_for_a_layer_in_a_wrapper(kind: str, asked: list[str]) -> None:
    build, type_, expected = INSIDE[kind]
    with computing_in("float64"):
        model = build()
        planned = plan_fold(model)
        assert set(asked) == {type_}
        result = fold(model)
        assert [f"{one.layer}>{one.into[0]}" for one in result.folds] == [expected]
        assert [one.layer for one in planned.folds] == [one.layer for one in result.folds]
        assert not result.refusals
        assert_same_outputs(model, result.model, Case(kind, lambda kit: model, "", ""))


def test_a_batch_norm_by_another_name_folds_in_a_wrapper() -> None:
    with computing_in("float64"):
        model = chain((5, 4), layers.Dense(3, name="dense"), each(OwnNormalization()))
        result = fold(model)
        assert [(one.layer, one.into) for one in result.folds] == [("each", ("dense",))]
        assert_same_outputs(model, result.model, Case("own", lambda kit: model, "", ""))


@pytest.mark.parametrize(
    ("build", "blocker"),
    [
        (lambda: chain((5, 4), each(Doubling(name="own")), bn()), "each/own"),
        (lambda: chain((2, 5, 4), each(each(Doubling(name="own"))), bn()), "each/each/own"),
        (lambda: chain((5, 4), bn(), both(OwnGRU(3, name="own"))), "both/forward_own"),
    ],
    ids=["each step", "two deep", "both ways"],
)
def test_the_layer_inside_is_named_where_no_hook_answers(
    build: Callable[[], Any], blocker: str
) -> None:
    (refusal,) = plan_fold(build()).refusals
    assert (refusal.reason, refusal.blocker) == ("unknown-layer", blocker)


def test_a_file_is_loaded_where_a_hook_may_answer_inside(asked: list[str], tmp_path: Any) -> None:
    path = str(tmp_path / "model.keras")
    with keras.utils.custom_object_scope({"OwnDense": OwnDense}):
        chain((5, 4), each(OwnDense(3)), bn()).save(path)
        (folded,) = plan_fold(path, resolve=True).folds
    assert (folded.layer, folded.into) == ("bn", ("each",))
    assert asked


@pytest.mark.parametrize("wrap", [lambda layer: layer, each], ids=["alone", "each step"])
@pytest.mark.parametrize("kind", ["Raising", "Returning"])
def test_a_rule_says_no_by_raising_a_stop_or_returning_it(
    kind: str, wrap: Callable[[Any], Any], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "Doubling", {"Raising": Raising, "Returning": Returning}[kind]())
    own = wrap(Doubling(name="own"))
    after = layers.BatchNormalization(name="after")
    refusals = plan_fold(chain((5, 4), bn(), own, after)).refusals
    assert [(no.layer, no.reason, no.blocker) for no in refusals] == [
        ("bn", "unknown-shape", "another"),
        (own.name, "lora", own.name),
        ("after", "quantized", own.name),
    ]
    assert asked


@pytest.mark.parametrize("wrap", [lambda layer: layer, each], ids=["alone", "each step"])
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("kind", ["BothSides", "EachSide"])
def test_a_rule_absorbs_on_either_side(
    kind: str,
    side: str,
    wrap: Callable[[Any], Any],
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = {"BothSides": BothSides, "EachSide": EachSide}[kind]()
    monkeypatch.setitem(RULES, "ScaleAndShift", rule)
    with computing_in("float64"):
        own = wrap(ScaleAndShift(name="own"))
        parts = [layers.ReLU(), own, bn()] if side == "after" else [bn(), own, layers.ReLU()]
        model = chain((5, 4), *parts)
        result = fold(model)
        assert [(one.layer, one.into, one.rule) for one in result.folds] == [
            ("bn", (own.name,), side)
        ]
        assert_same_outputs(model, result.model, Case(kind, lambda kit: model, "", ""))


@pytest.mark.parametrize("normalized", [(0,), (1,), (0, 1)])
def test_a_method_for_one_side_knows_one_input(
    normalized: tuple[int, ...], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "Chosen", OfSeveral())
    entries = [keras.Input((4,)), keras.Input((4,))]
    norm = bn()
    parts = [norm(x) if slot in normalized else x for slot, x in enumerate(entries)]
    plan = plan_fold(keras.Model(entries, layers.ReLU()(Chosen(name="own")(parts))))
    assert [fold.into for fold in plan.folds] == ([("own",)] if normalized == (0,) else [])
    assert {(no.reason, no.blocker) for no in plan.refusals} <= {("nonlinear", "own")}
    assert len(plan.folds) + len(plan.refusals) == 1


def test_the_rule_of_a_shared_layer_answers_for_its_copies(asked: list[str]) -> None:
    with computing_in("float64"):
        entry, dense = keras.Input((4,)), OwnDense(3, name="dense")
        ends = [bn()(dense(entry)), layers.BatchNormalization(name="other")(dense(entry * 2))]
        model = keras.Model(entry, ends)
        randomise(model, 5, (1e-2, 10.0))
        result = fold(model, unshare=True)
        assert {one.into[0] for one in result.folds} == {"dense", "dense_2"}
        assert_same_outputs(model, result.model, Case("copies", lambda kit: model, "", ""))


@pytest.mark.parametrize("wrap", [lambda layer: layer, each], ids=["alone", "each step"])
def test_explaining_knows_the_rules_of_users(wrap: Callable[[Any], Any], asked: list[str]) -> None:
    with computing_in("float64"):
        model = chain((5, 4), layers.Dense(3), wrap(Scaling(name="own")), layers.ReLU())
        (cause,) = explain(model, fold(model).model).causes
        assert (cause.code, cause.delta, cause.confirmed) == ("affine-folded", -1, True)
