"""One table says what can be limited: everything else follows from its rows."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from pytest_layercount.checks.arguments import CHECKS
from pytest_layercount.checks.layercount import Limits
from pytest_layercount.fixtures import AssertLayerCount
from pytest_layercount.measures import MEASURES, Measure, marker_help
from pytest_layercount.model.count import count_graph
from pytest_layercount.settings import KEYS
from tests.graphs import of_size

ROOT = Path(__file__).parent.parent

NEW_ROW = """
from pytest_layercount.measures import MEASURES, Measure

MEASURES["max_everything"] = Measure(
    "max_everything", "total", "everything", "things", "a maximum for everything, like 5M"
)
"""
SUITE = """
import pytest
from tests.graphs import of_size

@pytest.fixture
def net(): return of_size(4)

@pytest.mark.layercount(max_everything="4")
def test_kept(net): pass

@pytest.mark.layercount(max_everything=3)
def test_broken(net): pass

@pytest.mark.layercount(max=9)
def test_of_the_suite(net): pass
"""


@pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))
def test_every_way_to_limit_a_model_knows_every_row(measure: Measure):
    keyword = measure.keyword
    counted = count_graph(of_size(3))
    assert isinstance(getattr(counted, measure.attribute), int)
    (limit,) = Limits.of({keyword: 10**9}).judge(counted)
    assert (limit.name, limit.of, limit.kept) == (keyword, measure.attribute, True)
    assert keyword in CHECKS
    assert keyword in KEYS
    assert f" {keyword}=," in marker_help()
    assert keyword in inspect.signature(AssertLayerCount.__call__).parameters


@pytest.mark.parametrize("keyword", MEASURES)
def test_every_row_is_in_the_pages(keyword: str):
    limits, settings = ((ROOT / f"docs/{page}.rst").read_text() for page in ("limits", "settings"))
    assert re.search(rf"^``{keyword}`` +\S", limits, re.MULTILINE)
    assert re.search(rf"^``layercount_{keyword}``", settings, re.MULTILINE)


def test_a_new_limit_is_one_row(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    suite.makepyfile(new_row=NEW_ROW, test_it=SUITE)
    options = ("-p", "new_row", "--layercount-max-everything=2", "-rf")
    result = suite.runpytest_subprocess(*options)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "FAILED test_it.py::test_broken - Failed: net: 4 things > max 3 (+1)",
            "FAILED test_it.py::test_of_the_suite - Failed: net: 4 things > max 2 (+2)",
        ]
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = "import sys, new_row; from pytest_layercount.cli import main; sys.exit(main())"
    model = "tests.graphs:of_size(4, name='net')"
    arguments = (sys.executable, "-c", command, "count", model, "--max-everything", "3")
    result = suite.run(*arguments)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["net: 4 things > max 3 (+1)", "to accept: --max-everything 4"])
