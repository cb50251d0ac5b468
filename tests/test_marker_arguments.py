"""Arguments of the mark that mean nothing: errors at collection, with their place."""

from __future__ import annotations

import pytest


def run(suite: pytest.Pytester, source: str) -> pytest.RunResult:
    suite.makepyfile(test_it=f"import pytest\n{source}")
    return suite.runpytest()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("maximum=3", "layercount(maximum=3): unknown argument 'maximum'; did you mean 'max'?"),
        ("zzz=3", "layercount(zzz=3): unknown argument 'zzz'; there are max, min, *"),
        ("150", "layercount(150): takes keywords only; did you mean max=150?"),
        ("'5M'", "layercount('5M'): takes keywords only; did you mean max_parameters='5M'?"),
        ("'net'", "layercount('net'): takes keywords only; did you mean model='net'?"),
        ("'nodes'", "layercount('nodes'): takes keywords only; did you mean count='nodes'?"),
        ("", "layercount(): sets no limit; give one, like max=150"),
        ("model='net'", "layercount(model='net'): sets no limit; *"),
        ("max=True", "layercount(max=True): must be a whole number"),
        ("max=1.5", "layercount(max=1.5): must be a whole number"),
        ("max='3'", "layercount(max='3'): must be a whole number"),
        ("min=-1", "layercount(min=-1): must not be negative"),
        ("min=5, max=3", "layercount(min=5, max=3): min is greater than max, *"),
        ("exactly=5, max=6", "layercount(exactly=5, max=6): exactly already is both bounds; *"),
        (
            "max=3, count='layer'",
            "layercount(count='layer'): must be one of 'layers', 'nodes', 'top'",
        ),
        ("max=3, count=['nodes']", "layercount(count=['nodes']): must be one of *"),
        ("max=3, folded=1", "layercount(folded=1): must be True or False"),
        ("max=3, folded=True, count='top'", "layercount(folded=True, count='top'): a folded *"),
        (
            "types=['Dense']",
            "layercount(types=['Dense']): must map layer types to their maximum, *",
        ),
        ("types={}", "layercount(types={}): must map layer types to their maximum, *"),
        ("types={'Dense': -1}", "layercount(types={'Dense': -1}): must not be negative"),
        ("types={1: 1}", "layercount(types={1: 1}): must map layer types to their maximum, *"),
        ("max_parameters='5T'", "layercount(max_parameters='5T'): must be a whole number like *"),
        (
            "max_parameters='1.2345k'",
            "layercount(max_parameters='1.2345k'): must be a whole number",
        ),
        ("max_parameters=5e6", "layercount(max_parameters=5000000.0): must be a whole number"),
        ("max=3, model=''", "layercount(model=''): must be text that is not empty"),
        ("max=3, model=len", "layercount(model=<built-in function len>): must be text *"),
        ("max=3, reason=3", "layercount(reason=3): must be text that is not empty"),
    ],
)
def test_bad_arguments_are_collection_errors(suite, arguments, said):
    result = run(suite, f"@pytest.mark.layercount({arguments})\ndef test_it(): pass")
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    pattern = said.replace("[", "[[]").replace("?", "[?]")
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting test_it.py*",
            pattern,
            "test_it.py:2: test_it",
            "ERROR test_it.py*",
        ]
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


PLACES = {
    "function": ("@bad\ndef test_it(): pass", "{file}:4: test_it"),
    "module": ("pytestmark = bad\ndef test_it(): pass", "{file}"),
    "in_its_module": (
        "pytestmark = [bad]\nclass TestIt:\n    def test_it(self): pass",
        "{file}",
    ),
    "class": ("@bad\nclass TestIt:\n    def test_it(self): pass", "{file}:*: TestIt"),
    "method": (
        "class TestIt:\n    @bad\n    def test_it(self): pass",
        "{file}:5: TestIt::test_it",
    ),
    "unittest_method": (
        "import unittest as u\nclass TestIt(u.TestCase):\n    @bad\n    def test_it(self): 0",
        "{file}:6: TestIt::test_it",
    ),
    "unittest_class": (
        "import unittest as u\n@bad\nclass TestIt(u.TestCase):\n    def test_it(self): pass",
        "{file}:*: TestIt",
    ),
    "parameter": (
        "@pytest.mark.parametrize('n', [1, pytest.param(2, marks=bad)])\ndef test_it(n): 0",
        "{file}:4: test_it[[]2]",
    ),
}
"""Where a mark may stand: a test file that has a bad one there, and what is said of its place."""


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_bad_arguments_anywhere_are_collection_errors_with_their_place(suite, options):
    start = "import pytest\nbad = pytest.mark.layercount(maximum=3)\n\n"
    suite.makepyfile(test_good="def test_good(): pass")
    suite.makepyfile(**{f"test_{name}": start + source for name, (source, _) in PLACES.items()})
    result = suite.runpytest(*options)
    # As with any collection error, workers run what they could collect.
    result.assert_outcomes(errors=len(PLACES), passed=1 if options else 0)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if options else pytest.ExitCode.INTERRUPTED)
    for name, (_, place) in PLACES.items():
        file = f"test_{name}.py"
        said = "layercount(maximum=3): unknown argument*"
        result.stdout.fnmatch_lines_random(f"*ERROR collecting {file}*")
        printed = result.stdout.str().partition(f"ERROR collecting {file}")[2]
        pytest.LineMatcher(printed.splitlines()[1:4]).fnmatch_lines([said, place.format(file=file)])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_marks_that_contradict_each_other_across_levels_are_collection_errors(suite):
    source = """
@pytest.mark.layercount(min=100)
class TestIt:
    @pytest.mark.layercount(max=50)
    def test_it(self, large): pass
"""
    result = run(suite, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["layercount(min=100, max=50): min is greater than max*", "*.py:5: TestIt::test_it"]
    )


def test_all_bad_marks_of_a_file_are_said_at_once(suite):
    source = """
@pytest.mark.layercount(maximum=1)
def test_a(): pass

@pytest.mark.layercount(min=-2)
def test_b(): pass
"""
    result = run(suite, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["layercount(maximum=1)*", "*.py:3: test_a", "layercount(min=-2)*", "*.py:6: test_b"]
    )


def test_other_files_run_when_pytest_is_told_to_go_on(suite):
    suite.makepyfile(
        test_good="def test_good(): pass",
        test_bad="import pytest\n@pytest.mark.layercount(150)\ndef test_it(): pass",
    )
    result = suite.runpytest("--continue-on-collection-errors")
    result.assert_outcomes(passed=1, errors=1)
