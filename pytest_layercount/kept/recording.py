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

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.folding.equivalence.copies import copies_of
from pytest_layercount.folding.equivalence.inputs import candidate_inputs
from pytest_layercount.folding.equivalence.noise import movable, rounding_unit
from pytest_layercount.folding.equivalence.run import Runner, fed
from pytest_layercount.folding.equivalence.specs import input_specs
from pytest_layercount.kept.record import NOT_FINITE, ModelRecord, Numbers, Record
from pytest_layercount.kept.record_file import write_record
from pytest_layercount.kept.seeded import Stable, sample, seeded_weight, undisturbed, uniform
from pytest_layercount.kept.structure import canonical
from pytest_layercount.model.graph import ModelGraph, values_in
from pytest_layercount.model.keras.common import parts, size_of, variables_of
from pytest_layercount.model.keras.load import trusting_stored_code
from pytest_layercount.model.keras.tables import derive, learns_table
from pytest_layercount.model.readers import live_model
from pytest_layercount.model.readers.live import OpenModel, open_model

DRAWS = 4
"""How often the noise of an output is measured."""

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
    trust_stored_code: bool = False,
) -> Record:
    """Record a model, or several by name as ``{name: model}``, and write the record to ``path``.

    A model may be a live Keras model or the path of a saved one. It is run with weights
    made from ``seed``, the same in every version, or with its ``"own"``. A file in which
    Python code is stored is loaded only with ``trust_stored_code``.

    Raises:
        ModelError: one of them is no model, or its graph cannot be seen.
        LayercountError: the file cannot be written.
        ValueError: ``weights`` is neither of the two.
    """
    if weights not in ("seeded", "own"):
        raise ValueError(f"weights={weights!r}: expected 'seeded' or 'own'")
    named = models if isinstance(models, Mapping) else {"model": models}
    own = weights == "own"
    with trusting_stored_code(trust_stored_code):
        found = {
            str(name): record_model(model, own_weights=own, seed=seed)
            for name, model in named.items()
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
        for variable in variables_of(opened.layers[source]):
            owners.setdefault(id(variable), number)
    return tuple(
        (owners.get(id(variable), -1), size_of(variable)) for variable in variables_of(opened.model)
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
    """Copies of a model's layers, with the weights they are to be run with."""

    def __init__(
        self,
        opened: OpenModel,
        sources: Sequence[int],
        own_weights: bool,
        seed: int,
        dtype: str | None,
    ) -> None:
        self.opened, self.seed = opened, seed
        self.copies = copies_of(opened, dtype=dtype)
        self.runner = Runner(self.copies)
        self.inputs = self._runnable(candidate_inputs(input_specs(opened), lambda: Stable(seed)))
        # What a model was run on before is no part of it.
        self.copies.carried = [
            (state, np.zeros(size_of(state))) for state, _ in self.copies.carried
        ]
        if not own_weights:  # the layers have variables only now that they have run
            self._assign_seeded(sources)

    def numbers(self, unit: float) -> tuple[Numbers, ...]:
        """The outputs and their noise, the largest of several draws where it is of few values.

        Noise is what they do when weights and inputs move by up to ``unit`` of their size.
        """
        outputs = self._outputs(self.inputs)
        noise = [0.0] * len(outputs)
        few = any(output.size < MOST for output in outputs)
        with movable(self.copies, unit) as move:
            for draw in range(DRAWS if few else 1):
                move(draw)
                near = [_near(array, unit, (self.seed, _NOISE, draw)) for array in self.inputs]
                for place, moved in enumerate(self._outputs(near)):
                    noise[place] = max(noise[place], _apart(outputs[place], moved))
        found = zip(outputs, noise, strict=True)
        return tuple(_numbers(output, moved, self.seed) for output, moved in found)

    def _runnable(self, candidates: list[list[Any]]) -> list[Any]:
        """The first inputs on which the model runs."""
        for inputs in candidates:
            try:
                self._outputs(inputs)
            except ModelError:
                raise
            except Exception as error:  # noqa: BLE001  whatever its layers raise
                failed = error
            else:
                return inputs
        said = first_line(failed)
        raise ModelError(f"cannot be run on inputs made from its specification ({said})")

    def _outputs(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs, and behind them once more those that end in a saturating activation.

        The first are before that activation, which hides what precedes it; only the
        second show what it is itself.
        """
        ends = list(values_in(self.copies.graph.outputs))
        returned = list(values_in(self.opened.graph.outputs))
        values = dict(self.runner.run(fed(self.copies, inputs), {*ends, *returned}))
        found = [values[end] for end in ends]
        for end, last in zip(ends, returned, strict=True):
            number = self.opened.graph.nodes[last.node].layer
            if end != last:
                found.append(values[last])
            elif self.copies.graph.layers[number] != self.opened.graph.layers[number]:
                found.append(self.opened.layers[number].activation(values[last]))
        return [np.asarray(tensor) for tensor in found]

    def _assign_seeded(self, sources: Sequence[int]) -> None:
        """Give every weight its value, by its place in the canonical order of the layers."""
        found: dict[int, tuple[Any, Any]] = {}
        for layer in (self.copies.live[source] for source in sources):
            owners = {
                id(variable): (part, variable)  # the innermost part that has it, which comes last
                for part in (() if learns_table(layer) else parts(layer))
                for variable in variables_of(part)
            }
            found |= {key: owner for key, owner in owners.items() if key not in found}
        for position, (layer, variable) in enumerate(found.values()):
            value = seeded_weight(layer, variable, self.seed, position)
            if value is not None:
                dtype = getattr(variable.dtype, "as_numpy_dtype", variable.dtype)
                variable.assign(value.astype(dtype))
        for layer in self.copies.live:
            derive(layer)


def _near(array: Any, unit: float, seed: Sequence[int]) -> Any:
    """``array``, each real number of it moved by up to ``unit`` of its size."""
    if array.dtype.kind != "f":
        return array
    return array * (1 + unit * (2 * uniform(seed, array.size).reshape(array.shape) - 1))


def _apart(one: Any, two: Any) -> float:
    if one.dtype.kind not in "fiub" or not one.size:
        return 0.0
    with np.errstate(invalid="ignore"):  # of what is infinite in both
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
        raise ModelError(NOT_FINITE)
    values = tuple(real[places].tolist())
    if not flat.size:
        return Numbers(shape, dtype, values)
    ends = (float(real.min()), float(real.max()), float(real.mean()))
    return Numbers(shape, dtype, values, *ends, noise)
