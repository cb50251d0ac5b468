"""Judgements by hand, for tests of the reports alone."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_layercount.checks.judgement import Facts, Growth, Judgement, Limit, Refused, Step
from pytest_layercount.report.as_json import schema
from pytest_layercount.report.summary import Summary, summarize

FACTS = Facts(
    keras="Keras 3.15.0",
    layers=187,
    nodes=186,
    depth=150,
    weight_bytes=9_031_936,
    macs=300_000_000,
    uncounted={"custom": "nothing is known of its class"},
    parameters=2_257_984,
    trainable_parameters=2_223_872,
    folded_layers=136,
    types={"BatchNormalization": 52, "Conv2D": 35, "ReLU": 100},
    folded_types={"BatchNormalization": 1, "Conv2D": 35, "ReLU": 100},
    refusals=(Refused("block/bn", "BatchNormalization", "nonlinear", "ReLU is in the way"),),
)
SMALL = Facts(
    keras="Keras 3.15.0",
    layers=3,
    nodes=2,
    depth=2,
    weight_bytes=80,
    macs=20,
    uncounted={},
    parameters=20,
    trainable_parameters=20,
    folded_layers=3,
    types={"Dense": 3},
    folded_types={"Dense": 3},
)
GROWTH = Growth(
    baseline="__layercount__/detector.txt",
    allowed="5%",
    layers=150,
    parameters=2_000_000,
    steps=(
        Step("blocks", 36, "2 blocks more: 12 Conv2D and 24 others", ("block_7", "block_8")),
        Step("added", 1, "1 Dropout only in the second model", ("drop",)),
    ),
)
MAX = Limit("max", "layers", 150, 187, kept=False)


def judged(model: str = "detector", test: str = "test_a.py::test_it", **given: Any) -> Judgement:
    data: dict[str, Any] = {"where": "", "check": "layercount", "outcome": "passed", "facts": SMALL}
    return Judgement(test=test, model=model, **{**data, **given})


FAILED = judged(
    outcome="failed",
    message="187 layers > max 150 (+37)",
    accept="max=187",
    limits=(MAX, Limit("max_parameters", "parameters", 5_000_000, 2_257_984, kept=True)),
    facts=FACTS,
)
GROWN = judged(
    outcome="failed",
    check="baseline",
    message="150 -> 187 layers (+37)",
    facts=FACTS,
    growth=GROWTH,
)


def suite_of(*judgements: Judgement) -> Summary:
    return summarize(judgements)


def large(models: int, length: int = 20) -> Summary:
    """A run of many models, all of them with much to say."""
    return suite_of(
        *(
            judged(
                f"model{number:05d}{'<' * length}",
                test=f"test_a.py::test_it[{number}]",
                outcome="failed",
                message=f"{number} layers > max 1 {'*' * length}",
                facts=FACTS,
                growth=GROWTH,
            )
            for number in range(models)
        )
    )


def wrong(data: Any) -> list[str]:
    """Where a JSON report is not as its schema says."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema())
    return [error.message for error in validator.iter_errors(data)]
