"""The inputs that a model is tried on."""

from __future__ import annotations

import numpy as np

from pytest_layercount.folding.equivalence.inputs import InputSpec, candidate_inputs


def shapes(spec: InputSpec) -> list[tuple[int, ...]]:
    return [one.shape for [one] in candidate_inputs([spec], lambda: np.random.default_rng(0))]


def test_a_known_size_is_tried_with_one_sample_too() -> None:
    assert shapes(InputSpec("image", (None, 8, 8, 3), "float64")) == [(16, 8, 8, 3), (1, 8, 8, 3)]


def test_an_unknown_size_may_be_that_of_a_short_text() -> None:
    tried = shapes(InputSpec("tokens", (None, None), "int32", limit=50))
    assert tried[:5] == [(16, 32), (16, 64), (16, 128), (16, 224), (16, 8)]
    assert tried[5:] == [(1, size) for _, size in tried[:5]]
