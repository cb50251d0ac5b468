"""Two models on the same inputs: how far apart they are, and where it starts.

Both models are rebuilt in float64, where a correct fold and a wrong one part:
what is left of a correct one is the rounding of its weights. How much that may
be is not a constant but measured on this model: its weights are moved at
random by half a unit in the last place, and a channel may differ by at most
four times what that does to it.

Where the layers of the two models correspond, as those of a model and its fold
do, every layer is also compared on its own, on random inputs of its own.

Beside the copies both models are run as they are, and held to each other and to
the copies: see :mod:`pytest_layercount.folding.equivalence.beside`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.folding.build import unique_names
from pytest_layercount.folding.equivalence.bench import Bench, Measurement, Start
from pytest_layercount.folding.equivalence.beside import (
    Chosen,
    Finding,
    Sides,
    chosen_inputs,
    held_to_copy,
    held_together,
)
from pytest_layercount.folding.equivalence.correspond import Correspondence, corresponding, kept
from pytest_layercount.folding.equivalence.gap import Gap, worse, worst_of
from pytest_layercount.folding.equivalence.inputs import wide_inputs
from pytest_layercount.folding.equivalence.noise import rounding_unit
from pytest_layercount.folding.equivalence.original import Original
from pytest_layercount.folding.equivalence.randomise import is_untrained, plain_copy, randomise
from pytest_layercount.folding.equivalence.run import output_names
from pytest_layercount.folding.equivalence.specs import input_specs
from pytest_layercount.folding.fold import FoldResult, fold_opened
from pytest_layercount.folding.opened import Taught, open_as, open_to_fold, taught
from pytest_layercount.folding.plan import Plan
from pytest_layercount.model.graph import Shape, values_in
from pytest_layercount.model.keras.load import trusting_stored_code
from pytest_layercount.model.readers import live_model
from pytest_layercount.model.readers.live import OpenModel, open_model


@dataclass(frozen=True)
class OutputDifference:
    """One value of both models, by its worst channel. All numbers are absolute."""

    name: str
    difference: float
    limit: float
    magnitude: float

    @property
    def equivalent(self) -> bool:
        """Whether rounding explains the difference."""
        return self.difference <= self.limit


@dataclass(frozen=True)
class Equivalence:
    """How two models compare.

    ``layers`` are the layers whose output differs while their inputs agree, by
    path, in the order of the model. ``compared`` is the number of layer outputs
    compared so; a layer that was copied is compared by its weights. ``dtype`` is
    the type in which copies of both models were run. ``cause`` is a sentence where
    these agree and the models themselves do not, each run as it is.
    """

    outputs: tuple[OutputDifference, ...]
    layers: tuple[OutputDifference, ...]
    compared: int
    dtype: str
    seed: int
    cause: str = ""

    @property
    def equivalent(self) -> bool:
        """Whether the models agree, as a whole and layer by layer."""
        return not self.layers and all(output.equivalent for output in self.outputs)

    @property
    def worst(self) -> OutputDifference:
        """The output furthest beyond its limit; the first such layer if no output is."""
        worst = max(self.outputs, key=lambda output: output.difference / output.limit)
        return self.layers[0] if worst.equivalent and self.layers else worst

    @property
    def first(self) -> str:
        """The first layer that differs while its inputs agree; empty if none was found."""
        return self.layers[0].name if self.layers else ""


@dataclass(frozen=True)
class FoldCheck:
    """A fold and whether it changed the outputs.

    ``randomised`` says that the model had untrained batch normalizations, so
    that a copy with random statistics was folded and compared instead.
    """

    result: FoldResult
    equivalence: Equivalence
    randomised: bool


def check_fold(
    model: Any, *, inputs: Any = None, seed: int = 0, trust_stored_code: bool = False
) -> FoldCheck:
    """Fold ``model``, and compare the result with it by :func:`check_equivalence`.

    Raises:
        ModelError: as ``fold`` and ``check_equivalence``.
    """
    with trusting_stored_code(trust_stored_code):
        whole = open_to_fold(open_model(live_model(model)))
    original = Original(whole)
    chosen = chosen_inputs(original, inputs, seed)
    if not is_untrained(whole):
        result = fold_opened(whole)
        return FoldCheck(result, _compared(whole, result, chosen, seed), randomised=False)
    # The copy is held to the model before its statistics change: afterwards nothing could be. From
    # then on the copy stands for the model, and is folded and compared in its place.
    copy = plain_copy(whole)
    finding = held_to_copy(original, Original(open_model(copy)), chosen)
    randomise(whole, copy, seed)
    opened = _named_like(taught(open_model(copy)), whole)
    result = fold_opened(opened)
    equivalence = _compared(opened, result, chosen, seed, is_copy=True)
    return FoldCheck(result, _with_finding(equivalence, finding), randomised=True)


def _named_like(copy: Taught, original: OpenModel) -> Taught:
    """Give the layers of ``copy`` the paths of the original's.

    The copy is built flat, without models inside, so its names are those of ``unique_names``.
    """
    graph = original.graph
    paths = {
        name: layer.path for name, layer in zip(unique_names(graph), graph.layers, strict=True)
    }
    layers = tuple(
        replace(layer, path=paths.get(layer.path, layer.path)) for layer in copy.graph.layers
    )
    graph = replace(copy.graph, layers=layers, top=graph.top)
    return replace(copy, graph=graph, opened=original.opened, whole=original.whole)


def check_equivalence(
    model: Any,
    other: Any,
    *,
    inputs: Any = None,
    seed: int = 0,
    trust_stored_code: bool = False,
) -> Equivalence:
    """Compare the inference outputs of two models.

    Both are given the same inputs: ``inputs`` in the form that ``model`` takes,
    or seeded ones made from its input specification. Outputs are compared
    before a last softmax, sigmoid or tanh, which would hide differences, and after it.

    If ``other`` is a model folded from ``model`` with the default passes, or the
    result of any ``fold``, the models are also compared layer by layer; so are
    two models of the same structure. A result is compared on the outputs kept.

    Raises:
        ModelError: one of them is not a model, their inputs or outputs do not
            correspond, ``inputs`` are not what the model takes, or the outputs
            are not finite.
    """
    with trusting_stored_code(trust_stored_code):
        read = open_model(live_model(model))
        other = live_model(other) if isinstance(other, (str, Path)) else other
    folded = isinstance(other, FoldResult)
    whole = open_as(read, other.opened) if folded else open_to_fold(read)
    part = kept(whole, other.plan) if folded else whole
    return _compared(whole, other, chosen_inputs(Original(whole), inputs, seed, part), seed)


def _compared(
    whole: OpenModel, other: Any, chosen: Chosen, seed: int, *, is_copy: bool = False
) -> Equivalence:
    plan, one = None, whole
    if isinstance(other, FoldResult):
        plan, other = other.plan, other.model
        one = kept(whole, plan)
    # A model that was folded is read again like any other: its layers, not what the fold says of
    # them.
    two = open_to_fold(open_model(live_model(other)))
    _check_ends(one, two)
    # Numbers of the whole model's inputs and outputs: fold(outputs=) may have kept only some.
    entries, exits = (_places(whole, what, plan) for what in ("inputs", "outputs"))
    inputs = [chosen.arrays[number] for number in entries]
    bench, start, measured = _measured(one, two, corresponding(one, two, plan), inputs, seed)
    outputs = _outputs(one, bench, [measured.ends, *_wide_ends(bench, one, inputs, seed)])
    layers = [layer for layer in _layers(one, bench, measured) if not layer.equivalent]
    equivalence = Equivalence(
        outputs, tuple(layers), bench.compared, bench.dtype or "its own type", seed
    )
    # Where copies in float64 differ, the models do; running these can only add to what is known.
    if not equivalence.equivalent:
        return equivalence
    sides = Sides(Original(whole), Original(two), entries, exits, bench, start, measured)
    return _with_finding(equivalence, held_together(sides, chosen, is_copy=is_copy))


def _outputs(
    one: OpenModel, bench: Bench, measured: list[list[Gap]]
) -> tuple[OutputDifference, ...]:
    """Each output at its worst, of all measurements.

    Raises:
        ModelError: outputs are not finite.
    """
    gaps: dict[int, Gap] = {}
    for ends in measured:
        for place, gap in zip(bench.places, ends, strict=True):
            # An output that ends in an activation is measured before and after it, and on integers
            # twice.
            gaps[place] = worse(gaps[place], gap) if place in gaps else gap
    if not all(np.isfinite(gap.magnitude).all() for gap in gaps.values()):
        raise ModelError(
            f"the outputs of model {one.graph.name!r} are not finite, so nothing can be "
            "compared; check its weights, or give realistic inputs="
        )
    return tuple(_difference(name, gaps[place]) for place, name in enumerate(output_names(one)))


def _layers(one: OpenModel, bench: Bench, measured: Measurement) -> list[OutputDifference]:
    gaps: dict[str, Gap] = {}
    for (value, _), gap in zip(bench.changed, measured.segments, strict=True):
        path = one.graph.layer_of(value.node).path
        gaps[path] = worse(gaps[path], gap) if path in gaps else gap
    return [_difference(path, gap) for path, gap in gaps.items()]


def _with_finding(equivalence: Equivalence, finding: Finding | None) -> Equivalence:
    """``equivalence`` with what the models themselves show, if their copies agree."""
    if finding is None or not equivalence.equivalent:
        return equivalence
    outputs = list(equivalence.outputs)
    for place, gap in finding.outputs.items():
        outputs[place] = _difference(outputs[place].name, gap)
    layers = () if finding.layer is None else (_difference(*finding.layer),)
    return replace(equivalence, outputs=tuple(outputs), layers=layers, cause=finding.cause)


def _places(whole: OpenModel, what: str, plan: Plan | None) -> list[int]:
    """The numbers of the inputs or outputs of the model that ``plan`` keeps; all without a plan."""
    values = list(values_in(getattr(whole.graph, what)))
    if plan is None:
        return list(range(len(values)))
    numbers = {plan.values[v]: n for n, v in enumerate(values) if v in plan.values}
    return [numbers[value] for value in values_in(getattr(plan.graph, what))]


def _measured(
    one: OpenModel, two: OpenModel, values: Correspondence, inputs: list[Any], seed: int
) -> tuple[Bench, Start, Measurement]:
    """Measure both models in float64, or in their own types where that cannot be.

    A layer may insist on its own type, and TensorFlow has no float64 kernel for
    some operations (AveragePooling3D on a CPU).
    """
    unit = max(rounding_unit(one.model), rounding_unit(two.model))

    def measured(dtype: str | None) -> tuple[Bench, Start, Measurement]:
        bench = Bench(one, two, *values, dtype)
        start = bench.start(inputs)
        return bench, start, bench.measure(start, unit, seed)

    with suppress(Exception):  # whatever such a layer raises
        return measured("float64")
    try:
        return measured(None)
    except Exception as error:
        raise ModelError(
            f"copies of {one.graph.name!r} and {two.graph.name!r} cannot be run as the models can "
            f"({first_line(error)})"
        ) from error


def _wide_ends(bench: Bench, one: OpenModel, inputs: list[Any], seed: int) -> list[list[Gap]]:
    """The gaps at the outputs on integers from all of their type, where the model takes these."""
    arrays = wide_inputs(input_specs(one), inputs, np.random.default_rng(seed))
    if arrays is None:
        return []
    unit = max(rounding_unit(opened.model) for opened in bench.opened)
    try:
        ends = bench.measure(bench.start(arrays), unit, seed).ends
    except Exception:  # noqa: BLE001  what looks something up raises for most integers
        return []
    # What overflows on integers of any size says nothing about the models.
    return [ends] if all(np.isfinite(gap.magnitude).all() for gap in ends) else []


def _difference(name: str, gap: Gap) -> OutputDifference:
    """The numbers of the worst channel."""
    ratio, channel = worst_of(gap)
    # NaN in one model alone is no number to show; ``worst_of`` makes it infinitely many limits.
    difference = float(gap.difference[channel]) if np.isfinite(ratio) else float("inf")
    return OutputDifference(
        name, difference, float(gap.limit[channel]), float(gap.magnitude[channel])
    )


def _check_ends(one: OpenModel, two: OpenModel) -> None:
    for what in ("inputs", "outputs"):
        ours, theirs = (_shapes(opened, what) for opened in (one, two))
        if len(ours) != len(theirs) or not all(map(_compatible, ours, theirs)):
            raise ModelError(
                f"the models cannot be compared: the {what} of {one.graph.name!r} have the "
                f"shapes {ours}, those of {two.graph.name!r} {theirs}"
            )


def _shapes(opened: OpenModel, what: str) -> list[Shape]:
    return [opened.graph.shape(value) for value in values_in(getattr(opened.graph, what))]


def _compatible(one: Shape, two: Shape) -> bool:
    if one is None or two is None:
        return True
    return len(one) == len(two) and all(
        a == b or a is None or b is None for a, b in zip(one, two, strict=True)
    )
