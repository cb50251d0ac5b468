"""Three hundred models on two workers: everything is reported, and little is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SUITE = """
import pytest
from tests.graphs import chain

TYPES = ["Conv2D", "BatchNormalization", "Activation"]

@pytest.mark.layercount(max=100)
@pytest.mark.parametrize("number", range(300))
def test_model(number, net): pass

@pytest.fixture
def net(number):
    return chain("InputLayer", *TYPES * (10 + number % 30), name=f"net{number}")
"""
SPY = """
import pathlib

def used():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4

def pytest_xdist_node_collection_finished():
    memory.append(used())

def pytest_sessionfinish(session):
    if memory:
        (session.config.rootpath / "memory").write_text(str(used() - memory[0]))

memory = []
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_everything_is_reported_and_models_do_not_travel(suite):
    suite.makepyfile(SUITE)
    suite.makeconftest(SPY)
    options = ["-n", "2", "-q", "--layercount-report=report.json", "--layercount-report=report.md"]
    result = suite.runpytest_subprocess(*options)
    result.assert_outcomes(passed=240, failed=60)
    result.stdout.fnmatch_lines(["layercount: 300 models judged, 60 failed"])
    report = json.loads((suite.path / "report.json").read_text(encoding="utf-8"))
    assert {each["model"] for each in report["judgements"]} == {f"net[{n}]" for n in range(300)}
    assert report["counts"] == {"models": 300, "failed": 60, "judgements": 300}
    assert len((suite.path / "report.md").read_text(encoding="utf-8")) < 65_536
    kilobytes = int((suite.path / "memory").read_text())
    assert kilobytes < 20_000
