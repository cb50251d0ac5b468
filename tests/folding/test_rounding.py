"""Kernels multiplied in their own type: as exact as in float64, and without one in float64."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from pytest_layercount.folding.rounding import scaled
from tests.folding.harness import Kit, randomise


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "along"), [((3, 3, 8, 32), (32,)), ((3, 3, 64, 2), (64, 1)), ((9000, 7), (9000, 1))]
)
def test_a_product_is_rounded_once(dtype: str, shape: tuple[int, ...], along: tuple[int]) -> None:
    random = np.random.default_rng(0)
    kernel, scale = random.normal(size=shape).astype(dtype), random.normal(size=along)
    before = kernel.copy()
    product = scaled(kernel, scale)
    assert product.dtype == kernel.dtype
    assert np.array_equal(product, (kernel.astype(np.float64) * scale).astype(dtype))
    assert np.array_equal(kernel, before)
    assert product.ctypes.data % 64 == 0


def test_what_does_not_fit_is_infinite() -> None:
    with np.errstate(over="ignore"):
        assert np.isinf(scaled(np.full((2, 2), 3e4, np.float16), np.array([1.0, 10.0]))).sum() == 2


def test_a_fold_needs_no_more_than_the_new_kernel(kit: Kit) -> None:
    """NumPy's arrays are traced. What TensorFlow allocates is not, but it takes those over."""
    from pytest_layercount import fold

    kit.keras.backend.set_floatx("float32")
    model = kit.chain((1024,), kit.Dense(4096), kit.bn())
    randomise(model, 0, (0.5, 2.0))
    fold(model)  # what is imported and remembered once
    tracemalloc.start()
    try:
        result = fold(model)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    kernel = 4 * 1024 * 4096
    assert [one.rule for one in result.folds] == ["after"]
    assert kernel < peak < 1.3 * kernel + 2**20


def test_garbage_is_collected_again_after_a_fold(kit: Kit) -> None:
    from pytest_layercount import fold

    model = kit.chain((4,), kit.Dense(4), kit.bn())
    fold(model)
    assert gc.isenabled()
    gc.disable()
    try:
        fold(model)
        assert not gc.isenabled()
    finally:
        gc.enable()
