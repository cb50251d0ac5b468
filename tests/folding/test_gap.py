"""How far rounding explains a difference, channel by channel."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_layercount.folding.equivalence.gap import Gap


def gap(
    difference: float, *, noise: float = 0.0, magnitude: float = 1.0, largest: float = 0.0
) -> Gap:
    """One channel, beside one without noise whose values may be larger."""
    return Gap(
        *(np.array(pair) for pair in ([difference, 0.0], [noise, 0.0], [magnitude, largest]))
    )


@pytest.mark.parametrize(
    ("difference", "explained"),
    [(2.0**-40, True), (2.0**-39, False)],
)
def test_float64_itself_adds_a_little(difference: float, explained: bool) -> None:
    assert gap(difference).explained is explained
    assert gap(1e6 * difference, magnitude=1e6).explained is explained


@pytest.mark.parametrize(("difference", "explained"), [(2.0**-29, True), (2.0**-28, False)])
def test_a_channel_that_cancels_has_the_rounding_of_the_others(
    difference: float, explained: bool
) -> None:
    assert gap(difference, magnitude=0.0, largest=2.0**20).explained is explained


@pytest.mark.parametrize(("difference", "explained"), [(4e-3, True), (5e-3, False)])
def test_noise_that_was_measured_explains_four_times_as_much(
    difference: float, explained: bool
) -> None:
    assert gap(difference, noise=1e-3).explained is explained
    assert gap(difference).louder(np.array([1e-3, 0.0])).explained is explained
    assert gap(difference, noise=1e-3).louder(np.array([1e-9, np.nan])).explained is explained


def test_a_quiet_channel_has_the_noise_of_most_of_its_size() -> None:
    noise, magnitude = np.array([1e-3, 1e-9, 1e-3]), np.array([1.0, 1.5, 1.2])
    assert Gap(np.array([0, 4e-3, 0]), noise, magnitude).explained
    assert not Gap(np.array([0, 4e-3, 0]), noise, magnitude * [1, 1e-3, 1]).explained
    most = np.array([1e-9, 1e-9, 1e-3])
    assert not Gap(np.array([0, 4e-3, 0]), most, magnitude).explained


def test_nothing_differs_from_nothing() -> None:
    assert Gap(*np.zeros((3, 2))).explained
    assert Gap(*np.zeros((3, 0))).explained
    assert not Gap(np.array([1e-300]), np.zeros(1), np.zeros(1)).explained
