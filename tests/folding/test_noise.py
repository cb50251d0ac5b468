"""How coarse numbers are, by the types in which a model stores its weights."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pytest_layercount.folding.equivalence.noise import UNITS, rounding_unit


def model(*dtypes: str) -> SimpleNamespace:
    return SimpleNamespace(weights=[SimpleNamespace(dtype=dtype, shape=(1,)) for dtype in dtypes])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_unit_of_a_type_is_half_the_spacing_of_its_numbers(dtype: str) -> None:
    assert UNITS[dtype] == rounding_unit(model(dtype)) == np.finfo(dtype).eps / 2
    assert UNITS["float64"] == 8 * np.finfo("float64").eps / 2
    assert UNITS["bfloat16"] == 2.0**-7 / 2  # seven bits behind the first


def test_the_coarsest_type_decides_and_single_precision_where_there_is_none() -> None:
    assert rounding_unit(model("float32", "float64")) == UNITS["float32"]
    assert rounding_unit(model("float64", "bfloat16", "int32")) == UNITS["bfloat16"]
    assert rounding_unit(model()) == rounding_unit(model("int8")) == UNITS["float32"]
