"""What every check leaves behind, with and without workers."""

from __future__ import annotations

import json

import pytest

from pytest_layercount.checks.judgement import from_data

SPY = """
import json
import pytest
from tests.graphs import chain, of_size

@pytest.fixture
def detector():
    return chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", name="detector")

@pytest.fixture
def pre():
    return chain("InputLayer", "Conv2D", "Activation", "BatchNormalization", name="model_7")

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    run = session.config.pluginmanager.get_plugin("layercount-run")
    if run is not None:
        reports = run.parts.get("reports")
        found = [judgement.as_data() for judgement in reports.judgements()] if reports else []
        (session.config.rootpath / "judgements.json").write_text(json.dumps(found))
"""

processes = pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "workers"])


def judgements(suite, source, *options):
    suite.makeconftest(SPY)
    suite.makepyfile(test_it="import pytest\nfrom tests.graphs import chain, of_size\n" + source)
    suite.runpytest_subprocess(*options)
    data = json.loads((suite.path / "judgements.json").read_text())
    found = [from_data(each) for each in data]
    assert [each.as_data() for each in found] == data
    return found


@processes
def test_every_check_is_judged(suite, options):
    source = """
@pytest.mark.layercount(max=3, max_parameters="1k", types={"Conv2D": 1})
def test_a(detector): pass

def test_b(pre, assert_foldable):
    assert_foldable(pre)

def test_c(detector, assert_same_structure):
    assert_same_structure(detector, of_size(2, name="other"), ignore=["removed"])

@pytest.mark.xfail
def test_d(detector, assert_layer_count):
    assert_layer_count(detector, exactly=3, folded=True)
    assert_layer_count(detector, exactly=4, folded=True)

def test_e(assert_layer_count):
    with pytest.raises(AssertionError):
        assert_layer_count("nothing.keras", max=3)
"""
    a, b, c, d1, d2, e = judgements(suite, source, *options)
    assert (a.test, a.model, a.check, a.outcome) == (
        "test_it.py::test_a",
        "detector",
        "layercount",
        "failed",
    )
    assert a.message == "4 layers > max 3 (+1)"
    assert [(each.of, each.value, each.limit, each.kept) for each in a.limits] == [
        ("layers", 4, 3, False),
        ("parameters", 20, 1000, True),
        ("Conv2D", 1, 1, True),
    ]
    assert (a.facts.layers, a.facts.nodes, a.facts.parameters) == (4, 3, 20)
    assert (a.facts.depth, a.facts.macs, a.facts.uncounted) == (3, 8 * 8 * 4 * 3 * 3 * 4, {})
    assert a.facts.folded_layers == 3
    assert a.facts.folded_types == {"Activation": 1, "Conv2D": 1, "InputLayer": 1}
    assert (b.model, b.check, b.outcome) == ("pre", "foldable", "failed")
    assert b.message == "1 of 1 batch norms stay"
    (refused,) = b.facts.refusals
    assert (refused.layer, refused.type) == ("batch_normalization3", "BatchNormalization")
    assert refused.message.startswith("a scale would move through activation2,")
    assert (c.model, c.check, c.outcome) == ("other", "structure", "failed")
    assert [d1.outcome, d2.outcome] == ["passed", "expected"]
    assert d2.message == "3 folded layers != exactly 4 (-1)"
    assert (e.model, e.outcome, e.facts) == ("nothing.keras", "expected", None)
    assert "nothing.keras" in e.message


@processes
def test_they_are_numbers_of_the_test_in_a_junit_file(suite, options):
    source = """
@pytest.mark.layercount(max=4)
def test_a(detector, assert_foldable):
    assert_foldable(detector)
"""
    judgements(suite, source, "--junitxml=junit.xml", *options)
    xml = (suite.path / "junit.xml").read_text()
    for name, value in (("layers", 4), ("nodes", 3), ("parameters", 20), ("folded_layers", 3)):
        assert xml.count(f'<property name="layercount.detector.{name}" value="{value}"') == 1
