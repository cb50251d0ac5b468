"""Models that are named on the command line or in the configuration file."""

from __future__ import annotations

import gzip
import zipfile

import pytest

from tests.conftest import ROOT

ZOO = """
from tests.graphs import chain, of_size

def small(depth=3):
    return of_size(depth, name="small")

def normed():
    return chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", name="normed")

def stays():
    return chain("InputLayer", "Conv2D", "Activation", "BatchNormalization", name="stays")

def broken():
    raise RuntimeError("no weights here")

def other():
    return 3
"""
processes = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "workers"])


@pytest.fixture
def suite(suite):
    (suite.path / "zoo.py").write_text(ZOO)
    return suite


@processes
def test_each_model_gives_three_tests_without_any_file(suite, workers):
    models = ["--layercount-model=zoo:small(depth=5)", "--layercount-model=zoo:stays"]
    result = suite.runpytest(*models, "--layercount-max=4", "-v", *workers)
    result.assert_outcomes(passed=1, failed=2, skipped=3)
    result.stdout.fnmatch_lines_random(
        [
            "*layercount::zoo:small(depth=5)::budget*",
            "*layercount::zoo:small(depth=5)::foldable*",
            "*layercount::zoo:small(depth=5)::equivalent*",
            "*layercount::zoo:stays::budget*",
            "*layercount::zoo:stays::foldable*",
            "*layercount::zoo:stays::equivalent*",
            "small: 5 layers > max 4 (+1)",
            "to accept: --layercount-max=5",
            "stays: 1 of 1 batch norms stay",
            "small * 5 * 40 * max 4 * failed: 5 layers > max 4 (+1)",
        ]
    )


def test_what_there_is_not_to_judge_is_said(suite):
    result = suite.runpytest("--layercount-model=zoo:small", "-rs")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(
        [
            "SKIPPED * small has 3 layers; to keep it so: --layercount-max=3",
            "SKIPPED * small has no batch normalization",
            "SKIPPED * small has nothing that folds, so there is nothing to compare",
        ]
    )


def test_a_terminal_obeys_no_name_in_the_reason_of_a_skip(suite):
    with (suite.path / "zoo.py").open("a") as zoo:
        zoo.write("\ndef loud():\n    return of_size(3, name='\\x1b[31m\\u202eloud')\n")
    result = suite.runpytest("--layercount-model=zoo:loud", "-rs", "-v")
    result.assert_outcomes(skipped=3)
    text = result.stdout.str()
    assert r"\x1b[31m\u202eloud has 3 layers" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_they_are_chosen_and_listed_like_any_test(suite):
    result = suite.runpytest("--layercount-model=zoo:small", "--collect-only", "-q", "-k", "budget")
    result.stdout.fnmatch_lines(["layercount::zoo:small::budget", "1/3 tests collected*"])


@processes
def test_named_on_the_command_line_they_run_alone_where_no_path_is_given(suite, workers):
    suite.makepyfile("def test_it(): pass")
    named = "--layercount-model=zoo:normed"
    suite.runpytest(named, "-k", "not equivalent", *workers).assert_outcomes(passed=1, skipped=1)
    suite.runpytest(named, "-k", "not equivalent", ".", *workers).assert_outcomes(
        passed=2, skipped=1
    )


@processes
@pytest.mark.parametrize("options", [[], ["--layercount-model=zoo:small"]], ids=["alone", "named"])
def test_their_node_ids_can_be_given_to_pytest(suite, workers, options):
    suite.makepyfile("def test_it(): pass")
    ids = ["layercount::zoo:small::budget", "layercount::zoo:normed"]
    run = [*options, "--layercount-max=9", "-v", *workers]
    result = suite.runpytest(ids[0], *run)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*{ids[0]}*"])
    result = suite.runpytest(*ids, "-k", "not equivalent", *run)
    result.assert_outcomes(passed=3)
    # A whole model, and one check of another whose name begins like it.
    other = ["layercount::zoo:small", "layercount::zoo:small(depth=4)::budget"]
    suite.runpytest(*other, "-k", "not equivalent", *run).assert_outcomes(passed=2, skipped=1)
    result = suite.runpytest(ids[0], "test_their_node_ids_can_be_given_to_pytest.py", *run)
    result.assert_outcomes(passed=2)


def test_a_node_id_that_names_no_model_is_an_error_of_collecting_it(suite):
    result = suite.runpytest("layercount::zoo:gone::budget")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["zoo:gone: zoo has nothing called 'gone'*"])


def test_those_of_the_configuration_file_run_beside_a_suite(suite):
    suite.makepyfile("def test_it(): pass")
    with (suite.path / "tox.ini").open("a") as ini:
        ini.write("\nlayercount_models = zoo:small\n")
    suite.runpytest("--layercount-max=3").assert_outcomes(passed=2, skipped=2)


def test_models_of_the_configuration_file_are_found_from_there(suite, monkeypatch):
    with (suite.path / "tox.ini").open("a") as ini:
        ini.write(
            "\nlayercount_models =\n    zoo:small(depth=4)\n    zoo:normed\nlayercount_max=4\n"
        )
    monkeypatch.chdir(suite.mkdir("inner"))
    result = suite.runpytest("-c", "../tox.ini", "--rootdir=..", "-k", "budget")
    result.assert_outcomes(passed=2)
    result = suite.runpytest("-c", "../tox.ini", "--rootdir=..", "--layercount-model=zoo:small")
    result.assert_outcomes(passed=1, skipped=2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zoo:smal", "zoo:smal: zoo has nothing called 'smal'; did you mean 'small'?"),
        ("zo:small", "zo:small: there is no module 'zo'"),
        ("zoo:small(x)", "zoo:small(x): the argument x is not a literal like *"),
        ("zoo:small(deep=3)", "zoo:small(deep=3): the call raised TypeError: *'deep'"),
        ("net.keras", "net.keras: no such file; name *"),
        ("zoo", "zoo: no such file; name *"),
    ],
)
def test_a_mistake_in_a_name_is_an_error_of_collecting_it(suite, text, sentence):
    result = suite.runpytest(f"--layercount-model={text}", "--layercount-model=zoo:small")
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ERROR collecting layercount*", sentence])
    result.stdout.no_fnmatch_line("*Error*site-packages*")
    assert len(result.outlines) < 16


def test_a_worker_reports_a_mistake_too(suite):
    result = suite.runpytest("--layercount-model=zoo:smal", "-n", "2")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["zoo:smal: zoo has nothing called 'smal'; did you mean 'small'?"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zoo:broken", "zoo:broken: the call raised RuntimeError: no weights here"),
        ("zoo:other", "zoo:other: gives 3, of type int, not a Keras model"),
    ],
)
def test_a_model_that_cannot_be_made_fails_its_tests_in_a_sentence(suite, text, sentence):
    result = suite.runpytest(f"--layercount-model={text}")
    result.assert_outcomes(failed=3)
    assert result.outlines.count(sentence) == 3
    result.stdout.fnmatch_lines([f"{text} * - * failed: {sentence}"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_saved_model_is_judged_where_it_lies(suite):
    config = (ROOT / "tests/model/data/mobilenet_v3_small-keras3.json.gz").read_bytes()
    with zipfile.ZipFile(suite.path / "net.keras", "w") as archive:
        archive.writestr("config.json", gzip.decompress(config))
    options = ["--layercount-model=net.keras", "--layercount-max=164", "-k", "budget", "-v"]
    result = suite.runpytest(*options)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["layercount::net.keras::budget PASSED*", "* 164 *max 164*passed"])
