"""Judgements put together model by model."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pytest_layercount.checks.judgement import Growth, Limit
from pytest_layercount.report import words
from tests.report.runs import FACTS, FAILED, GROWN, SMALL, judged, suite_of


def test_what_was_judged_of_the_same_model_is_one_row():
    summary = suite_of(FAILED, judged("small"), GROWN, judged("small", check="foldable"))
    assert [(row.name, row.outcome, len(row.judgements)) for row in summary.rows] == [
        ("detector", "failed", 2),
        ("small", "passed", 2),
    ]
    assert summary.failed == 1
    assert summary.rows[0].messages == ["187 layers > max 150 (+37)", "150 -> 187 layers (+37)"]


def test_models_that_share_a_name_are_told_apart_by_their_numbers_and_files():
    one, two = judged("net"), judged("net", facts=FACTS)
    there = judged("net", where="other/conftest.py")
    rows = suite_of(one, two, there).rows
    assert [(row.name, row.facts.layers) for row in rows] == [("net", 3), ("net", 187), ("net", 3)]


ROWS = """
import pytest
from tests.graphs import chain, of_size

@pytest.fixture(params=["small", "large"])
def net(request):
    return of_size({"small": 3, "large": 5}[request.param], name="net")

@pytest.fixture
def pair(net):
    return {"student": of_size(2, name="net"), "teacher": net}

@pytest.mark.layercount(max=4)
class TestIt:
    def test_passes(self, net): pass
    @pytest.mark.layercount(max=1)
    def test_fails(self, net): pass
    def test_pair(self, pair): pass

def test_in_the_body(assert_layer_count):
    assert_layer_count(of_size(7, name="net"), max=5)
"""
LABELS = ["net", "net[large]", "net[small]", "pair[large]['student']", "pair[small]['student']"]


@pytest.mark.parametrize("chosen", [[], ["-n", "2"], ["-k", "test_fails or test_pair"]])
def test_a_row_is_called_by_fixture_and_parameters_whichever_tests_run(suite, chosen):
    suite.makepyfile(ROWS)
    suite.runpytest("--layercount-report=report.json", *chosen)
    data = json.loads((suite.path / "report.json").read_text(encoding="utf-8"))
    labels = {each["model"] for each in data["judgements"]}
    assert sorted(labels) == (LABELS[1:] if "-k" in chosen else LABELS)


def test_what_failed_comes_first():
    expected = judged("c", outcome="expected", message="3 layers > max 2 (+1)")
    summary = suite_of(judged("a"), judged("b"), expected, dataclasses.replace(FAILED, model="d"))
    assert [row.name for row in summary.rows] == ["d", "c", "a", "b"]


def test_a_model_that_could_not_be_read_has_no_numbers():
    unread = judged("net.keras", facts=None, outcome="failed", message="no file net.keras")
    (row,) = suite_of(unread).rows
    assert words.cells(row) == ("net.keras", "-", "-", "-", "-", "-")
    assert words.verdict(row) == "failed: no file net.keras"


def test_the_cells_of_a_row():
    (row,) = suite_of(FAILED, GROWN).rows
    assert words.cells(row) == (
        "detector",
        "187",
        "2,257,984",
        "+37 (+24.7%)",
        "max 150, max 5M parameters ...",
        "136",
    )
    assert words.verdict(row) == "failed: 187 layers > max 150 (+37) (and 1 more)"


@pytest.mark.parametrize(
    ("before", "change"),
    [(3, "0"), (4, "-1 (-25.0%)"), (2, "+1 (+50.0%)"), (0, "+3"), (None, "")],
)
def test_changes(before, change):
    growth = None if before is None else Growth("b.txt", before, 20)
    (row,) = suite_of(judged(facts=SMALL, growth=growth)).rows
    assert words.change(row) == change


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit("max", "layers", 1500, 3, kept=True), "max 1,500"),
        (Limit("min", "nodes", 5, 3, kept=False), "min 5 nodes"),
        (Limit("exactly", "layers", 5, 3, kept=False, folded=True), "= 5 folded"),
        (Limit("max", "top", 5, 3, kept=True), "max 5 top-level"),
        (Limit("types", "Conv2D", 0, 3, kept=False), "max 0 Conv2D"),
        (Limit("max_parameters", "parameters", 300_000, 3, kept=True), "max 300k parameters"),
        (
            Limit("max_trainable", "trainable_parameters", 10, 3, kept=True),
            "max 10 trainable parameters",
        ),
        (Limit("max_bytes", "weight_bytes", 4_000_000, 3, kept=True), "max 4MB of weights"),
        (Limit("max_depth", "depth", 12, 3, kept=True), "max 12 calls deep"),
        (Limit("max_macs", "macs", 2_000_000_000, 3, kept=True), "max 2G MACs"),
    ],
)
def test_limits(limit, text):
    assert words.limit_text(limit) == text
    (row,) = suite_of(judged(limits=(limit,) * 2)).rows
    assert words.budget(row) == text


@pytest.mark.parametrize(
    ("judgements", "text"),
    [
        ([], "0 models judged, none failed"),
        ([judged()], "1 model judged, none failed"),
        ([FAILED, judged("small")], "2 models judged, 1 failed"),
    ],
)
def test_headlines(judgements, text):
    assert words.headline(suite_of(*judgements)) == text


def test_the_numbers_of_a_model():
    (row,) = suite_of(FAILED).rows
    assert words.numbers(row) == [
        ("layers", "187"),
        ("after folding", "136"),
        ("nodes", "186"),
        ("parameters", "2,257,984"),
        ("trainable", "2,223,872"),
        ("bytes of weights", "9,031,936"),
        ("depth", "150"),
        ("MACs without some layers", "300,000,000"),
        ("limits", "max 150, max 5M parameters"),
        ("built with", "Keras 3.15.0"),
    ]


def test_a_check_that_did_not_plan_goes_with_those_of_its_model_that_did():
    unplanned = dataclasses.replace(SMALL, folded_layers=None, folded_types={})
    folds = dataclasses.replace(SMALL, folded_layers=2)
    summary = suite_of(judged("a", facts=unplanned), judged("a", facts=folds), judged("a"))
    assert [[each.facts.folded_layers for each in row.judgements] for row in summary.rows] == [
        [None, 2],
        [3],
    ]
    assert [row.facts.folded_layers for row in summary.rows] == [2, 3]
