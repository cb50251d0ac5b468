"""Weights as trained models have them, and worse."""

from __future__ import annotations

from typing import Any

import numpy as np

Random = np.random.Generator


def randomise(model: Any, seed: int) -> None:
    """Give every variable of ``model`` a new value.

    A third of the gammas is negative and some are exactly zero; variances are
    log-uniform, some up to the extremes found in published models. Some layers
    have only positive scales or no shift, or were never trained: folds depend
    on these. Kernels keep the magnitude of what goes through.
    """
    random = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        batch_norm = type(layer).__name__ == "BatchNormalization"
        sort = random.choice(SORTS, p=WEIGHTS) if batch_norm else "plain"
        for variable in _own(layer):
            value = _drawn(random, _name(variable), tuple(map(int, variable.shape)), sort)
            if value is not None and "float" in str(variable.dtype):
                variable.assign(value)


SORTS = ("plain", "positive", "centred", "lean", "extreme", "untrained")
WEIGHTS = (0.4, 0.15, 0.1, 0.15, 0.15, 0.05)


def _drawn(random: Random, name: str, shape: tuple[int, ...], sort: str) -> Any:
    if sort == "untrained":
        return None
    value = random.normal(size=shape)
    if name in ("moving_variance", "variance"):
        low, high = (-36, np.log10(4e5)) if sort == "extreme" else (-2, 1)
        return 10 ** random.uniform(low, high, shape)
    if name in ("gamma", "scale"):
        value = np.abs(value) + 0.2
        if sort in ("positive", "lean"):
            return value
        value = np.where(random.random(shape) < 1 / 3, -value, value)
        return np.where(random.random(shape) < 1 / 8, 0.0, value)
    if name in ("beta", "moving_mean"):
        return np.zeros(shape) if sort in ("centred", "lean") else value
    if name.endswith("kernel") and len(shape) > 1:
        return value / np.sqrt(max(1, np.prod(shape[:-1])))
    return 0.3 * value


def _own(layer: Any) -> list[Any]:
    parts = [part for part in layer._flatten_layers() if part is not layer]
    inner = {id(variable) for part in parts for variable in part.weights}
    return [variable for variable in layer.weights if id(variable) not in inner]


def _name(variable: Any) -> str:
    return str(variable.name).rpartition("/")[2].partition(":")[0]
