"""A picture of each model that fails, beside its test's report."""

from __future__ import annotations

import re
import shutil

import pytest

SUITE = """
import pytest
from tests.graphs import chain

@pytest.fixture(params=["a/b", "c d"])
def detector(request):
    return chain("InputLayer", "Conv2D", "BatchNormalization", name=request.param)

@pytest.mark.layercount(max=2)
def test_large(detector): pass

@pytest.mark.layercount(max=9)
def test_small(detector): pass

@pytest.mark.xfail
@pytest.mark.layercount(max=2)
def test_expected(detector): pass
"""


@pytest.fixture
def suite(suite):
    suite.makepyfile(test_it=SUITE)
    return suite


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_each_failure_names_its_picture(suite, workers):
    result = suite.runpytest("--layercount-pictures=out/pictures", *workers)
    result.assert_outcomes(failed=2, passed=2, xfailed=2)
    files = sorted((suite.path / "out" / "pictures").iterdir())
    names = [re.sub("-[0-9a-f]{6}[.]svg$", "", file.name) for file in files]
    assert names == [
        "test_it.py-test_large-a-b-detector-a-b",
        "test_it.py-test_large-c-d-detector-c-d",
    ]
    assert all(file.read_text(encoding="utf-8").startswith("<?xml") for file in files)
    result.stdout.fnmatch_lines(["*- layercount picture -*", str(files[0])], consecutive=True)
    assert {str(file) for file in files} <= set(result.outlines)


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_the_picture_is_of_what_was_judged(suite):
    tests = """
        import pytest
        from tests.graphs import chain

        @pytest.fixture
        def net():
            return chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", "Dropout")

        @pytest.mark.layercount(max=2)
        def test_whole(net): pass

        @pytest.mark.layercount(max=2, folded=True)
        def test_folded(net): pass

        @pytest.mark.layercount(max_growth=0, folded=True)
        def test_baseline(net): pass

        def test_foldable(assert_foldable):
            layers = ("InputLayer", "Activation", "BatchNormalization")
            assert_foldable(chain(*layers, name="net"))
        """
    suite.makepyfile(test_it=tests.replace('"Activation", "Dropout"', '"Dropout"'))
    suite.runpytest("--layercount-update", "-k", "baseline").assert_outcomes(passed=1)
    suite.makepyfile(test_it=tests)
    result = suite.runpytest("--layercount-pictures=out")
    result.assert_outcomes(failed=4)
    seen = {}
    for file in (suite.path / "out").iterdir():
        words = re.findall(">([^<>]+)</text>", file.read_text(encoding="utf-8"))
        seen[file.name.split("-")[1]] = (
            [word for word in words if word.endswith("layers")],
            "BatchNormalization" in words,
        )
    assert seen == {
        "test_whole": (["net: 5 layers"], True),
        "test_folded": (["net, folded: 3 layers"], False),
        "test_baseline": (["net, folded: 3 layers"], False),
        "test_foldable": (["net: 3 layers", "folded: 3 layers"], True),
    }


def test_without_the_option_there_is_none(suite):
    result = suite.runpytest()
    result.stdout.no_fnmatch_line("*layercount picture*")
    assert not list(suite.path.glob("**/*.svg"))


def test_without_graphviz_the_failure_says_so(suite, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with (suite.path / "tox.ini").open("a") as ini:
        ini.write("\nlayercount_pictures = out\n")
    result = suite.runpytest()
    result.assert_outcomes(failed=2, passed=2, xfailed=2)
    result.stdout.fnmatch_lines(
        ["*- layercount picture -*", "drawing needs Graphviz, and its program dot is not *"]
    )


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_a_folder_that_cannot_be_written(suite):
    (suite.path / "out").write_text("a file")
    for folder in ("out", "out/deeper"):
        result = suite.runpytest(f"--layercount-pictures={folder}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = f"ERROR: --layercount-pictures=*/{folder}: cannot be written there: Not a directory"
        result.stderr.fnmatch_lines([said])


def test_where_nothing_fails_no_folder_of_pictures_is_made(suite):
    suite.runpytest("--layercount-pictures=out", "-k", "small").assert_outcomes(passed=2)
    assert not (suite.path / "out").exists()
