"""The numbers of the inputs that a model is tried on, and those of its user that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_layercount import ModelError
from pytest_layercount.folding.equivalence.gap import gap_of
from pytest_layercount.folding.equivalence.inputs import (
    InputSpec,
    candidate_inputs,
    fitted,
    lone_inputs,
    wide_inputs,
)
from pytest_layercount.folding.equivalence.original import finite_parts, moved_inputs
from pytest_layercount.model.graph import Value


def drawn(dtype: str, shape: tuple[int | None, ...] = (None, 40), **meaning: Any) -> Any:
    (array,) = candidate_inputs(
        [InputSpec("x", shape, dtype, **meaning)], lambda: np.random.default_rng(0)
    )[0]
    return array


def test_the_values_of_each_kind_of_input() -> None:
    truth = drawn("bool")
    assert truth.dtype == bool
    assert 0.4 < truth.mean() < 0.6
    few = drawn("int32")
    assert (few.dtype, set(np.unique(few))) == (np.dtype("int32"), {0, 1})
    pixels = drawn("uint8", pixels=True)
    assert (pixels.dtype, pixels.min() < 8, pixels.max() > 247) == (np.dtype("uint8"), True, True)
    rows = drawn("int64", limit=30)
    assert (rows.dtype, set(np.unique(rows))) == (np.dtype("int64"), set(range(30)))
    spanned = drawn("float32", span=(3.0, 4.0))
    assert 3.0 <= spanned.min() < spanned.max() <= 4.0
    assert 200 < drawn("float32", pixels=True).max() <= 255
    normal = drawn("float32")
    assert (normal.dtype, normal.min() < -2, normal.max() > 2) == (np.dtype("float64"), True, True)
    assert set(np.unique(drawn("string"))) == {"alpha", "beta gamma", "delta"}
    assert set(np.unique(drawn("string", words=("a", "b")))) == {"a", "b"}
    assert set(np.unique(drawn("int64", words=(5, 7)))) == {5, 7}


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integers_that_are_computed_with_are_all_of_their_type(dtype: str) -> None:
    whole, limits = drawn(dtype, whole=True), np.iinfo(dtype)
    assert whole.dtype == dtype
    assert (whole.min(), whole.max()) == (limits.min, limits.max)
    for end in (limits.min, limits.max):
        assert 0.06 < (whole == end).mean() < 0.19
    middle = whole[(whole > limits.min) & (whole < limits.max)].astype(np.float64)
    center, size = (limits.min + limits.max) / 2, float(limits.max) - float(limits.min)
    assert abs(middle.mean() - center) < size / 16
    assert np.ptp(middle) > 0.9 * size


def test_wide_integers_are_drawn_from_all_of_their_type_only_when_asked() -> None:
    specs = [InputSpec("x", (None, 50), "int32", wide=True), InputSpec("y", (None, 2), "float32")]
    arrays = candidate_inputs(specs, lambda: np.random.default_rng(0))[0]
    assert set(np.unique(arrays[0])) == {0, 1}
    wide = wide_inputs(specs, arrays, np.random.default_rng(1))
    assert wide[0].max() == np.iinfo("int32").max
    assert wide[0].shape == arrays[0].shape
    assert wide[1] is arrays[1]
    assert wide_inputs(specs[1:], arrays[1:], np.random.default_rng(1)) is None


def test_lone_samples_are_of_other_sizes_where_these_are_free() -> None:
    specs = [InputSpec("x", (None, None, 3), "float32")]
    arrays = candidate_inputs(specs, lambda: np.random.default_rng(0))[0]
    lone = lone_inputs(specs, arrays, np.random.default_rng(0), free=True)
    assert [each[0].shape for each in lone] == [(1, n, 3) for n in (96, 48, 64, 16)] + [(1, 32, 3)]
    (alone,) = lone_inputs(specs, arrays, np.random.default_rng(0), free=False)
    np.testing.assert_array_equal(alone[0], arrays[0][:1])
    fixed = [InputSpec("x", (2, 3), "float32")]
    given = [np.ones((2, 3))]
    assert lone_inputs(fixed, given, np.random.default_rng(0), free=True) == []


def test_a_mask_hides_steps_of_every_second_sample() -> None:
    masked = drawn("float32", (None, 8, 3), mask=-7.0)
    hidden = (masked == -7.0).all(-1)
    assert not hidden[::2].any()
    assert hidden[1::2].any(1).all()
    assert not hidden[1::2].all(1).any()
    assert ((masked == -7.0).any(-1) & ~hidden).any()  # the value elsewhere, where it hides nothing


SPECS = [InputSpec("x", (None, 4), "float32"), InputSpec("n", (None, 1), "int32")]
X, N = np.ones((3, 4)), np.ones((3, 1))


@pytest.mark.parametrize(
    ("structure", "inputs", "said"),
    [
        ([Value(0), Value(1)], [X], "the model takes 2 inputs, 1 were given"),
        ([Value(0), Value(1)], [X, N, N], "the model takes 2 inputs, 3 were given"),
        ([Value(0), Value(1)], [X[:2], N], "inputs= have 2 and 3 samples"),
        ([Value(0), Value(1)], [X[:0], N[:0]], "inputs= have 0 samples"),
        ([Value(0), Value(1)], [X, N + 0.5], "'n' takes int32 of the shape"),
        ([Value(0), Value(1)], [X, N * 2.0**31], "'n' takes int32 of the shape"),
        ([Value(0), Value(1)], [X[:, :3], N], "'x' takes numbers of the shape"),
        ([Value(0), Value(1)], {"x": X}, "inputs= has 'x'; the inputs of the model are 'x', 'n'"),
        ({"b": Value(1), "a": Value(0)}, {"x": X}, "the inputs of the model are 'a', 'b'"),
    ],
)
def test_inputs_that_do_not_fit(structure: Any, inputs: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        fitted(SPECS, structure, inputs)


def test_inputs_that_fit() -> None:
    for structure, inputs in (
        ([Value(0), Value(1)], [X, N]),
        ([Value(0), Value(1)], [X, N[:, 0]]),  # an axis of one size may be left out, as in Keras
        ([Value(0), Value(1)], {"n": N, "x": X}),
        ({"a": Value(0), "b": Value(1)}, {"b": N, "a": X}),
    ):
        first, second = fitted(SPECS, structure, inputs)
        np.testing.assert_array_equal(first, X)
        assert (second.shape, second.dtype) == ((3, 1), np.dtype("int32"))
    (alone,) = fitted(SPECS[:1], Value(0), X.tolist())
    np.testing.assert_array_equal(alone, X)


@pytest.mark.parametrize(
    ("one", "two", "difference", "magnitude"),
    [
        ([[1.0, 2.0], [3.0, -4.0]], [[1.0, 2.5], [3.0, -4.0]], [0.0, 0.5], [3.0, 4.0]),
        ([1.0, 2.0], [1.0, -1.0], [3.0], [2.0]),
        ([[1.0]], [1.0], [np.inf], [1.0]),
        ([["a"]], [["a"]], [0.0], [1.0]),
        ([["a"]], [["b"]], [1.0], [1.0]),
        ([[True]], [[False]], [1.0], [1.0]),
        ([["a"]], [[1.0]], [np.inf], [1.0]),
        ([[np.nan, 1.0]], [[np.nan, 1.0]], [0.0, 0.0], [0.0, 1.0]),
        ([[np.nan, 1.0], [2.0, 1.0]], [[np.nan, 1.0], [3.0, 1.0]], [1.0, 0.0], [2.0, 1.0]),
        ([[np.nan, 1.0]], [[5.0, 1.0]], [np.nan, 0.0], [np.nan, 1.0]),
        ([[np.nan]], [[np.nan]], [0.0], [np.inf]),
        ([], [], [0.0], [0.0]),
    ],
)
def test_how_far_arrays_are_apart(one: Any, two: Any, difference: Any, magnitude: Any) -> None:
    gap = gap_of(np.array(one), np.array(two), -1)
    np.testing.assert_array_equal(gap.difference, difference)
    np.testing.assert_array_equal(gap.magnitude, magnitude)
    assert gap.noise.tolist() == [0.0] * len(gap.magnitude)


def test_channels_are_along_the_axis_asked_for() -> None:
    one, two = np.zeros((2, 3, 4)), np.zeros((2, 3, 4))
    two[0, 1, 2] = 5.0
    assert gap_of(one, two, 1).difference.tolist() == [0.0, 5.0, 0.0]
    assert gap_of(one, two, -1).difference.tolist() == [0.0, 0.0, 5.0, 0.0]


def test_only_finite_places_are_held_to_anything() -> None:
    one, two = np.array([1.0, np.inf, np.nan]), np.array([2.0, 3.0, np.nan])
    ours, theirs = finite_parts(one, two)
    assert (ours.tolist(), theirs.tolist()) == ([1.0, 0.0, 0.0], [2.0, 0.0, 0.0])
    for pair in (([1.0], [2.0, 3.0]), (["a"], ["b"]), ([True], [False])):
        kept = finite_parts(*map(np.array, pair))
        assert [array.tolist() for array in kept] == list(pair)


def test_inputs_move_by_a_unit_of_their_own_size() -> None:
    reals, whole = np.array([1.0, -100.0] * 50), np.arange(100)
    moved, same = moved_inputs([reals, whole], 2.0**-10, seed=3)
    np.testing.assert_array_equal(same, whole)
    np.testing.assert_allclose(np.abs(moved / reals - 1), 2.0**-9, rtol=1e-9)
    assert {True, False} == set((moved > reals).tolist())
    again, _ = moved_inputs([reals, whole], 2.0**-10, seed=4)
    assert (again != moved).any()
