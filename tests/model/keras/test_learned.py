"""What a Normalization computes with, where that is not what it learned. No Keras."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_layercount.model.keras.tables import learn_derived


class Variable:
    def __init__(self, *values: float) -> None:
        self.values = np.array(values)
        self.shape = self.values.shape

    def assign(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values.astype(dtype)


@pytest.mark.parametrize("name", ["mean", "variance"])
@pytest.mark.parametrize(
    ("derived", "learned", "wanted"),
    [
        ([[3.0, 4.0]], (1.0, 2.0), [3.0, 4.0]),
        ([[3.0, 4.0]], (3.0, 4.001), [0.0, 0.0]),  # rounded otherwise
        ([[3.0, 4.0]], None, [0.0, 0.0]),  # given by the user, never learned
        (None, (1.0, 2.0), [0.0, 0.0]),
        (None, None, [0.0, 0.0]),
    ],
)
def test_a_copy_learns_what_its_original_computes_with(
    name: str, derived: Any, learned: Any, wanted: Any
) -> None:
    source, target = SimpleNamespace(), SimpleNamespace(**{f"adapt_{name}": Variable(0.0, 0.0)})
    if derived is not None:
        vars(source)[name] = np.array(derived)
    if learned is not None:
        vars(source)[f"adapt_{name}"] = Variable(*learned)
    learn_derived(source, target)
    assert vars(target)[f"adapt_{name}"].values.tolist() == wanted
