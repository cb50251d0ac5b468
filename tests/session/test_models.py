"""The limits of a whole suite: inherited by marks, and with layercount_auto by every model."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT

MODELS = """
import pytest
from tests.graphs import of_size

@pytest.fixture(scope="session")
def small():
    return of_size(3, name="small")

@pytest.fixture(scope="session")
def large():
    return of_size(8, name="large")
"""
AUTO = ("--layercount-auto", "--layercount-max=5")


@pytest.fixture
def suite(suite: pytest.Pytester) -> pytest.Pytester:
    suite.makeconftest(MODELS)
    return suite


def run(suite: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    suite.makepyfile(test_it="import pytest\nfrom tests.graphs import of_size\n" + source)
    return suite.runpytest(*options)


# Suite defaults in marks


@pytest.mark.parametrize(
    ("mark", "options", "passed"),
    [
        ("", ["--layercount-max=5"], False),
        ("", ["--layercount-max=8"], True),
        ("types={'Conv2D': 0}", ["--layercount-max=5"], False),
        ("max=8", ["--layercount-max=5"], True),
        ("max=7", ["--layercount-max=9"], False),
        ("exactly=8", ["--layercount-max=5"], True),
        ("max=None", ["--layercount-max=5"], True),
        ("max=None", ["--layercount-max=5", "--layercount-max-parameters=9"], False),
        ("", ["--layercount-max-parameters=69"], False),
        ("", ["--layercount-max-parameters=70"], True),
    ],
)
def test_marks_inherit_from_the_suite(suite, mark, options, passed):
    source = f"@pytest.mark.layercount({mark})\ndef test_it(large): pass"
    result = run(suite, source, *options)
    result.assert_outcomes(passed=int(passed), failed=int(not passed))


def test_the_suite_alone_judges_no_test_without_a_mark(suite):
    run(suite, "def test_it(large): pass", "--layercount-max=5").assert_outcomes(passed=1)


def test_the_limits_of_the_configuration_file_count(suite):
    suite.makeini(f"[pytest]\npythonpath = {ROOT}\nlayercount_max = 5\nlayercount_auto = true\n")
    source = "def test_it(large): pass"
    run(suite, source).assert_outcomes(failed=1)
    run(suite, source, "--layercount-max=8").assert_outcomes(passed=1)
    run(suite, source, "--no-layercount-auto").assert_outcomes(passed=1)


# layercount_auto


def test_a_model_beyond_the_limit_fails_every_test_that_uses_it_before_the_body(suite):
    source = """
def test_one(large): print("body ran")
def test_two(large, small): print("body ran")
def test_small(small): pass
def test_none(): pass
"""
    result = run(suite, source, *AUTO)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "large: 8 layers > max 5 (+3)",
            "counted: layers of fixture large, Keras 3.15.0",
            "note: a limit of the whole suite; a mark on the test replaces it",
            "to accept: max=8",
            "FAILED *::test_one - Failed: large: 8 layers > max 5 (+3)",
            "FAILED *::test_two - Failed: large: 8 layers > max 5 (+3)",
        ]
    )
    result.stdout.no_fnmatch_line("*body ran*")
    result.stdout.no_fnmatch_line("*auto.py*")


@pytest.mark.parametrize(
    "value", ["[small, large]", "(small, (large,))", "{'a': small, 'b': [large]}"]
)
def test_models_in_lists_tuples_and_dictionaries_are_judged(suite, value):
    source = f"""
@pytest.fixture
def both(small, request):
    large = of_size(8, name="large")
    return {value}

def test_it(both): pass
"""
    result = run(suite, source, *AUTO)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["large: 8 layers > max 5 (+3)", "counted: layers of both[[]*"])


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.fixture\ndef net(large): return 1\ndef test_it(net): pass",
        "@pytest.fixture(autouse=True)\ndef net(): yield of_size(8, 'large')\ndef test_it(): pass",
        "@pytest.mark.usefixtures('large')\ndef test_it(): pass",
        "@pytest.mark.parametrize('net', [of_size(8, 'large')])\ndef test_it(net): pass",
        "@pytest.fixture\ndef n(request): request.getfixturevalue('large')\ndef test_it(n): pass",
        "def test_it(request): request.getfixturevalue('large')",
        "class TestIt:\n @pytest.fixture\n def n(self, large): pass\n def test_it(self, n): pass",
    ],
    ids=["needed", "autouse", "usefixtures", "parametrize", "dynamic", "in the body", "class"],
)
def test_it_finds_models_wherever_fixtures_return_them(suite, source):
    result = run(suite, source, *AUTO)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_it* - Failed: large: 8 layers > max 5 (+3)"])


def test_a_mark_speaks_for_its_test(suite):
    source = """
@pytest.mark.layercount(max=8)
def test_raised(large): pass

@pytest.mark.layercount(max=None)
def test_exempt(large): pass

@pytest.mark.layercount(max=8)
def test_both(large, small): pass
"""
    run(suite, source, *AUTO).assert_outcomes(passed=3)


def test_a_model_is_judged_as_it_was_returned_and_only_once(suite):
    source = """
@pytest.fixture(scope="module")
def nets():
    return [of_size(3)]

def test_add(nets): nets.append(of_size(9, name="added"))
def test_it(nets): assert len(nets) == 2
"""
    run(suite, source, *AUTO).assert_outcomes(passed=2)


def test_a_fixture_that_is_set_up_again_is_judged_again(suite):
    source = """
sizes = [3, 8, 3]

@pytest.fixture
def net(): return of_size(sizes.pop(), name="net")

def test_one(net): pass
def test_two(net): pass
def test_three(net): pass
"""
    run(suite, source, *AUTO).assert_outcomes(passed=2, failed=1)


def test_expected_failures_stay_expected(suite):
    source = "@pytest.mark.xfail(raises=AssertionError, strict=True)\ndef test_it(large): pass"
    run(suite, source, *AUTO).assert_outcomes(xfailed=1)


def test_a_fixture_that_fails_is_pytests_to_report(suite):
    source = "@pytest.fixture\ndef net(): raise OSError('no disk')\ndef test_it(net): pass"
    result = run(suite, source, *AUTO)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*OSError: no disk"])


def test_workers_judge_as_one_process_does(suite):
    source = "".join(f"def test_{n}(large, small): pass\n" for n in range(6))
    run(suite, source, *AUTO, "-n2").assert_outcomes(failed=6)


def test_without_a_limit_there_is_nothing_to_judge_by(suite):
    result = run(suite, "def test_it(): pass", "--layercount-auto")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == (
        "ERROR: layercount_auto: no limit to judge by; give one, like layercount_max=150"
    )
