"""Seeded inputs made from what the inputs of a model take and what their numbers mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import leaves

Sizes = Sequence[int]
"""A size for each axis behind the batch that a model leaves open; the last is for all others."""

UNKNOWN_SIZES: Sequence[Sizes] = ((32,), (64,), (128,), (224,), (8,))
"""Sizes to try for a dimension that the model leaves open, one for short texts last."""

OTHER_SIZES: Sequence[Sizes] = ((96, 64, 48), (48,), (64,), (16,))
"""Sizes for a second run."""

UNEQUAL_SIZES: Sequence[Sizes] = ((64, 96, 32), *UNKNOWN_SIZES)
"""The same, but height and width first tell themselves apart, and do not end as one pixel."""

SMALL = 1024


@dataclass(frozen=True)
class InputSpec:
    """What one input takes: ``shape`` with its batch, ``dtype``, and what its numbers mean.

    ``limit`` is one more than the largest integer allowed (an Embedding's
    ``input_dim``), ``pixels`` says that values run from 0 to 255, ``whole`` that integers
    are numbers to compute with: all of their type are drawn, or of ``wide`` ones, where the
    largest would drown the others, only when asked for. ``words`` are what a vocabulary
    knows, ``span`` is where a number makes a difference. Steps of nothing but ``mask`` are
    left out by the model.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    limit: int | None = None
    pixels: bool = False
    whole: bool = False
    wide: bool = False
    words: tuple[Any, ...] = ()
    span: tuple[float, float] | None = None
    mask: float | None = None


def candidate_inputs(
    specs: Sequence[InputSpec],
    random: Callable[[], Any],
    sizes: Sequence[Sizes] = UNKNOWN_SIZES,
) -> list[list[Any]]:
    """Arrays for each of ``specs``, to be tried in turn where sizes are unknown.

    ``random()`` makes what they are drawn from: a NumPy generator, or what has its
    methods. Batches are larger for small inputs, whose few numbers say less each; some
    models take only one sample at a time.
    """
    unknown = any(None in spec.shape[1:] for spec in specs)
    # Where no size is open, all would be the same.
    tried = [size for size in sizes if unknown or size is sizes[0]]
    # A new generator each time: what is drawn for one size does not depend on those tried before.
    made = [_make_all(random(), specs, size) for size in tried]
    alone = [_make_all(random(), specs, size, batch=1) for size in tried]
    return made + alone


def wide_inputs(specs: Sequence[InputSpec], inputs: Sequence[Any], random: Any) -> Any:
    """``inputs`` with integers from all of their type where these are computed with, or None."""
    if not any(spec.wide for spec in specs):
        return None
    return [
        _drawn(random, replace(spec, whole=True), array.shape) if spec.wide else array
        for spec, array in zip(specs, inputs, strict=True)
    ]


def lone_inputs(
    specs: Sequence[InputSpec], inputs: Sequence[Any], random: Any, *, free: bool
) -> list[list[Any]]:
    """One sample to try alone: with ``free``, where sizes are open, of other sizes first."""
    tried: list[list[Any]] = []
    if free and any(None in spec.shape[1:] for spec in specs):
        made = [_make_all(random, specs, sizes, batch=1) for sizes in OTHER_SIZES]
        shapes = [array.shape[1:] for array in inputs]
        tried = [arrays for arrays in made if [array.shape[1:] for array in arrays] != shapes]
    batches = {len(array) for spec, array in zip(specs, inputs, strict=True) if _is_free(spec)}
    if max(batches, default=1) > 1:
        tried.append([a[:1] if _is_free(s) else a for s, a in zip(specs, inputs, strict=True)])
    return tried


def _is_free(spec: InputSpec) -> bool:
    return not spec.shape or spec.shape[0] is None


def fitted(specs: Sequence[InputSpec], structure: Any, inputs: Any) -> list[Any]:
    """``inputs``, in a ``structure`` of values that the model takes, as a flat list of arrays.

    Raises:
        ModelError: their number, names, shapes or types are not the model's.
    """
    arrays = [np.asarray(array) for array in _flat(specs, structure, inputs)]
    if len(arrays) != len(specs):
        raise ModelError(f"the model takes {len(specs)} inputs, {len(arrays)} were given")
    arrays = [_fitted(spec, array) for spec, array in zip(specs, arrays, strict=True)]
    batches = {len(array) for spec, array in zip(specs, arrays, strict=True) if _is_free(spec)}
    if len(batches) > 1 or 0 in batches:
        sizes = " and ".join(map(str, sorted(batches)))
        raise ModelError(f"inputs= have {sizes} samples: give as many of each input, at least one")
    return arrays


def _flat(specs: Sequence[InputSpec], structure: Any, inputs: Any) -> list[Any]:
    if isinstance(inputs, Mapping):
        known = structure if isinstance(structure, Mapping) else [spec.name for spec in specs]
        # By key, the order in which ``leaves`` reads a dictionary.
        names = sorted(known, key=str) if isinstance(structure, Mapping) else list(known)
        if set(inputs) != set(names):
            raise ModelError(
                f"inputs= has {', '.join(map(repr, sorted(inputs, key=str)))}; the inputs of the "
                f"model are {', '.join(map(repr, names))}"
            )
        inputs = [inputs[name] for name in names]
    arrays = list(leaves(inputs))
    # A list of numbers is one array where the model takes one.
    return [inputs] if len(specs) == 1 and len(arrays) != 1 else arrays


def _fitted(spec: InputSpec, array: Any) -> Any:
    if array.ndim == len(spec.shape) - 1 and spec.shape[-1] == 1:
        array = array[..., np.newaxis]  # as Keras does
    fits = len(array.shape) == len(spec.shape) and all(
        size in (None, there) for size, there in zip(spec.shape, array.shape, strict=True)
    )
    if not fits or not _holds(spec.dtype, array):
        shape = tuple(spec.shape)
        kind = "numbers" if "float" in spec.dtype else spec.dtype
        raise ModelError(
            f"inputs= do not fit the model: {spec.name!r} takes {kind} of the shape "
            f"{shape}, not {array.dtype} of the shape {array.shape}"
        )
    return array if "float" in spec.dtype or spec.dtype == "string" else array.astype(spec.dtype)


def _holds(dtype: str, array: Any) -> bool:
    """Whether the type ``dtype`` holds the numbers in ``array``, but for rounding."""
    if dtype == "string" or array.dtype.kind in "OSU":
        return dtype == "string" and array.dtype.kind in "OSU"
    if "float" in dtype:
        return True
    whole = np.asarray(array, np.float64)
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return bool(np.all((whole == np.floor(whole)) & (whole >= low) & (whole <= high)))


def _make_all(
    random: Any, specs: Sequence[InputSpec], unknown: Sizes, batch: int | None = None
) -> list[Any]:
    sizes = [math.prod(_shape(spec, 1, unknown)[1:]) for spec in specs]
    largest = max(sizes, default=0)
    if batch is None:
        batch = 2 if largest > SMALL else 16
        # Enough samples to look up every row of a table, as long as they are small.
        rows = [
            -(-(spec.limit or 0) // max(1, size)) for spec, size in zip(specs, sizes, strict=True)
        ]
        batch = max(batch, min(max(rows, default=0), SMALL // max(1, largest)))
    return [_make(random, spec, _shape(spec, batch, unknown)) for spec in specs]


def _shape(spec: InputSpec, batch: int, unknown: Sizes) -> tuple[int, ...]:
    first = spec.shape[0] if spec.shape and spec.shape[0] is not None else batch
    others = [
        size if size is not None else unknown[min(axis, len(unknown) - 1)]
        for axis, size in enumerate(spec.shape[1:])
    ]
    return (first, *others)


def _make(random: Any, spec: InputSpec, shape: tuple[int, ...]) -> Any:
    values = _drawn(random, spec, shape)
    if spec.mask is not None and len(shape) > 1 and shape[1] > 1:
        _mask_some(random, values, spec.mask)
    return values


def _drawn(random: Any, spec: InputSpec, shape: tuple[int, ...]) -> Any:
    if spec.words:
        drawn = random.choice(np.array(spec.words), shape)
        return drawn if spec.dtype == "string" else drawn.astype(spec.dtype)
    if spec.dtype == "string":
        return random.choice(np.array(["alpha", "beta gamma", "delta"]), shape)
    if spec.dtype == "bool":
        return random.random(shape) < 0.5
    if spec.limit is not None:
        return _rows(random, spec.limit, shape).astype(spec.dtype)
    if spec.whole:
        return _whole(random, spec.dtype, shape)
    if "int" in spec.dtype:
        return random.integers(0, 256 if spec.pixels else 2, shape).astype(spec.dtype)
    if spec.span is not None:
        return random.uniform(*spec.span, shape)
    values = random.uniform(0, 255, shape) if spec.pixels else random.normal(size=shape)
    return values.astype(np.float64)


def _whole(random: Any, dtype: str, shape: tuple[int, ...]) -> Any:
    """Integers from all of a type: its ends, where arithmetic wraps, more often than others."""
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    part = random.random(shape)
    drawn = np.clip(np.floor(low + part * (high - low + 1)), low, high).astype(np.int64)
    end = random.random(shape)
    drawn = np.where(end < 1 / 8, low, np.where(end > 7 / 8, high, drawn))
    return drawn.astype(dtype)


def _rows(random: Any, limit: int, shape: tuple[int, ...]) -> Any:
    """Integers below ``limit``, each at least once if there is room for all."""
    drawn = random.integers(0, limit, shape).reshape(-1)
    if limit <= drawn.size:
        # A random order of the places; the first ``limit`` of them get each number once.
        places = np.argsort(random.random((drawn.size,)), kind="stable")
        drawn[places[:limit]] = np.arange(limit)
    return drawn.reshape(shape)


def _mask_some(random: Any, values: Any, mask: float) -> None:
    """Mask the end of every second sample and a step within it; put the value elsewhere too."""
    batch, steps = values.shape[:2]
    # At least half of the steps are left, and at least one is cut off.
    lengths = random.integers(steps - steps // 2, steps, (batch,))
    for sample in range(1, batch, 2):
        values[sample, lengths[sample] :] = mask
        values[sample, lengths[sample] // 2] = mask
    if values.ndim > 2:
        # A step counts as masked only where all of its features are the value: one alone masks
        # nothing.
        values[..., 0][random.random(values.shape[:-1]) < 0.1] = mask
