"""Randomise the statistics of batch normalizations: untrained, they show no mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pytest_layercount.folding.build import Copies, build_model
from pytest_layercount.folding.rules.batch_norm import untrained
from pytest_layercount.model.keras.common import parts
from pytest_layercount.model.keras.variables import read_weights, variable
from pytest_layercount.model.readers.live import OpenModel


def is_untrained(opened: OpenModel) -> bool:
    """Whether a batch normalization, wherever in the layers, still has its initial statistics."""
    return any(map(_has_initial_statistics, _all_parts(opened)))


def _all_parts(opened: OpenModel) -> Iterator[Any]:
    for live in opened.layers:
        yield from parts(live)


def _has_initial_statistics(part: Any) -> bool:
    """Whether it normalizes by moving statistics that nothing has moved: of any class, in a cell.

    One inside a layer that stays whole is copied, and a copy without its statistics shows as little
    as a fold without them.
    """
    weights = read_weights(part, ("moving_mean", "moving_variance"))
    return len(weights) == 2 and untrained(weights)


def randomised_copy(opened: OpenModel, seed: int) -> Any:
    """A copy whose untrained batch normalizations have random statistics."""
    copy = plain_copy(opened)
    randomise(opened, copy, seed)
    return copy


def plain_copy(opened: OpenModel) -> Any:
    """A copy in the model's own data types, with its weights."""
    return build_model(opened, opened.graph, tuple(range(len(opened.layers))), {})


def randomise(opened: OpenModel, copy: Any, seed: int) -> None:
    """Give the copy of a model random statistics where the model was never trained.

    gamma is uniform in 0.5 .. 1.5, a third of it negative; variance uniform in
    0.5 .. 2; beta and mean are normal with deviation 0.3. Zero biases of other
    layers become normal with deviation 0.1: a fold that drops a bias must show.
    """
    random = np.random.default_rng(seed)
    copied = {layer.name: layer for layer in copy.layers}
    names = Copies(opened, opened.graph, tuple(range(len(opened.layers))), {}).names
    for name, live in zip(names, opened.layers, strict=True):
        if name not in copied:  # Keras does not list the InputLayer of a Sequential model
            continue
        # A composite layer that stays whole has its normalizations inside; both list parts alike.
        for source, target in zip(parts(live), parts(copied[name]), strict=False):
            if target is not source:
                _randomise_part(source, target, random)


def _randomise_part(source: Any, target: Any, random: np.random.Generator) -> None:
    drawn: dict[str, Any] = {}
    if _has_initial_statistics(source):
        drawn = _random_statistics(source, random)
    elif _has_zero_bias(source):
        drawn = {"bias": random.normal(0, 0.1, tuple(source.bias.shape))}
    for name, value in drawn.items():
        variable(target, name).assign(value)  # type: ignore[union-attr]


def _has_zero_bias(live: Any) -> bool:
    bias = getattr(live, "bias", None)
    return hasattr(bias, "assign") and not np.any(bias.numpy())  # type: ignore[union-attr]


def _random_statistics(live: Any, random: np.random.Generator) -> dict[str, Any]:
    shape = tuple(variable(live, "moving_mean").shape)  # type: ignore[union-attr]
    # Negative ones as well: some maps may only move where no scale is negative.
    sign = np.where(random.random(shape) < 1 / 3, -1, 1)
    drawn = {
        "gamma": random.uniform(0.5, 1.5, shape) * sign,
        "beta": random.normal(0, 0.3, shape),
        "moving_mean": random.normal(0, 0.3, shape),
        "moving_variance": random.uniform(0.5, 2, shape),
    }
    return {name: value for name, value in drawn.items() if variable(live, name) is not None}
