"""The affine map itself."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_layercount.folding.affine import Affine, identity, joined


def numeric(*scale: float, shift: tuple[float, ...] | None = None, name: str = "a") -> Affine:
    shifts = np.zeros(len(scale)) if shift is None else np.array(shift)
    return Affine.of(np.array(scale), shifts, 1, (name,))


def test_facts_are_read_off_the_arrays() -> None:
    affine = numeric(1.0, 2.0)
    assert (affine.zero_shift, affine.nonnegative, affine.unit_scale) == (True, True, False)
    affine = numeric(1.0, 1.0, shift=(0.0, 1.0))
    assert (affine.zero_shift, affine.nonnegative, affine.unit_scale) == (False, True, True)
    assert numeric(0.0, -1e-30).nonnegative is False


def test_a_symbolic_map_keeps_its_facts_unknown() -> None:
    affine = Affine(1, 3, ("a",), nonnegative=True)
    assert affine.symbolic
    assert affine.take([0, 0], 1).nonnegative is True
    assert affine.scale_only().zero_shift is True
    assert affine.then(numeric(1.0, 1.0, 1.0)).zero_shift is None


def test_untrusted_facts_do_not_come_back() -> None:
    affine = numeric(1.0, 1.0).untrusted(zero_shift=False, nonnegative=False)
    for other in (affine.part(0, 1), affine.then(numeric(1.0, 1.0)), affine.along(2, 2)):
        assert (other.zero_shift, other.nonnegative, other.unit_scale) == (False, False, False)


def test_composition_applies_the_first_first() -> None:
    a, b = numeric(2.0, 3.0, shift=(1.0, -1.0)), numeric(5.0, 7.0, shift=(0.5, 0.0), name="b")
    scale, shift = a.then(b).arrays()
    x = np.array([0.3, -0.4])
    assert np.allclose(scale * x + shift, b.scale * (a.scale * x + a.shift) + b.shift)


def test_spreading_taking_and_joining() -> None:
    one = Affine.of(np.array([2.0]), np.array([1.0]), None, ("one",))
    assert np.array_equal(one.along(3, 4).arrays()[0], [2.0] * 4)
    taken = numeric(1.0, 2.0, 3.0).take([2, 0, 2, 1], 2)
    assert np.array_equal(taken.arrays()[0], [3.0, 1.0, 3.0, 2.0])
    assert taken.axis == 2
    both = joined([numeric(2.0, 3.0), identity(1, 2)], 1)
    assert np.array_equal(both.arrays()[0], [2.0, 3.0, 1.0, 1.0])
    assert both.channels == 4


def test_shifts_alone() -> None:
    affine = numeric(2.0, 3.0, shift=(1.0, -2.0))
    assert np.array_equal(affine.shift_times(0.5).arrays()[1], [0.5, -1.0])
    assert np.array_equal(affine.plus_shift(affine, -1.0).arrays()[1], [0.0, 0.0])
    assert affine.plus_shift(affine, -1.0).zero_shift is True
    assert np.array_equal(affine.scale_only().arrays()[0], [2.0, 3.0])


@pytest.mark.parametrize("axis", [1, 2])
def test_equal_maps_run_along_the_same_axis(axis: int) -> None:
    affine = numeric(2.0, 3.0)
    assert affine.along(axis, 2).equals(affine) is (axis == 1)
    assert not affine.equals(numeric(2.0, 3.0, name="b"))
