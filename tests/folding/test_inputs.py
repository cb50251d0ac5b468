"""The inputs that a model is tried on."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.equivalence.inputs import (
    UNEQUAL_SIZES,
    InputSpec,
    candidate_inputs,
    fitted,
    lone_inputs,
    wide_inputs,
)
from pytest_layercount.model.graph import Value


def shapes(spec: InputSpec) -> list[tuple[int, ...]]:
    return [one.shape for [one] in candidate_inputs([spec], lambda: np.random.default_rng(0))]


def test_a_known_size_is_tried_with_one_sample_too() -> None:
    assert shapes(InputSpec("image", (None, 8, 8, 3), "float64")) == [(16, 8, 8, 3), (1, 8, 8, 3)]


def test_an_unknown_size_may_be_that_of_a_short_text() -> None:
    tried = shapes(InputSpec("tokens", (None, None), "int32", limit=50))
    assert tried[:5] == [(16, 32), (16, 64), (16, 128), (16, 224), (16, 8)]
    assert tried[5:] == [(1, size) for _, size in tried[:5]]


IMAGE, IDS = InputSpec("image", (None, 8, 8, 3), "float64"), InputSpec("ids", (None, 4), "int32")
PIXELS, NUMBERS = np.zeros((2, 8, 8, 3)), np.ones((2, 4), int)
NAMES = {"image": Value(0), "ids": Value(1)}
BOTH = (Value(0), Value(1))


def given(*arrays: Any, specs: Any = (IMAGE, IDS), structure: Any = BOTH) -> Any:
    return fitted(specs, structure, arrays[0] if len(arrays) == 1 else list(arrays))


def test_inputs_that_fit_come_as_the_model_takes_them() -> None:
    for found in (
        given(PIXELS, NUMBERS.astype(float)),
        given({"ids": NUMBERS, "image": PIXELS}),
        given({"ids": NUMBERS, "image": PIXELS}, structure=(Value(0), Value(1))),
        given([PIXELS, NUMBERS]),
    ):
        assert [array.shape for array in found] == [(2, 8, 8, 3), (2, 4)]
        assert found[1].dtype == "int32"
    found = given({"ids": NUMBERS, "image": PIXELS}, specs=(IDS, IMAGE), structure=NAMES)
    assert [array.shape for array in found] == [(2, 4), (2, 8, 8, 3)]
    (column,) = given([1.0, 2.0], specs=[InputSpec("x", (None, 1), "float64")], structure=Value(0))
    assert column.shape == (2, 1)
    fixed = InputSpec("x", (1, 2), "float64")
    assert len(given(NUMBERS, np.ones((1, 2)), specs=(IDS, fixed))) == 2


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ([[PIXELS]], "the model takes 2 inputs, 1 were given"),
        ([PIXELS, NUMBERS, NUMBERS], "the model takes 2 inputs, 3 were given"),
        ([{"image": PIXELS}], "inputs= has 'image'; the inputs of the model are 'image', 'ids'"),
        ([PIXELS[:1], NUMBERS], "inputs= have 1 and 2 samples: give as many of each input"),
        ([PIXELS[:0], NUMBERS[:0]], "inputs= have 0 samples"),
        (
            [PIXELS[:, :4], NUMBERS],
            "'image' takes numbers of the shape (None, 8, 8, 3), not float64",
        ),
        (
            [PIXELS, NUMBERS[0]],
            "'ids' takes int32 of the shape (None, 4), not int64 of the shape (4,)",
        ),
        ([PIXELS, NUMBERS + 0.5], "'ids' takes int32"),
        ([PIXELS, NUMBERS * 2**31], "'ids' takes int32"),
        ([PIXELS, -NUMBERS * 2**32], "'ids' takes int32"),
        ([PIXELS, NUMBERS.astype(str)], "'ids' takes int32"),
        ([PIXELS.astype(str), NUMBERS], "'image' takes numbers"),
    ],
)
def test_inputs_that_do_not_fit_are_an_error(arrays: Any, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        given(*arrays)


@pytest.mark.parametrize(
    ("dtype", "values", "fit"),
    [
        ("bool", [0, 1], True),
        ("bool", [0, 2], False),
        ("uint8", [0, 255], True),
        ("uint8", [-1, 0], False),
        ("uint8", [0, 256], False),
        ("int8", [-128, 127], True),
        ("string", ["a", "b"], True),
        ("string", [1, 2], False),
        ("float16", [1e9, 0.5], True),
    ],
)
def test_what_a_type_holds(dtype: str, values: Any, fit: bool) -> None:
    spec = InputSpec("x", (None,), dtype)
    if fit:
        assert given(np.array(values), specs=[spec], structure=Value(0))[0].tolist() == values
    else:
        with pytest.raises(ModelError, match="do not fit"):
            given(np.array(values), specs=[spec], structure=Value(0))


def drawn(shape: tuple[int | None, ...], dtype: str, **said: Any) -> Any:
    """What the first try gives one input."""
    return candidate_inputs([InputSpec("x", shape, dtype, **said)], rng)[0][0]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_numbers_mean_what_the_model_takes_them_for() -> None:
    pixels = drawn((None, 20, 20, 1), "float32", pixels=True)
    assert 0 <= pixels.min() < 5
    assert 250 < pixels.max() < 255
    assert set(drawn((None, 50), "uint8", pixels=True).flat) > {0, 255}
    assert set(drawn((None, 50), "int32").flat) == {0, 1}
    assert set(drawn((None, 50), "bool").flat) == {False, True}
    assert set(drawn((None, 50), "string").flat) == {"alpha", "beta gamma", "delta"}
    assert set(drawn((None, 50), "string", words=("a", "b")).flat) == {"a", "b"}
    numbers = drawn((None, 50), "int64", words=(7, 9))
    assert (set(numbers.flat), numbers.dtype) == ({7, 9}, "int64")
    spread = drawn((None, 500), "float32", span=(-3.0, 5.0))
    assert -3 <= spread.min() < -2.9
    assert 4.9 < spread.max() <= 5
    assert abs(drawn((None, 500), "float32").mean()) < 0.1
    whole = drawn((None, 500), "int8", whole=True)
    assert {-128, 127} <= set(whole.flat)
    assert 0.1 < np.mean(whole == -128) < 0.15
    assert 0.1 < np.mean(whole == 127) < 0.15


@pytest.mark.parametrize("limit", [1, 7, 64, 200])
def test_each_row_of_a_table_is_looked_up(limit: int) -> None:
    ids = drawn((None, 4), "int32", limit=limit)
    assert set(ids.flat) == set(range(limit))
    assert len(ids) == max(16, -(-limit // 4))


def test_wide_integers_reach_the_ends_of_their_type_when_asked_for() -> None:
    wide = InputSpec("x", (None, 50), "int32", wide=True)
    small = np.zeros((16, 50), "int32")
    assert wide_inputs([IDS], [NUMBERS], rng()) is None
    found = wide_inputs([IDS, wide], [NUMBERS, small], rng())
    assert found[0] is NUMBERS
    assert {-(2**31), 2**31 - 1} <= set(found[1].flat)


def test_steps_are_masked_at_the_end_and_within() -> None:
    values = drawn((None, 10, 3), "float32", mask=-7.0)
    masked = (values == -7).all(-1)
    assert not masked[::2].any()
    lengths = [int(np.argmin(np.cumsum(~row)[::-1] == (~row).sum())) for row in masked[1::2]]
    assert all(1 <= length <= 5 for length in lengths)
    assert all(row[:5].any() for row in masked[1::2])
    assert 0.05 < np.mean(values[::2, :, 0] == -7) < 0.2
    assert not (values[::2, :, 1:] == -7).any()


@pytest.mark.parametrize("free", [True, False])
def test_one_sample_alone(free: bool) -> None:
    text = InputSpec("x", (None, None), "int32")
    tried = lone_inputs([text], [np.zeros((16, 48), "int32")], rng(), free=free)
    assert [array.shape for [array] in tried] == [*([(1, 96), (1, 64), (1, 16)] * free), (1, 48)]
    assert lone_inputs([IDS], [NUMBERS[:1]], rng(), free=free) == []
    fixed = InputSpec("y", (2, 4), "int32")
    (both,) = lone_inputs([IDS, fixed], [NUMBERS, NUMBERS], rng(), free=free)
    assert [len(array) for array in both] == [1, 2]


def test_sizes_that_tell_the_axes_apart_are_halved_five_times() -> None:
    """As networks do that then double them and join what comes out with what went in."""
    first = UNEQUAL_SIZES[0]
    assert len(set(first)) == len(first) == 3
    assert all(size % 2**5 == 0 and size > 2**5 for size in first[:2])
    assert first[2] % 2**5 == 0


def test_a_number_alone_has_no_steps_to_mask() -> None:
    assert drawn((None,), "float32", mask=0.0).shape == (16,)
    assert 0.0 not in drawn((None, 1), "float32", mask=0.0)
