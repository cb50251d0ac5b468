"""A count that is out of its limits: the whole text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_layercount.checks.judgement import Limit
from pytest_layercount.checks.layercount import failure_text
from pytest_layercount.measures import MEASURES
from pytest_layercount.model.count import LayerCount
from pytest_layercount.text import HEADLINE
from tests.texts import same


def broken(name, value, limit, of="layers", *, folded=False):
    of = MEASURES[name].attribute if name in MEASURES else of
    return Limit(name, of, limit, value, False, folded)


RESNET = LayerCount(
    total=187,
    count="layers",
    by_type={
        "BatchNormalization": 57,
        "Conv2D": 57,
        "Activation": 51,
        "Add": 16,
        "InputLayer": 1,
        "ZeroPadding2D": 2,
        "Dense": 1,
        "GlobalAveragePooling2D": 1,
        "MaxPooling2D": 1,
    },
    parameters=25_636_712,
    trainable_parameters=25_583_592,
    model="resnet_s",
    keras="Keras 3.15.1",
)


def test_too_many_layers():
    text = failure_text(
        RESNET, [broken("max", 187, 150)], "detector", ["note: has to fit the camera"]
    )
    same(
        text,
        """
        resnet_s: 187 layers > max 150 (+37)
        counted: layers of fixture detector, Keras 3.15.1
            57 BatchNormalization
            57 Conv2D
            51 Activation
            16 Add
             1 InputLayer
             2 ZeroPadding2D
             1 Dense
             2 of 2 other types
        note: has to fit the camera
        to judge what is left after folding batch normalizations: folded=True
        to accept: max=187
        """,
    )


def test_too_much_of_everything():
    limits = [
        broken("max", 187, 150, folded=True),
        broken("types", 57, 0, "BatchNormalization", folded=True),
        broken("max_parameters", 25_636_712, 5_000_000, folded=True),
    ]
    text = failure_text(RESNET, limits)
    assert text.splitlines()[:4] == [
        "resnet_s: 187 folded layers > max 150 (+37)",
        "and 57 folded BatchNormalization > max 0 (+57)",
        "and 25,636,712 parameters > max 5M (+20,636,712)",
        "counted: layers of resnet_s after folding, Keras 3.15.1",
    ]
    accept = "to accept: max=187, max_parameters=25636712, types={'BatchNormalization': 57}"
    assert text.splitlines()[-1] == accept


@pytest.mark.parametrize(
    ("limit", "count", "first"),
    [
        (broken("min", 187, 200), "layers", "resnet_s: 187 layers < min 200 (-13)"),
        (broken("exactly", 187, 180), "nodes", "resnet_s: 187 nodes != exactly 180 (+7)"),
        (broken("max", 187, 1), "top", "resnet_s: 187 top-level layers > max 1 (+186)"),
    ],
)
def test_other_limits(limit, count, first):
    measured, limit = LayerCount(**{**vars(RESNET), "count": count}), replace(limit, of=count)
    line = failure_text(measured, [limit]).splitlines()[0]
    assert line == first
    assert len(line) <= HEADLINE


def test_costs_beyond_their_limits():
    costly = LayerCount(
        **{**vars(RESNET), "depth": 52, "weight_bytes": 102_546_848, "macs": 4_089_184_256}
    )
    limits = [
        broken("max_macs", 4_089_184_256, 4_000_000_000),
        broken("max_bytes", 102_546_848, 20_000_000),
        broken("max_depth", 52, 50),
        broken("max_trainable", 25_583_592, 25_000_000),
    ]
    text = failure_text(costly, limits)
    assert text.splitlines()[:4] == [
        "resnet_s: 4.089G MACs > max 4G (+89.18M)",
        "and 102.5MB of weights > max 20MB (+82.55MB)",
        "and 52 calls deep > max 50 (+2)",
        "and 25,583,592 trainable parameters > max 25M (+583,592)",
    ]
    assert text.splitlines()[-1] == (
        "to accept: max_macs=4089184256, max_bytes=102546848, max_depth=52, max_trainable=25583592"
    )


def test_a_number_of_macs_that_is_not_known():
    unknown = {"stem": "a size in its shapes is not known: (None, None, None, 3)"}
    costly = LayerCount(**{**vars(RESNET), "uncounted": unknown})
    text = failure_text(costly, [broken("max_macs", 0, 4)])
    assert text.splitlines()[0] == "resnet_s: 1 layer without a known number of MACs"
    assert "not known: stem: a size in its shapes is not known: (None, None, None, 3)" in text
    assert text.splitlines()[-1] == "to accept: max_macs=None"
