"""The JSON report keeps its schema, and the schema says what is in it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pytest_layercount.checks import judgement
from pytest_layercount.report.as_json import as_json, schema
from tests.report.runs import FAILED, GROWN, judged, suite_of, wrong

DRAWINGS = ("picture", "failure")
"""Names of files that are gone when the run is over."""


def report():
    unread = judged("net.keras", facts=None, outcome="failed", message="no file net.keras")
    return json.loads(as_json(suite_of(FAILED, GROWN, unread), {"Keras": "3.15.0"}))


def test_it_keeps_the_schema():
    data = report()
    assert not wrong(data)
    assert data["counts"] == {"models": 2, "failed": 2, "judgements": 3}
    assert data["versions"] == {"Keras": "3.15.0"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("judgements", 0, "outcome"), "skipped"),
        (("judgements", 0, "facts", "layers"), "187"),
        (("judgements", 0, "facts", "layers"), True),
        (("judgements", 0, "limits", 0), {}),
        (("judgements", 1, "growth", "steps"), None),
    ],
)
def test_the_check_would_notice(path, value):
    data = report()
    place = data
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert wrong(data)


@pytest.mark.parametrize(
    ("definition", "kind"),
    [
        ("judgement", judgement.Judgement),
        ("limit", judgement.Limit),
        ("facts", judgement.Facts),
        ("refusal", judgement.Refused),
        ("growth", judgement.Growth),
        ("step", judgement.Step),
    ],
)
def test_every_field_is_documented_and_always_there(definition, kind):
    documented = schema()["$defs"][definition]
    names = [field.name for field in dataclasses.fields(kind) if field.name not in DRAWINGS]
    assert list(documented["properties"]) == documented["required"] == names


def test_it_is_read_back():
    data = report()["judgements"]
    for each in data:
        assert judgement.from_data(each).as_data() == {**each, **dict.fromkeys(DRAWINGS, "")}
