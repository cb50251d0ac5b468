"""A folded model that gives other outputs: the whole text."""

from __future__ import annotations

from types import SimpleNamespace

from pytest_layercount.checks.equivalent import failure_text, nothing_folded
from tests.checks.test_foldable import refusals
from tests.texts import same


def test_nothing_folded():
    same(
        nothing_folded("net", refusals(1)),
        """
        net: 0 layers fold, 1 refused
        nothing was folded, so there is nothing to compare
        several-consumers (1): normalize on the branch, after the layer that only this branch uses
            stage0/bn: the output of stage0/conv is also used elsewhere
        """,
    )


def test_not_equivalent():
    scores = SimpleNamespace(
        name="scores", difference=0.031, limit=4e-12, magnitude=1.25, equivalent=False
    )
    boxes = SimpleNamespace(name="boxes", equivalent=True)
    equivalence = SimpleNamespace(
        outputs=(scores, boxes),
        worst=scores,
        first="stage2/conv",
        dtype="float64",
        seed=7,
        cause="",
    )
    check = SimpleNamespace(
        equivalence=equivalence, randomised=True, result=SimpleNamespace(folds=(1, 2))
    )
    same(
        failure_text("resnet_s", check, note="for the edge"),
        """
        resnet_s: off by 3.1e-02 > limit 4.0e-12
        worst output: scores, values up to 1.2e+00 (1 of 2 outputs differ)
        first layer that differs: stage2/conv
        compared in float64, seed 7 on a copy with randomised batch-norm statistics
        note: for the edge
        to look closer: pytest_layercount.fold(model).folds (2 folds)
        layers that this package brings are meant to fold exactly: please report it
        """,
    )


def test_equivalent_outputs_of_different_layers():
    scores, conv = (
        SimpleNamespace(name=name, difference=0.5, limit=0.1, magnitude=1.0, equivalent=same)
        for name, same in (("scores", True), ("stage2/conv", False))
    )
    equivalence = SimpleNamespace(
        outputs=(scores,), worst=conv, first="stage2/conv", dtype="float32", seed=0, cause=""
    )
    check = SimpleNamespace(
        equivalence=equivalence, randomised=False, result=SimpleNamespace(folds=(1,))
    )
    assert failure_text("net", check).splitlines()[:4] == [
        "net: off by 5.0e-01 > limit 1.0e-01",
        "worst layer: stage2/conv, values up to 1.0e+00 (0 of 1 outputs differ)",
        "first layer that differs: stage2/conv",
        "compared in float32, seed 0",
    ]
