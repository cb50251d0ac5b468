"""What is said to be finite is: the new weights are computed as well. No Keras."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.bounds import _bound, surely_finite
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.folding.weights import absorb
from pytest_layercount.model.keras.variables import Snapshot, read_weights
from pytest_layercount.model.readers.live import OpenModel
from tests.folding.drawing import graph

DRAWING = """
    x: Input() -> 8 8 3
    n: BatchNormalization(x) -> 8 8 3
    f: TYPE(n) -> 6 6 4
    m: BatchNormalization(f) -> 6 6 4
    return m
    """
KERNELS = {
    "Conv2D": {"kernel": (3, 3, 3, 4)},
    "SeparableConv2D": {"depthwise_kernel": (3, 3, 3, 2), "pointwise_kernel": (1, 1, 6, 4)},
}


def planned(
    seed: int, dtype: Any = np.float32, of: str = "Conv2D", **changed: Any
) -> tuple[OpenModel, Plan]:
    """A convolution with a batch norm before it and one after it, all drawn at random."""
    random = np.random.default_rng(seed)
    size = 10.0 ** random.uniform(-3, 3)
    drawn = {
        name: size * random.normal(size=shape)
        for name, shape in {**KERNELS[of], "bias": (4,)}.items()
    }
    conv = {**drawn, **changed}
    lives = [
        SimpleNamespace(),
        _batch_norm(random, 3),
        SimpleNamespace(**{name: array.astype(dtype) for name, array in conv.items()}),
        _batch_norm(random, 4),
    ]
    opened = OpenModel(graph(DRAWING.replace("TYPE", of)), tuple(lives), None)
    plan = plan_graph(opened.graph, lambda layer, names: read_weights(lives[layer], names))
    assert len(plan.folds) == 2
    return opened, plan


def _batch_norm(random: Any, channels: int) -> Any:
    return SimpleNamespace(
        gamma=random.normal(size=channels) * 10.0 ** random.uniform(-2, 2),
        beta=random.normal(size=channels) * 10.0 ** random.uniform(-2, 2),
        moving_mean=random.normal(size=channels),
        moving_variance=10.0 ** random.uniform(-6, 4, size=channels),
    )


@pytest.mark.parametrize("of", KERNELS)
@pytest.mark.parametrize("seed", range(20))
def test_no_new_weight_is_larger_than_the_bound(seed: int, of: str) -> None:
    opened, plan = planned(seed, of=of)
    (found,) = absorb(plan, lambda layer, names: read_weights(opened.layers[layer], names))
    bound = _bound(opened, found.layer, list(plan.absorptions), Snapshot())
    assert max(np.abs(array).max() for array in found.after.values()) <= bound
    assert surely_finite(opened, plan, Snapshot()) == {found.layer}


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e38])
def test_numbers_out_of_bounds_are_in_doubt(wrong: float) -> None:
    opened, plan = planned(0, bias=np.array([0, wrong, 0, 0]))
    assert not surely_finite(opened, plan, Snapshot())


def test_half_precision_is_in_doubt() -> None:
    assert not surely_finite(*planned(0, np.float16), Snapshot())


def test_a_snapshot_reads_once() -> None:
    variable = np.zeros(3)
    look = Snapshot()
    assert look(variable) is look(variable)
    assert look.length(np.array([3.0, 4.0])) == 5.0
    assert np.isnan(look.length(np.array([3.0, np.nan])))
