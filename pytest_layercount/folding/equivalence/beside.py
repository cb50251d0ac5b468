"""The models themselves beside their copies: whether these compute what the models compute.

Each model is run as it is, in its own precision, on the inputs on which the copies are
compared and on one sample alone, of other sizes where these are free. How far apart two such
runs may be is measured as well: by what rounding the weights does, and where that is not
enough by what the model itself makes of inputs that have moved by a unit in the last place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.equivalence.bench import Bench, Measurement, Start
from pytest_layercount.folding.equivalence.copies import random_calls
from pytest_layercount.folding.equivalence.gap import Gap, channel_axis, gap_of
from pytest_layercount.folding.equivalence.inputs import (
    UNEQUAL_SIZES,
    InputSpec,
    candidate_inputs,
    fitted,
    lone_inputs,
)
from pytest_layercount.folding.equivalence.noise import rounding_unit
from pytest_layercount.folding.equivalence.original import (
    ARITHMETIC,
    DRAWS,
    Original,
    Outputs,
    finite_parts,
    first_unlike,
    moved_inputs,
    rounded,
    shaken,
)
from pytest_layercount.folding.equivalence.specs import input_specs
from pytest_layercount.model.graph import values_in
from pytest_layercount.model.readers.live import OpenModel

UNLIKE_COPY = (
    "run as it is, {!r} computes something else than a copy made from its configuration: "
    "get_config() leaves something out, or call() depends on more than its inputs and weights"
)
APART = "run as they are, in their own precision, the models differ; copies in float64 agree"
APART_ALONE = "the models differ on one sample alone: call() depends on the sizes of its inputs"
RANDOM = (
    "layer {!r} draws random numbers at inference, because it is called with training=True; "
    "the other model has no such layer"
)


@dataclass(frozen=True)
class Chosen:
    """Inputs that a model can be run on, and its outputs; ``lone`` is one sample alone.

    It is None where the model cannot be run on one sample, or ``arrays`` are one.
    """

    arrays: list[Any]
    outputs: list[Any]
    lone: list[Any] | None
    lone_outputs: list[Any]


@dataclass(frozen=True)
class Finding:
    """What the models themselves show where their copies agree.

    ``outputs`` are the gaps by output number, ``cause`` a sentence for the user and ``layer``
    the path and gap of the first layer to blame, None where that is not known.
    """

    outputs: dict[int, Gap]
    cause: str
    layer: tuple[str, Gap] | None = None


@dataclass(frozen=True)
class Sides:
    """Two models, those inputs and outputs of the first that the other has, and their copies."""

    one: Original
    two: Original
    inputs: list[int]
    outputs: list[int]
    bench: Bench
    start: Start
    measured: Measurement


def chosen_inputs(
    original: Original, inputs: Any, seed: int, part: OpenModel | None = None
) -> Chosen:
    """``inputs`` if they fit the model, or the first inputs made for it that it can be run on.

    ``part`` is what is left of the model where only some of its inputs are to be given.

    Raises:
        ModelError: ``inputs`` do not fit, or the model cannot be run.
    """
    specs = input_specs(original.opened)
    made = candidate_inputs(specs, lambda: np.random.default_rng(seed), UNEQUAL_SIZES)
    tried = made if inputs is None else [_completed(original, inputs, specs, part, made[0])]
    error: Exception | None = None
    # Rounded to the model's own types first, so that copies in float64 see the very same numbers.
    for arrays in map(original.in_its_types, tried):
        try:
            outputs = original(arrays)
        except Exception as failed:  # noqa: BLE001  whatever its layers raise
            error = failed
            continue
        lone = lone_inputs(specs, arrays, np.random.default_rng(seed + 1), free=inputs is None)
        return Chosen(arrays, outputs, *_first_run(original, lone))
    assert error is not None  # there is always a candidate
    what = "inputs made from its specification" if inputs is None else "these inputs="
    advice = "; give some with inputs=" if inputs is None else ""
    raise ModelError(
        f"model {original.graph.name!r} cannot be run on {what} ({first_line(error)}){advice}"
    ) from error


def _completed(
    original: Original, inputs: Any, specs: list[InputSpec], part: OpenModel | None, made: list[Any]
) -> list[Any]:
    """All inputs of a model, where ``inputs`` may be only those that ``part`` still needs.

    Raises:
        ModelError: ``inputs`` fit neither.
    """
    graph = original.graph
    try:
        return fitted(specs, graph.inputs, inputs)
    except ModelError:
        if part is None or part.graph.inputs == graph.inputs:
            raise
    numbers = {value: number for number, value in enumerate(values_in(graph.inputs))}
    left = [numbers[value] for value in values_in(part.graph.inputs)]
    arrays = fitted([specs[number] for number in left], part.graph.inputs, inputs)
    # Inputs that were not given belong to outputs that are gone: their numbers do not matter, but
    # the whole model is run and wants as many samples of each.
    batch = max((len(array) for array in arrays), default=1)
    full = [np.resize(array, (batch, *array.shape[1:])) for array in made]
    for number, array in zip(left, arrays, strict=True):
        full[number] = array
    return full


def _first_run(original: Original, tried: list[list[Any]]) -> tuple[list[Any] | None, list[Any]]:
    for arrays in map(original.in_its_types, tried):
        try:
            return arrays, original(arrays)
        except Exception:  # noqa: BLE001, S112  sizes that do not fit
            continue
    return None, []


def held_to_copy(model: Original, copy: Original, chosen: Chosen) -> Finding | None:
    """Find where a copy in the model's own precision differs from the model; None if nowhere."""
    runs = [(chosen.arrays, chosen.outputs), (chosen.lone, chosen.lone_outputs)]
    for inputs, outputs in runs:
        if inputs is not None:
            # How far the model is from itself, on inputs that have moved a little, is what a copy
            # may be.
            rerun = model, inputs, outputs
            noise = _Noise(_own_noise(model.opened, inputs, model, [rerun]))
            gaps = _held(outputs, _run(copy, inputs), model, noise)
            if gaps:
                return _unlike(model, inputs, gaps)
    return None


def held_together(sides: Sides, chosen: Chosen, *, is_copy: bool) -> Finding | None:
    """Find where the models differ from their copies or from each other; None if nowhere.

    A model that is a copy of our own (``is_copy``) has no run to hold anything to.
    """
    # First of all: numbers that are drawn anew would look like any of the other faults.
    random = _random_in_one(sides, chosen)
    if random is not None:
        return random
    original, two = sides.one, sides.two
    inputs = [chosen.arrays[number] for number in sides.inputs]
    ours, theirs = _kept(sides, chosen.outputs), _run(two, inputs)
    # Of two ends at a place the later one wins: the output after its last activation.
    after = dict(zip(sides.bench.places, sides.bench.ends, strict=True)).values()
    copied = [np.asarray(sides.start.outputs[o]) for o, _ in after]
    copied_other = [np.asarray(sides.measured.outputs[t]) for _, t in after]
    again = (_Part(original, sides.outputs), chosen.arrays, ours), (two, inputs, theirs)
    # With ``is_copy`` the outputs that were chosen are those of the user's model, before the copy
    # got random statistics: another run of the copy cannot be held to them.
    noise = _Noise(_noise(sides, inputs, again[1:] if is_copy else again))
    # Each model to its copy before both to each other: then the cause can be named. One that hands
    # its own flag to all layers computes something else than copies that are called one by one.
    gaps = {} if two.overrides else _held(theirs, copied_other, two, noise)
    if gaps:
        return _unlike(two, inputs, gaps)
    if is_copy:
        return None
    gaps = {} if original.overrides else _held(ours, copied, two, noise)
    if gaps:
        return _unlike(original, chosen.arrays, gaps)
    gaps = _held(ours, theirs, two, noise)
    return Finding(gaps, APART) if gaps else _held_alone(sides, chosen)


def _held_alone(sides: Sides, chosen: Chosen) -> Finding | None:
    """Find where the models differ on one sample alone; None if nowhere."""
    if chosen.lone is None:
        return None
    inputs = [chosen.lone[number] for number in sides.inputs]
    ours, theirs = _kept(sides, chosen.lone_outputs), _run(sides.two, inputs)
    part = _Part(sides.one, sides.outputs)
    again = (part, chosen.lone, ours), (sides.two, inputs, theirs)
    noise = _Noise(_noise(sides, inputs, again))
    gaps = _held(ours, theirs, sides.two, noise)
    return Finding(gaps, APART_ALONE) if gaps else None


def _random_in_one(sides: Sides, chosen: Chosen) -> Finding | None:
    """Find a layer that is random at inference and has no like in the other model."""
    inputs = [chosen.arrays[number] for number in sides.inputs]
    ours, theirs = map(random_calls, sides.bench.opened)
    whole = _Part(sides.one, sides.outputs)
    for model, arrays, here, there in (
        (whole, chosen.arrays, ours, theirs),
        (sides.two, inputs, theirs, ours),
    ):
        left = [kind for kind, _ in there]
        for kind, path in here:
            # Each random call of one model has at most one like it in the other.
            if kind in left:
                left.remove(kind)
                continue
            # Called with ``training=True`` is not yet random: a rate of 0 draws nothing that shows.
            runs = enumerate(model.differ(arrays))
            gaps = {place: gap_of(first, second, -1) for place, (first, second) in runs}
            apart = {place: gap for place, gap in gaps.items() if not gap.explained}
            if apart:
                return Finding(apart, RANDOM.format(path), (path, next(iter(apart.values()))))
    return None


class _Part:
    """A model of which only the outputs with these numbers count."""

    def __init__(self, model: Original, outputs: Sequence[int]) -> None:
        self.model, self.outputs = model, outputs

    @property
    def unit(self) -> float:
        return self.model.unit

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        outputs = self.model(inputs)
        return [outputs[number] for number in self.outputs]

    def again(self, inputs: Sequence[Any]) -> list[Any]:
        outputs = self.model.again(inputs)
        return [outputs[number] for number in self.outputs]

    def differ(self, inputs: Sequence[Any]) -> Outputs:
        outputs = self.model.differ(inputs)
        return [outputs[number] for number in self.outputs]


class _Noise:
    """Draws of the noise at each output, made when they are first asked for."""

    def __init__(self, draws: Iterator[list[Array]]) -> None:
        self._draws, self._known = draws, list[list[Array]]()

    def __iter__(self) -> Iterator[list[Array]]:
        yield from self._known
        for draw in self._draws:
            self._known.append(draw)
            yield draw


def _held(reference: list[Any], other: list[Any], model: Original, noise: _Noise) -> dict[int, Gap]:
    """The outputs that are further apart than the noise explains, each with its gap."""
    gaps: dict[int, Gap] = {}
    for place, (expected, actual, axis) in enumerate(
        zip(reference, other, _axes(model), strict=True)
    ):
        gap = gap_of(*finite_parts(expected, actual), axis)
        gaps[place] = gap.louder(model.unit * gap.magnitude)  # as outputs are rounded themselves
    for draw in noise:
        gaps = {place: gap for place, gap in gaps.items() if not gap.explained}
        if not gaps:
            break
        gaps = {place: _louder(gap, draw[place]) for place, gap in gaps.items()}
    return {place: gap for place, gap in gaps.items() if not gap.explained}


def _louder(gap: Gap, noise: Array) -> Gap:
    """The gap with at least this noise, if that is of as many channels: their size may be free."""
    return gap.louder(ARITHMETIC * noise) if noise.shape == gap.noise.shape else gap


Rerun = tuple["Original | _Part", Sequence[Any], Sequence[Any]]
"""A model, inputs, and the outputs of a run on them."""


def _noise(sides: Sides, inputs: Sequence[Any], reruns: Sequence[Rerun]) -> Iterator[list[Array]]:
    """The noise at each output: first what is known, then what costs least."""
    bench = sides.bench
    after = {place: number for number, place in enumerate(bench.places)}.values()
    unit = max(rounding_unit(opened.model) for opened in bench.opened)
    coarse = max(sides.one.unit, sides.two.unit)
    # Measured on copies in float64, whose weights moved by ``unit``. In the models every operation
    # rounds, to the type that they compute in.
    yield [sides.measured.ends[number].usual_noise * (coarse / unit) for number in after]
    yield from _own_noise(bench.opened[1], inputs, sides.two, reruns)
    # The other model may round where this one no longer does.
    yield from _rounding(bench.opened[0], inputs, sides.one)


def _own_noise(
    opened: OpenModel, inputs: Sequence[Any], model: Original, reruns: Sequence[Rerun]
) -> Iterator[list[Array]]:
    """How far runs in a model's own precision are apart, those that cost least first."""
    axes = _axes(model)
    for runs in chain(_reruns(reruns), shaken(_as_run(opened, model), inputs, model.unit)):
        yield _apart(runs, axes)
    yield from _rounding(opened, inputs, model)


def _rounding(opened: OpenModel, inputs: Sequence[Any], model: Original) -> Iterator[list[Array]]:
    """How far the model's own precision takes its outputs from those in float64."""
    with suppress(Exception):  # a layer that takes no float64
        yield _apart(rounded(_as_run(opened, model), inputs), _axes(model))


def _as_run(opened: OpenModel, model: Original) -> OpenModel:
    """The graph with the flags that its layers get where the model hands its own to all of them."""
    if not model.overrides:
        return opened
    nodes = (
        replace(node, training=False) if node.training else node for node in opened.graph.nodes
    )
    return replace(opened, graph=replace(opened.graph, nodes=tuple(nodes)))


def _axes(model: Original) -> list[int]:
    return [channel_axis(model.graph, value) for value in values_in(model.graph.outputs)]


def _reruns(reruns: Sequence[Rerun]) -> Iterator[Outputs]:
    """Outputs, each with that of inputs that have moved by a unit in the last place."""
    for seed in range(DRAWS - 1):
        for model, inputs, outputs in reruns:
            moved = model.again(moved_inputs(inputs, model.unit, seed))
            yield list(zip(outputs, moved, strict=True))


def _apart(runs: Outputs, axes: Sequence[int]) -> list[Array]:
    return [
        gap_of(*finite_parts(one, two), axis).difference
        for (one, two), axis in zip(runs, axes, strict=True)
    ]


def _unlike(model: Original, inputs: Sequence[Any], gaps: dict[int, Gap]) -> Finding:
    """A finding that names the first layer that is not what its copy is."""
    try:
        layer = first_unlike(model.opened, inputs)
    except Exception:  # noqa: BLE001  whatever a layer raises that is called on its own
        layer = None
    return Finding(gaps, UNLIKE_COPY.format(model.graph.name), layer)


def _kept(sides: Sides, outputs: list[Any]) -> list[Any]:
    return [outputs[number] for number in sides.outputs]


def _run(model: Original, inputs: Sequence[Any]) -> list[Any]:
    """Run a model on inputs that another model took.

    Raises:
        ModelError: it does not.
    """
    try:
        return model(model.in_its_types(inputs))
    except Exception as error:
        raise ModelError(
            f"model {model.graph.name!r} cannot be run on inputs that the other model takes "
            f"({first_line(error)}); give some with inputs= that both take"
        ) from error
