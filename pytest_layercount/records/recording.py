"""Record a live model: its structure, and what it computes from seeded weights and inputs.

It is run on a copy, so that nothing happens to the model itself: not even the statistics
of a batch normalization move that is called with ``training=True``. The copy computes in
float64, where what a model means shows apart from how TensorFlow rounds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.equivalence import DRAWS
from pytest_layercount.folding.inputs import candidate_inputs
from pytest_layercount.folding.rewrite.build import Built
from pytest_layercount.folding.rewrite.copies import (
    copy_model,
    input_specs,
    measurable,
    rounding_unit,
)
from pytest_layercount.folding.rewrite.run import fed, run
from pytest_layercount.model.graph import ModelGraph, values_in
from pytest_layercount.model.readers import live_model
from pytest_layercount.model.readers.live import OpenModel, open_model
from pytest_layercount.records.chance import undisturbed
from pytest_layercount.records.file import write_record
from pytest_layercount.records.record import ModelRecord, Numbers, Record
from pytest_layercount.records.seeded import Stable, sample, seeded_weight, uniform
from pytest_layercount.records.structure import canonical

MOST = 256
"""How many values of an output are kept."""

_NOISE = 2
"""Tells the streams of the noise from those of the weights and inputs."""


def record(
    models: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    weights: Literal["seeded", "own"] = "seeded",
    seed: int = 0,
) -> Record:
    """Record a model, or several by name as ``{name: model}``, and write the record to ``path``.

    A model may be a live Keras model or the path of a saved one. It is run with weights
    made from ``seed``, the same in every version, or with its ``"own"``.

    Raises:
        ModelError: one of them is no model, or its graph cannot be seen.
        LayercountError: the file cannot be written.
        ValueError: ``weights`` is neither of the two.
    """
    if weights not in ("seeded", "own"):
        raise ValueError(f"weights={weights!r}: expected 'seeded' or 'own'")
    named = models if isinstance(models, Mapping) else {"model": models}
    own = weights == "own"
    found = {
        str(name): record_model(model, own_weights=own, seed=seed) for name, model in named.items()
    }
    made = Record(found, tensorflow_version(), own, seed)
    if path is not None:
        write_record(made, path)
    return made


def record_model(model: Any, *, own_weights: bool = False, seed: int = 0) -> ModelRecord:
    """Record ``model``, a live Keras model or the path of a saved one.

    Raises:
        ModelError: it is neither, or its graph cannot be seen.
    """
    if isinstance(model, ModelGraph):
        return ModelRecord(canonical(model)[0], unrun="a ModelGraph has no weights")
    with undisturbed():
        opened = open_model(live_model(model))
        graph, sources = canonical(opened.graph)
        found = ModelRecord(graph, _weights(opened, sources))
        try:
            numbers, computed = _run(opened, sources, own_weights, seed)
        except ModelError as error:
            return replace(found, unrun=str(error))
        return replace(found, numbers=numbers, computed=computed)


def tensorflow_version() -> str:
    """The version of the TensorFlow that was imported, empty if none was."""
    return str(getattr(sys.modules.get("tensorflow"), "__version__", ""))


def _weights(opened: OpenModel, sources: Sequence[int]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    owners: dict[int, int] = {}
    for number, source in enumerate(sources):
        for variable in getattr(opened.layers[source], "weights", ()):
            owners.setdefault(id(variable), number)
    return tuple(
        (owners.get(id(variable), -1), tuple(int(size) for size in variable.shape))
        for variable in opened.model.weights
    )


def _run(
    opened: OpenModel, sources: Sequence[int], own_weights: bool, seed: int
) -> tuple[tuple[Numbers, ...], str]:
    """The outputs, in float64; in the model's own types where that cannot be.

    A layer may insist on its own type, and TensorFlow has no float64 kernel for some
    operations.
    """
    unit = rounding_unit(opened.model)
    try:
        return _Bench(opened, sources, own_weights, seed, "float64").numbers(unit), "float64"
    except Exception:  # noqa: BLE001  whatever such a layer raises
        return _Bench(opened, sources, own_weights, seed, None).numbers(unit), "its own type"


class _Bench:
    """A copy of a model with the weights it is to be run with."""

    def __init__(
        self,
        opened: OpenModel,
        sources: Sequence[int],
        own_weights: bool,
        seed: int,
        dtype: str | None,
    ) -> None:
        self.seed = seed
        self.opened = opened
        self.built = copy_model(opened, measurable(opened.graph), dtype=dtype)
        self.variables = _variables(self.built, sources)
        if not own_weights:
            self._assign(
                [
                    seeded_weight(layer, variable, seed, position)
                    for position, (layer, variable) in enumerate(self.variables)
                ]
            )
        self.values = [variable.numpy() for _, variable in self.variables]
        self.candidates = candidate_inputs(input_specs(opened), lambda: Stable(seed))

    def numbers(self, unit: float) -> tuple[Numbers, ...]:
        """The outputs and their noise, the largest of several draws where it is of few values."""
        inputs, outputs = self._runnable()
        noise = [0.0] * len(outputs)
        few = any(output.size < MOST for output in outputs)
        for draw in range(DRAWS if few else 1):
            seed = (self.seed, _NOISE + draw)
            self._assign(_all_moved(self.values, unit, seed))
            moved_inputs = _all_moved(inputs, unit, (*seed, len(self.values)))
            for place, moved in enumerate(self._outputs(moved_inputs)):
                noise[place] = max(noise[place], _apart(outputs[place], moved))
        found = zip(outputs, noise, strict=True)
        return tuple(_numbers(output, moved, self.seed) for output, moved in found)

    def _runnable(self) -> tuple[list[Any], list[Any]]:
        """The first inputs on which the model runs, and its outputs."""
        for inputs in self.candidates:
            try:
                return inputs, self._outputs(inputs)
            except Exception as error:  # noqa: BLE001  whatever its layers raise
                failed = error
        said = (str(failed).strip() or type(failed).__name__).splitlines()[0]
        raise ModelError(f"cannot be run on inputs made from its specification ({said})")

    def _outputs(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs, and behind them once more those that end in a saturating activation.

        The first are before that activation, which hides what precedes it; only the
        second show what it is itself.
        """
        import tensorflow as tf

        ends = list(values_in(self.built.graph.outputs))
        returned = list(values_in(self.opened.graph.outputs))
        feeds = fed(self.built, [tf.convert_to_tensor(one) for one in inputs])
        values = run(self.built, feeds, [*ends, *returned])
        found = [values[end] for end in ends]
        for end, last in zip(ends, returned, strict=True):
            number = self.opened.graph.nodes[last.node].layer
            if end != last:
                found.append(values[last])
            elif self.built.graph.layers[number] != self.opened.graph.layers[number]:
                found.append(self.opened.layers[number].activation(values[last]))
        return [np.asarray(tensor) for tensor in found]

    def _assign(self, values: Sequence[Any]) -> None:
        for (_, variable), value in zip(self.variables, values, strict=True):
            if value is not None:
                dtype = getattr(variable.dtype, "as_numpy_dtype", variable.dtype)
                variable.assign(value.astype(dtype))
        for layer in self.built.layers:
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()  # what is derived from the weights


def _variables(built: Built, sources: Sequence[int]) -> list[tuple[Any, Any]]:
    """Every weight once, with the layer that has it, in the canonical order of the layers."""
    found: dict[int, tuple[Any, Any]] = {}
    for source in sources:
        layer = built.layers[source]
        for variable in getattr(layer, "weights", ()):
            found.setdefault(id(variable), (layer, variable))
    return list(found.values())


def _all_moved(values: Sequence[Any], unit: float, seed: Sequence[int]) -> list[Any]:
    """Arrays, each real number of them moved by up to ``unit`` of its size."""
    found = []
    for place, value in enumerate(values):
        if value.dtype.kind in "fV":  # NumPy knows bfloat16 as bytes
            drawn = uniform((*seed, place), value.size).reshape(value.shape)
            found.append(value * (1 + unit * (2 * drawn - 1)))
        else:
            found.append(value)
    return found


def _apart(one: Any, two: Any) -> float:
    if one.dtype.kind not in "fiub" or not one.size:
        return 0.0
    gap = np.abs(one.astype(np.float64) - two.astype(np.float64))
    return float(np.max(np.where(np.isnan(gap), 0, gap)))


def _numbers(output: Any, noise: float, seed: int) -> Numbers:
    flat = output.reshape(-1)
    shape, dtype = tuple(output.shape), str(output.dtype)
    places = sample(seed, flat.size, MOST)
    if flat.dtype.kind not in "fiub":
        words = (one.decode() if isinstance(one, bytes) else str(one) for one in flat[places])
        return Numbers(shape, dtype="string", values=tuple(words))
    real = flat.astype(np.float64)
    if not np.isfinite(real).all():
        raise ModelError("the outputs are not finite, so nothing can be compared")
    values = tuple(real[places].tolist())
    if not flat.size:
        return Numbers(shape, dtype, values)
    ends = (float(real.min()), float(real.max()), float(real.mean()))
    return Numbers(shape, dtype, values, *ends, noise)
