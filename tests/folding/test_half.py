"""Folds into layers that compute in half precision: what was finite stays finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.half import fits, vanishes
from tests.conftest import needs_keras
from tests.folding.harness import Kit

POLICIES = ("mixed_float16", "float16", "mixed_bfloat16", "bfloat16")


def normalized(k: Kit, policy: str, kernel: float, gamma: float, variance: float, mean: float):
    """Dense, then a batch norm with these statistics in all channels."""
    entry = k.keras.Input((4,), dtype="float32" if policy.startswith("mixed") else policy)
    dense = k.Dense(3, use_bias=False, dtype=policy, name="f")
    norm = k.bn(dtype=policy, epsilon=1e-12)
    model = k.model(entry, norm(dense(entry)))
    dense.set_weights([np.full((4, 3), kernel)])
    numbers = (gamma, 0.0, mean, variance)
    norm.set_weights([np.full(3, number) for number in numbers])
    return model


@needs_keras
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("kernel", "gamma", "variance", "mean", "inputs", "fits_float16"),
    [
        (0.5, 1.5, 0.7, 0.3, 1.0, True),  # as trained models have them
        (0.5, 0.0, 0.7, 0.3, 1.0, True),  # a channel that was pruned
        (100.0, 900.0, 1.0, 0.0, 0.01, False),  # a kernel of 90000
        (1.0, 300.0, 0.1, 100.0, 25.1, False),  # a bias of 94868
        (1.0, 200.0, 0.1, 90.0, 30.0, False),  # a bias of 56920 and a product of 75895
        (0.01, 1e-5, 10.0, 0.0, 6000.0, False),  # a kernel of 3e-8
    ],
)
def test_finite_outputs_stay_finite(
    kit: Kit,
    policy: str,
    kernel: float,
    gamma: float,
    variance: float,
    mean: float,
    inputs: float,
    fits_float16: bool,
) -> None:
    from pytest_layercount.folding import fold, plan_fold

    model = normalized(kit, policy, kernel, gamma, variance, mean)
    given = np.full((2, 4), inputs, "float32")
    result = fold(model)
    wanted, made = (np.asarray(each(given)).astype("float64") for each in (model, result.model))
    assert np.isfinite(wanted).all()
    digits = 11 if policy.endswith("_float16") or policy == "float16" else 8
    rounding = 2.0**-digits * (np.abs(wanted).max() + abs(gamma / variance**0.5 * mean))
    assert np.abs(made - wanted).max() <= 4 * rounding
    folds = fits_float16 or "bfloat16" in policy
    assert len(result.folds) == folds
    assert [no.reason for no in result.refusals] == ([] if folds else ["overflow"])
    assert plan_fold(model, resolve=True).folds == result.folds


@needs_keras
@pytest.mark.parametrize(("first", "second"), [(1e-4, 1e-4), (300.0, 300.0)])
def test_two_factors_whose_product_does_not_fit(kit: Kit, first: float, second: float) -> None:
    from pytest_layercount.folding import fold

    entry = kit.keras.Input((4,), dtype="float16")
    scaled = kit.Rescaling(first, dtype="float16")(entry)
    model = kit.model(entry, kit.Rescaling(second, dtype="float16")(scaled))
    given = np.full((2, 4), 0.1 / first, "float16")
    result = fold(model)
    assert not result.folds
    assert {no.reason for no in result.refusals} == {"overflow"}
    np.testing.assert_array_equal(result.model(given).numpy(), model(given).numpy())


class Part:
    """A layer, as far as its data type."""

    def __init__(self, compute_dtype: str, **parts: Any) -> None:
        self.compute_dtype = compute_dtype
        vars(self).update(parts)


def test_the_part_that_keeps_a_weight_computes_with_it() -> None:
    large = {"cell.kernel": np.full((2, 2), 1e5)}
    assert fits({}, large, Part("float32", cell=Part("float32")))
    assert not fits({}, large, Part("float32", cell=Part("float16")))
    assert fits(large, large, Part("float16"))  # not changed


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ([[1.0, 1.0]], [[1e-6, 1.0]], True),
        ([[1.0, 1.0]], [[0.0, 1.0]], False),  # multiplied by zero
        ([[1e-6, 1.0]], [[1e-7, 1.0]], False),  # was lost before
        ([[1.0], [1.0]], [[1e-6], [1.0]], True),
        ([[1.0, 1.0], [1.0, 1.0]], [[1e-6, 1.0], [1.0, 1.0]], False),
        ([1.0, 1.0], [1e-6, 1.0], True),
        ([[2.0**-14, 1.0]], [[1e-6, 1.0]], True),  # just had all its digits
        ([[1.0, 1.0]], [[2.0**-14, 1.0]], False),  # just has them
        ([[1.0]], [[1e-6]], True),
        ([[1.0, 1.0]], [1e-6, 1e-6], False),  # of another shape: not comparable
        (1.0, 1e-6, False),
    ],
)
def test_channels_that_vanish(before: Any, after: Any, lost: bool) -> None:
    assert vanishes(np.array(before), np.array(after), "float16") is lost
    assert not vanishes(np.array(before), np.array(after), "bfloat16")
    assert not vanishes(np.array(before), np.array(after), "float32")
