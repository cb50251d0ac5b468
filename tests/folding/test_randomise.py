"""The statistics that an untrained model is given, drawn for objects like layers. No Keras."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.equivalence.randomise import _randomise_part


class Variable:
    def __init__(self, value: float, size: int = 4000) -> None:
        self.value = np.full(size, value)
        self.shape = self.value.shape

    def numpy(self) -> Any:
        return self.value

    def assign(self, value: Any) -> None:
        self.value = value

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.value


def normalization(mean: float = 0.0, variance: float = 1.0, **more: float) -> SimpleNamespace:
    held = {"moving_mean": mean, "moving_variance": variance, **more}
    return SimpleNamespace(**{name: Variable(value) for name, value in held.items()})


def randomised(layer: SimpleNamespace) -> dict[str, Any]:
    """What a copy of the layer holds afterwards."""
    copy = SimpleNamespace(
        **{name: Variable(value.value[0]) for name, value in vars(layer).items()}
    )
    _randomise_part(layer, copy, np.random.default_rng(0))
    return {name: variable.value for name, variable in vars(copy).items()}


def test_what_is_drawn_for_a_batch_normalization() -> None:
    drawn = randomised(normalization(gamma=1.0, beta=0.0))
    for name in ("beta", "moving_mean"):
        assert abs(drawn[name].mean()) < 0.02
        assert abs(drawn[name].std() - 0.3) < 0.02
    for name, sizes in (("gamma", (0.5, 1.5)), ("moving_variance", (0.5, 2.0))):
        size = np.abs(drawn[name])
        np.testing.assert_allclose((size.min(), size.max()), sizes, atol=0.01)
        np.testing.assert_allclose(size.mean(), sum(sizes) / 2, atol=0.02)
    assert abs((drawn["gamma"] < 0).mean() - 1 / 3) < 0.02
    assert (drawn["moving_variance"] > 0).all()


def test_only_what_is_there_is_drawn() -> None:
    assert randomised(normalization()).keys() == {"moving_mean", "moving_variance"}


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 2.0), (0.1, 1.0)])
def test_statistics_that_were_learned_stay(mean: float, variance: float) -> None:
    kept = randomised(normalization(mean, variance, gamma=1.0))
    assert {name: set(value) for name, value in kept.items()} == {
        "moving_mean": {mean},
        "moving_variance": {variance},
        "gamma": {1.0},
    }


def test_a_bias_of_zeros_is_drawn_and_no_other() -> None:
    drawn = randomised(SimpleNamespace(bias=Variable(0.0), kernel=Variable(0.0)))
    assert abs(drawn["bias"].mean()) < 0.01
    assert abs(drawn["bias"].std() - 0.1) < 0.01
    assert not drawn["kernel"].any()
    assert set(randomised(SimpleNamespace(bias=Variable(0.5)))["bias"]) == {0.5}
