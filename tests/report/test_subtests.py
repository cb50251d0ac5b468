"""What is judged in a subtest is told by it."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from importlib.util import find_spec

import pytest

from tests.report.runs import wrong

pytestmark = pytest.mark.skipif(
    pytest.version_tuple < (9,) and find_spec("pytest_subtests") is None,
    reason="needs pytest 9, or pytest-subtests",
)
processes = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "workers"])

SUITE = """
import pytest
from tests.graphs import chain, of_size

@pytest.fixture
def detector():
    return chain("InputLayer", "Conv2D", name="detector")

@pytest.fixture
def check(assert_layer_count):
    return assert_layer_count

def test_sizes(check, subtests):
    for size in (3, 4, 5):
        with subtests.test("of size", name="a", size=size):
            check(of_size(size), max=3)

def test_limits(check, subtests, detector):
    for most in (1, 2):
        with subtests.test(most=most):
            check(detector, max=most)
    check(detector, max=9)
"""


@pytest.fixture
def suite(suite):
    suite.makepyfile(test_it=SUITE)
    return suite


@processes
def test_models_made_in_subtests_are_told_apart(suite, workers):
    result = suite.runpytest("-v", *workers)
    rows = [
        re.split("  +", line)
        for line in result.outlines
        if "  failed: " in line or "  passed" in line
    ]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("detector", "2", "failed: 2 layers > max 1 (+1)"),
        ("net [of size] (name='a', size=4)", "4", "failed: 4 layers > max 3 (+1)"),
        ("net [of size] (name='a', size=5)", "5", "failed: 5 layers > max 3 (+2)"),
        ("net [of size] (name='a', size=3)", "3", "passed"),
    ]


@processes
def test_reports_name_the_subtest(suite, workers):
    suite.runpytest("--layercount-report=r.json", "--layercount-report=r.md", *workers)
    data = json.loads((suite.path / "r.json").read_text(encoding="utf-8"))
    assert not wrong(data)
    found = [
        (each["test"].partition("::")[2], each["subtest"], each["outcome"])
        for each in data["judgements"]
    ]
    assert found == [
        ("test_limits", "", "passed"),
        ("test_limits", "(most=1)", "failed"),
        ("test_limits", "(most=2)", "passed"),
        ("test_sizes", "[of size] (name='a', size=3)", "passed"),
        ("test_sizes", "[of size] (name='a', size=4)", "failed"),
        ("test_sizes", "[of size] (name='a', size=5)", "failed"),
    ]
    lines = unescape((suite.path / "r.md").read_text(encoding="utf-8")).splitlines()
    assert "- <code>test_it.py::test_limits (most=1)</code>, to accept: <code>max=2</code>" in lines


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_each_subtest_that_fails_has_its_picture(suite):
    suite.makepyfile(test_it=SUITE.replace("max=most", "max=most - 1"))
    suite.runpytest("--layercount-pictures=out", "-k", "limits")
    names = [
        re.sub("-[0-9a-f]{6}[.]svg$", "", file.name) for file in (suite.path / "out").iterdir()
    ]
    assert names == ["test_it.py-test_limits-detector"] * 2


def test_the_subtests_of_unittest(suite):
    suite.makepyfile(
        test_it="""
        import unittest
        import pytest
        from tests.graphs import of_size

        class TestSizes(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _check(self, assert_layer_count):
                self.check = assert_layer_count

            def test_it(self):
                for size in (3, 4):
                    with self.subTest("of size", size=size):
                        self.check(of_size(size), max=3)
        """
    )
    result = suite.runpytest()
    result.stdout.fnmatch_lines(["net [[]of size[]] (size=4) *  failed: 4 layers > max 3 (+1)"])
