"""Two models on the same inputs: how far apart they are, and where it starts.

Both models are rebuilt in float64, where a correct fold and a wrong one part:
what is left of a correct one is the rounding of its weights. How much that may
be is not a constant but measured on this model: its weights are moved at
random by half a unit in the last place, and a value may differ by at most
four times what that does to it.

Where the layers of the two models correspond, as those of a model and its fold
do, every layer is also compared on its own, on random inputs of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.folding.correspond import Correspondence, corresponding, kept
from pytest_layercount.folding.fold import FoldResult, fold_opened
from pytest_layercount.folding.inputs import candidate_inputs
from pytest_layercount.folding.opened import open_as, open_to_fold
from pytest_layercount.folding.rewrite.copies import (
    input_specs,
    randomised_copy,
    rounding_unit,
    untrained_layers,
)
from pytest_layercount.folding.rewrite.layers import unique_names
from pytest_layercount.folding.rewrite.measure import Bench, Gap, Start
from pytest_layercount.folding.rewrite.run import flat_inputs, output_names
from pytest_layercount.folding.rules.custom import with_custom_rules
from pytest_layercount.model.graph import Shape, values_in
from pytest_layercount.model.readers import live_model
from pytest_layercount.model.readers.live import OpenModel, open_model
from pytest_layercount.model.readers.load import trusting_stored_code


@dataclass(frozen=True)
class OutputDifference:
    """One value of both models. All numbers are absolute and largest over the value."""

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
    the type in which both models were run.
    """

    outputs: tuple[OutputDifference, ...]
    layers: tuple[OutputDifference, ...]
    compared: int
    dtype: str
    seed: int

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
        opened = open_to_fold(open_model(live_model(model)))
    fresh = bool(untrained_layers(opened))
    if fresh:
        copy = with_custom_rules(open_model(randomised_copy(opened, seed)))
        opened = _named_like(copy, opened)
    result = fold_opened(opened)
    return FoldCheck(result, _compared(opened, result, inputs, seed), fresh)


def _named_like(copy: OpenModel, original: OpenModel) -> OpenModel:
    """A copy has no models inside; its layers are called by the paths of the original's."""
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
    before a last softmax, sigmoid or tanh, which would hide differences.

    If ``other`` is a model folded from ``model`` with the default passes, or the
    result of any ``fold``, the models are also compared layer by layer; so are
    two models of the same structure. A result is compared on the outputs kept.

    Raises:
        ModelError: one of them is not a model, their inputs or outputs do not
            correspond, or the outputs are not finite.
    """
    with trusting_stored_code(trust_stored_code):
        read = open_model(live_model(model))
        other = live_model(other) if isinstance(other, (str, Path)) else other
    folded = isinstance(other, FoldResult)
    one = open_as(read, other.opened) if folded else open_to_fold(read)
    return _compared(one, other, inputs, seed)


def _compared(one: OpenModel, other: Any, inputs: Any, seed: int) -> Equivalence:
    plan = None
    if isinstance(other, FoldResult):
        plan, other = other.plan, other.model
        one = kept(one, plan)
    two = open_to_fold(open_model(live_model(other)))
    _check_ends(one, two)
    bench, outputs, segments = _measured(one, two, corresponding(one, two, plan), inputs, seed)
    if not all(np.isfinite(gap.magnitude) for gap in outputs):
        raise ModelError(
            f"the outputs of model {one.graph.name!r} are not finite, so nothing can be "
            "compared; check its weights, or give realistic inputs="
        )
    names = output_names(one)
    paths = [one.graph.layer_of(value.node).path for value, _ in bench.changed]
    layers = [_difference(path, gap) for path, gap in zip(paths, segments, strict=True)]
    return Equivalence(
        outputs=tuple(_difference(name, gap) for name, gap in zip(names, outputs, strict=True)),
        layers=tuple(layer for layer in layers if not layer.equivalent),
        compared=len(bench.pairs),
        dtype=bench.dtype or "its own type",
        seed=seed,
    )


def _measured(
    one: OpenModel, two: OpenModel, found: Correspondence, given: Any, seed: int
) -> tuple[Bench, list[Gap], list[Gap]]:
    """Both models and their gaps: in float64, or as they are where that cannot be.

    A layer may insist on its own type, and TensorFlow has no float64 kernel for
    some operations (AveragePooling3D on a CPU).
    """
    candidates = _candidates(one, given, seed)
    unit = max(rounding_unit(one.model), rounding_unit(two.model))

    def measured(dtype: str | None) -> tuple[Bench, list[Gap], list[Gap]]:
        bench = Bench(one, two, *found, dtype)
        start = _start(bench, candidates, one.graph.name)
        return bench, *bench.measure(start, unit, seed)

    try:
        return measured("float64")
    except Exception:  # noqa: BLE001  whatever such a layer raises
        return measured(None)


def _start(bench: Bench, candidates: list[list[Any]], name: str) -> Start:
    """A start on the first of ``candidates`` that the model can be run on at all."""
    error: Exception | None = None
    for inputs in candidates:
        try:
            return bench.start(inputs)
        except Exception as failed:  # noqa: BLE001  whatever its layers raise
            error = failed
    assert error is not None  # there is always a candidate
    raise ModelError(
        f"model {name!r} cannot be run on inputs made from its specification "
        f"({first_line(error)}); give some with inputs="
    ) from error


def _candidates(one: OpenModel, given: Any, seed: int) -> list[list[Any]]:
    if given is not None:
        return [flat_inputs(one, given)]
    return candidate_inputs(input_specs(one), lambda: np.random.default_rng(seed))


def _difference(name: str, gap: Gap) -> OutputDifference:
    return OutputDifference(name, gap.difference, gap.limit, gap.magnitude)


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
