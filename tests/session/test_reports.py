"""What a run shows and writes, with and without workers."""

from __future__ import annotations

import html
import json
import os
import re

import pytest

import pytest_layercount
from tests.report.runs import wrong

SUITE = """
import pytest
from tests.graphs import chain, of_size

@pytest.fixture
def detector():
    return chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", name="detector")

@pytest.mark.layercount(max=3)
def test_detector(detector): pass

@pytest.mark.parametrize("size", [3, 4])
def test_size(size, assert_layer_count):
    assert_layer_count(of_size(size, name=f"model_{size}"), max=4)

@pytest.mark.xfail
def test_late(detector, assert_layer_count):
    assert_layer_count(detector, max=2, folded=True)
"""
TABLE = [
    "=* layercount: 3 models judged, 1 failed =*",
    "model * layers  parameters  change  budget * folds to",
    "detector * 4 * 20  -       max 3, max 2 folded * 3  failed: 4 layers > max 3 (+1)",
]
PASSED = [f"ModelGraph *{size} *{size - 1}0 *- *max 4 *-  passed" for size in (3, 4)]
MORE = "and 2 models that passed; -v shows all"
processes = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "workers"])


@pytest.fixture
def suite(suite):
    suite.makepyfile(SUITE)
    return suite


def test_the_header_says_what_counts_the_layers(suite):
    suite.runpytest("--collect-only").stdout.fnmatch_lines(
        [f"layercount: {pytest_layercount.__version__}*"]
    )


def test_a_failure_shows_the_models_that_failed(suite):
    suite.runpytest().stdout.fnmatch_lines([*TABLE, MORE], consecutive=True)


@processes
def test_v_shows_all_models_and_reports_are_written(suite, workers, monkeypatch):
    step = suite.path / "summary.txt"
    step.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    options = ["--layercount-report=a/report.json", "--layercount-report=report.md", *workers]
    result = suite.runpytest("-v", *options)
    result.stdout.fnmatch_lines([*TABLE, *PASSED], consecutive=True)
    result.stdout.fnmatch_lines(
        [f"layercount report: {suite.path / name}" for name in ("a/report.json", "report.md")]
    )
    data = json.loads((suite.path / "a/report.json").read_text(encoding="utf-8"))
    assert not wrong(data)
    assert data["counts"] == {"models": 3, "failed": 1, "judgements": 4}
    assert data["versions"]["pytest-layercount"]
    text = (suite.path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("### ❌ layercount: 3 models judged, 1 failed\n")
    assert step.read_text(encoding="utf-8") == f"before\n\n{text}"
    assert [path.name for path in suite.path.glob("*report.*")] == ["report.md"]


def test_q_shows_one_line(suite):
    result = suite.runpytest("-q")
    result.stdout.fnmatch_lines(["layercount: 3 models judged, 1 failed"])
    result.stdout.no_fnmatch_line("model *parameters*")


def test_where_all_pass_there_is_no_table(suite):
    result = suite.runpytest("-k", "size")
    result.stdout.no_fnmatch_line("*models judged*")
    result.stdout.no_fnmatch_line("model *parameters*")


def test_without_a_model_nothing_is_said(suite):
    suite.makepyfile(test_it="def test_it(): pass")
    for verbosity in ("-v", "-q"):
        suite.runpytest(verbosity, "test_it.py").stdout.no_fnmatch_line("*judged*")


def test_without_a_model_the_summary_of_a_step_stays_as_it_is(suite, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path / "summary.md"))
    suite.makepyfile(test_it="def test_it(): pass")
    suite.runpytest("test_it.py")
    assert not (suite.path / "summary.md").exists()


def test_a_summary_that_cannot_be_written_is_said_and_fails_nothing(suite, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path))
    result = suite.runpytest("-k", "size")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"layercount could not write {suite.path}: Is a directory"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_summary_is_not_written_to_a_pipe_that_nobody_reads(suite, monkeypatch):
    pipe = suite.path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pipe))
    result = suite.runpytest_subprocess("-k", "size", timeout=60)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"layercount could not write {pipe}: No such device or address"])


def test_reports_of_the_configuration_file_are_written_beside_it(suite, monkeypatch):
    with (suite.path / "tox.ini").open("a") as ini:
        ini.write("\nlayercount_report = report.md\n")
    inner = suite.mkdir("inner")
    monkeypatch.chdir(inner)
    suite.runpytest("..", "--rootdir=..", "-c", "../tox.ini")
    assert (suite.path / "report.md").exists()


def test_collecting_writes_nothing(suite):
    suite.runpytest("--collect-only", "--layercount-report=report.md")
    assert not (suite.path / "report.md").exists()


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("report.txt", "the name of a report ends in .html, .json or .md"),
        ("report", "the name of a report ends in .html, .json or .md"),
        ("folder.md", "cannot be written there: it is a folder"),
        ("file/report.md", "cannot be written there: File exists"),
        ("file/deeper/report.md", "cannot be written there: Not a directory"),
    ],
)
def test_what_cannot_be_written_is_known_before_the_run(suite, file, problem):
    suite.mkdir("folder.md")
    (suite.path / "file").touch()
    result = suite.runpytest(f"--layercount-report={file}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --layercount-report=*{file}: {problem}"])


def test_a_page_without_jinja_is_known_before_the_run(suite):
    suite.makeconftest("import sys\nsys.modules['jinja2'] = None")
    result = suite.runpytest("--layercount-report=report.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    sentence = "an HTML report needs Jinja2, which is not installed: pip install "
    result.stderr.fnmatch_lines(
        [f'ERROR: --layercount-report=report.html: {sentence}"pytest-layercount[[]html]"']
    )


def test_a_test_that_is_run_again_is_judged_anew(suite):
    suite.makeconftest(
        "from _pytest.runner import runtestprotocol\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    runtestprotocol(item, nextitem=nextitem)\n"
    )
    suite.runpytest("-k", "detector", "--layercount-report=report.json")
    data = json.loads((suite.path / "report.json").read_text(encoding="utf-8"))
    assert data["counts"]["judgements"] == 1


@pytest.mark.parametrize("chosen", ["size", "none"])
def test_what_cannot_be_written_after_all_fails_the_run(suite, chosen):
    suite.makeconftest(
        "import pathlib\n"
        "def pytest_collection_finish():\n"
        "    pathlib.Path('report.md').mkdir(exist_ok=True)\n"
    )
    result = suite.runpytest("-k", chosen, "--layercount-report=report.md")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [f"layercount could not write {suite.path / 'report.md'}: Is a directory"]
    )
    assert not list(suite.path.glob(".report*"))


@processes
def test_a_page_of_pytest_html_shows_the_numbers(suite, workers):
    pytest.importorskip("pytest_html")
    suite.runpytest("--html=page.html", "--self-contained-html", "-k", "detector", *workers)
    page = html.unescape((suite.path / "page.html").read_text(encoding="utf-8"))
    assert page.count('layercount\\"><tr><td>model</td><td>detector</td>') == 1
    assert "<td>after folding</td><td>3</td>" in page
    assert "<td>outcome</td><td>failed: 4 layers &gt; max 3 (+1)</td>" in page


FAULT = """
from pytest_layercount.folding import planner

def fail(*args, **kwargs):
    raise IndexError("tuple index out of range")

planner.plan_graph = fail
"""
"""What a fault in a rule of the user's does to every plan."""


@pytest.mark.parametrize("options", [[], ["-q"], ["-n", "2"]], ids=" ".join)
def test_what_folds_in_models_that_pass_is_planned_only_where_it_is_shown(suite, options):
    suite.makeconftest(FAULT)
    result = suite.runpytest_subprocess("-k", "size", *options)
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*IndexError*")


def test_a_fault_in_planning_fails_no_test_that_does_not_plan(suite):
    suite.makeconftest(FAULT)
    pages = ["--layercount-report=report.html", "--layercount-report=report.md"]
    options = ["-v", "-k", "not late", "--layercount-report=report.json"]
    result = suite.runpytest_subprocess(*options, *pages)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "detector * 4 * 20 * [?]  failed: 4 layers > max 3 (+1)",
            "detector: it is not known what folds (IndexError: tuple index out of range)",
        ]
    )
    data = json.loads((suite.path / "report.json").read_text(encoding="utf-8"))
    assert not wrong(data)
    facts = [each["facts"] for each in data["judgements"] if each["facts"]]
    assert {(each["folded_layers"], each["unplanned"]) for each in facts} == {
        (None, "IndexError: tuple index out of range")
    }
    for name in ("report.md", "report.html"):
        text = html.unescape((suite.path / name).read_text(encoding="utf-8"))
        assert "it is not known what folds (IndexError: tuple index out of range)" in text


DRIFTING = """
import os
from tests.graphs import of_size

def test_net(assert_matches_baseline):
    size = int(os.environ.get("SIZE", "3"))
    assert_matches_baseline(of_size(size, name="net"), max_growth=1)

def test_other(assert_matches_baseline):
    assert_matches_baseline(of_size(3, name="other"))
"""


def test_a_report_of_changes_is_there_only_where_something_changed(suite, monkeypatch):
    suite.makepyfile(DRIFTING)
    suite.runpytest("--layercount-update")
    options = ["--layercount-report=report.md", "--layercount-report-changes"]
    report = suite.path / "report.md"
    for size, outcome in (("4", "passed"), ("9", "failed")):
        monkeypatch.setenv("SIZE", size)
        failed = int(outcome == "failed")
        suite.runpytest(*options).assert_outcomes(passed=2 - failed, failed=failed)
        text = html.unescape(report.read_text(encoding="utf-8"))
        assert "net" in text
        assert "other" not in text
    monkeypatch.setenv("SIZE", "3")
    result = suite.runpytest(*options)
    result.stdout.fnmatch_lines(
        [f"layercount report: nothing failed or changed, so there is no {report}"]
    )
    assert not report.exists()
    suite.runpytest(options[0])
    assert report.exists()


def test_reports_list_the_tests_that_failed_and_what_would_be_accepted(suite):
    options = [f"--layercount-report=report.{kind}" for kind in ("md", "html", "json")]
    suite.runpytest(*options)
    data = json.loads((suite.path / "report.json").read_text(encoding="utf-8"))
    accepted = {each["test"].rpartition("::")[2]: each["accept"] for each in data["judgements"]}
    assert accepted == {
        "test_detector": "max=4",
        "test_late": "max=3",
        "test_size[3]": "",
        "test_size[4]": "",
    }
    for name in ("report.md", "report.html"):
        text = html.unescape((suite.path / name).read_text(encoding="utf-8"))
        assert re.search(r"::test_detector</code>.*to accept: <code>max=4</code>", text)
