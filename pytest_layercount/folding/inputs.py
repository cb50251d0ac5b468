"""Seeded inputs made from a model's own input specification."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

UNKNOWN_SIZES = (32, 64, 128, 224, 8)
"""Sizes to try for a dimension that the model leaves open, one for short texts last."""

SMALL = 1024


@dataclass(frozen=True)
class InputSpec:
    """What one input takes: ``shape`` with its batch, ``dtype``, and what its numbers mean.

    ``limit`` is one more than the largest integer allowed (an Embedding's
    ``input_dim``), ``pixels`` says that values run from 0 to 255.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    limit: int = 2
    pixels: bool = False


def candidate_inputs(specs: Sequence[InputSpec], random: Callable[[], Any]) -> list[list[Any]]:
    """Arrays for each of ``specs``, to be tried in turn where sizes are unknown.

    ``random()`` makes what they are drawn from: a NumPy generator, or what has its
    methods. Batches are larger for small inputs, whose few numbers say less each; some
    models take only one sample at a time.
    """
    unknown = UNKNOWN_SIZES if any(None in spec.shape[1:] for spec in specs) else UNKNOWN_SIZES[:1]
    made = [_make_all(random(), specs, size) for size in unknown]
    alone = [_make_all(random(), specs, size, batch=1) for size in unknown]
    return made + alone


def _make_all(
    random: Any, specs: Sequence[InputSpec], unknown: int, batch: int | None = None
) -> list[Any]:
    sizes = [math.prod(size or unknown for size in spec.shape[1:]) for spec in specs]
    batch = batch or (2 if max(sizes, default=0) > SMALL else 16)
    return [_make(random, spec, batch, unknown) for spec in specs]


def _make(random: Any, spec: InputSpec, batch: int, unknown: int) -> Any:
    first = spec.shape[0] if spec.shape and spec.shape[0] is not None else batch
    shape = (first, *(size if size is not None else unknown for size in spec.shape[1:]))
    if spec.dtype == "string":
        return random.choice(np.array(["alpha", "beta gamma", "delta"]), shape)
    if spec.dtype == "bool":
        return random.random(shape) < 0.5
    if "int" in spec.dtype:
        return random.integers(0, 256 if spec.pixels else spec.limit, shape).astype(spec.dtype)
    values = random.uniform(0, 255, shape) if spec.pixels else random.normal(size=shape)
    return values.astype(np.float64)
