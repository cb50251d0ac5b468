"""The mark: which model it judges, by whose word, and how pytest treats the verdict."""

from __future__ import annotations

import pytest

MODELS = """
import pytest
from tests.graphs import chain, of_size

@pytest.fixture
def small():
    return of_size(3, name="small")

@pytest.fixture
def large():
    return of_size(8, name="large")
"""


@pytest.fixture
def suite(suite: pytest.Pytester) -> pytest.Pytester:
    suite.makeconftest(MODELS)
    return suite


def run(suite: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    suite.makepyfile(test_it="import pytest\nfrom tests.graphs import chain, of_size\n" + source)
    return suite.runpytest(*options)


def run_marked(suite: pytest.Pytester, arguments: str, fixture: str = "large") -> pytest.RunResult:
    return run(
        suite, f"@pytest.mark.layercount({arguments})\ndef test_it({fixture}): print('body ran')"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "max=8",
        "min=8",
        "exactly=8",
        "max=8, min=8",
        "max=7, count='nodes'",
        "max=8, count='top'",
        "types={'Dense': 7}",
        "types={'BatchNormalization': 0}",
        "max_parameters=70",
        "max_parameters='1k'",
        "max=8, reason='the camera has no room for more'",
    ],
)
def test_a_model_within_its_limits_passes(suite, arguments):
    run_marked(suite, arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "headline"),
    [
        ("max=6", "large: 8 layers > max 6 (+2)"),
        ("min=9", "large: 8 layers < min 9 (-1)"),
        ("exactly=9", "large: 8 layers != exactly 9 (-1)"),
        ("max=6, count='nodes'", "large: 7 nodes > max 6 (+1)"),
        ("max=6, count='top'", "large: 8 top-level layers > max 6 (+2)"),
        ("types={'Dense': 4}", "large: 7 Dense > max 4 (+3)"),
        ("max_parameters=69", "large: 70 parameters > max 69 (+1)"),
    ],
)
def test_a_model_beyond_its_limits_fails_before_the_body_runs(suite, arguments, headline):
    result = run_marked(suite, arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [headline.replace("[", "[[]"), f"FAILED *::test_it - Failed: {headline}"]
    )
    result.stdout.no_fnmatch_line("*body ran*")


def test_the_failure_shows_no_frame_of_ours(suite):
    result = run_marked(suite, "max=6")
    result.stdout.no_fnmatch_line("*pytest_layercount*")
    result.stdout.no_fnmatch_line("*plugin.py*")


# Finding the models


@pytest.mark.parametrize(
    "value",
    ["[small, large]", "(small, large)", "{'a': small, 'b': [large]}", "[[], {'x': (large,)}]"],
)
def test_models_in_lists_tuples_and_dictionaries_are_found(suite, value):
    result = run(
        suite,
        f"""
@pytest.fixture
def both(small, large):
    return {value}

@pytest.mark.layercount(max=3)
def test_both(both): pass
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["large: 8 layers > max 3 (+5)", "counted: layers of both[[]*"])


def test_every_model_is_judged_and_every_failure_said(suite):
    result = run(suite, "@pytest.mark.layercount(max=2)\ndef test_both(small, large): pass")
    result.stdout.fnmatch_lines(
        ["small: 3 layers > max 2 (+1)", "also: large: 8 layers > max 2 (+6)"]
    )


def test_what_a_requested_fixture_needs_in_turn_is_not_judged(suite):
    source = """
@pytest.fixture
def detector(small):
    return of_size(8, name="detector")

@pytest.mark.layercount(min=8)
def test_detector(detector): pass
"""
    run(suite, source).assert_outcomes(passed=1)


def test_a_model_given_by_parametrize_is_found(suite):
    source = """
@pytest.mark.layercount(max=3)
@pytest.mark.parametrize("model", [of_size(3), of_size(4)])
def test_it(model): pass
"""
    run(suite, source).assert_outcomes(passed=1, failed=1)


def test_no_model_fails_and_says_how_to_give_one(suite):
    result = run(suite, "@pytest.mark.layercount(max=3)\ndef test_it(tmp_path): pass")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "layercount: found no model to judge",
            "the fixtures that the test asks for: tmp_path (*Path)",
            "a mark judges what fixtures return:*",
        ]
    )


def test_model_names_a_fixture_that_the_test_does_not_request(suite):
    result = run(suite, "@pytest.mark.layercount(max=3, model='large')\ndef test_it(): pass")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["large: 8 layers > max 3 (+5)"])


def test_model_narrows_what_is_judged(suite):
    source = "@pytest.mark.layercount(max=3, model='small')\ndef test_it(small, large): pass"
    run(suite, source).assert_outcomes(passed=1)


def test_model_applies_to_its_own_parameter_only(suite):
    source = """
used = []

@pytest.fixture
def expensive():
    used.append(1)
    return of_size(3)

@pytest.mark.parametrize("n", [
    pytest.param(1, marks=pytest.mark.layercount(max=3, model="expensive")),
    2,
])
def test_it(n): assert len(used) == 1
"""
    run(suite, source).assert_outcomes(passed=2)


def test_the_fixture_that_model_names_is_set_up_and_torn_down_like_any(suite):
    source = """
@pytest.fixture
def broken():
    raise RuntimeError("no weights here")

@pytest.mark.layercount(max=3, model="broken")
def test_it(): pass
"""
    result = run(suite, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*RuntimeError: no weights here"])


def test_model_naming_no_fixture_is_said_plainly(suite):
    result = run(suite, "@pytest.mark.layercount(max=3, model='smal')\ndef test_it(): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["layercount(model='smal'): no fixture of this name here;*"])


def test_a_missing_fixture_that_the_mark_does_not_name_is_pytests_to_report(suite):
    result = run(suite, "@pytest.mark.layercount(max=3, model='small')\ndef test_it(nope): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'nope' not found"])


def test_model_naming_a_fixture_without_a_model_fails(suite):
    result = run(
        suite, "@pytest.mark.layercount(max=3, model='tmp_path_factory')\ndef test_it(): 0"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["the fixture 'tmp_path_factory' that model= names gives no Keras model: TempPathFactory"]
    )


# Whose word counts


def test_a_method_loosens_its_class_and_a_class_its_module(suite):
    source = """
pytestmark = pytest.mark.layercount(max=2)

def test_module(small): pass                    # fails: 3 > 2

@pytest.mark.layercount(max=3)
class TestSmall:
    def test_class(self, small): pass           # passes: 3
    @pytest.mark.layercount(max=8)
    def test_method(self, large): pass          # passes: 8

class TestInherits:
    def test_class(self, small): pass           # fails: 3 > 2
"""
    result = run(suite, source, "-rA")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(
        ["FAILED *::test_module*", "FAILED *::TestInherits::test_class*"]
    )


def test_keywords_not_given_are_inherited(suite):
    source = """
@pytest.mark.layercount(max=9, model="large", count="nodes", reason="said by the class")
class TestInherits:
    @pytest.mark.layercount(min=8)
    def test_it(self): pass
"""
    result = run(suite, source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["large: 7 nodes < min 8 (-1)", "note: said by the class"])


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("max=2", "exactly=8"),
        ("min=9", "exactly=8"),
        ("exactly=2", "max=9"),
        ("max=2, types={'Dense': 7}", "max=None"),
        ("max=2", "max=None"),
        ("exactly=3, model='small'", "model=None, exactly=8"),
    ],
)
def test_an_inner_mark_replaces_what_it_contradicts(suite, outer, inner):
    source = f"""
@pytest.mark.layercount({outer})
class TestIt:
    @pytest.mark.layercount({inner})
    def test_it(self, large): pass
"""
    run(suite, source).assert_outcomes(passed=1)


def test_a_subclass_overrides_its_base(suite):
    source = """
@pytest.mark.layercount(max=2)
class Base:
    def test_it(self, large): pass

@pytest.mark.layercount(max=8)
class TestDerived(Base): pass
"""
    run(suite, source).assert_outcomes(passed=1)


def test_a_mark_on_a_parameter_applies_to_that_parameter(suite):
    source = """
@pytest.mark.layercount(max=3)
@pytest.mark.parametrize("size", [3, 4, pytest.param(5, marks=pytest.mark.layercount(max=5))])
def test_it(net): pass

@pytest.fixture
def net(size): return of_size(size)
"""
    result = run(suite, source)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_it[[]4] - Failed: net: 4 layers > max 3 (+1)"])


def test_a_mark_that_a_fixture_adds_counts_too(suite):
    source = """
@pytest.fixture(autouse=True)
def limit(request): request.applymarker(pytest.mark.layercount(max=2))

def test_it(small): pass
"""
    run(suite, source).assert_outcomes(failed=1)


def test_a_mark_added_late_with_bad_arguments_fails_its_test(suite):
    source = """
@pytest.fixture(autouse=True)
def limit(request): request.applymarker(pytest.mark.layercount(maximum=2))

def test_it(small): pass
"""
    result = run(suite, source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["layercount(maximum=2): unknown argument*did you mean 'max'[?]"])


# The verdict is an assertion's


def test_skip_and_xfail_treat_the_verdict_as_an_assertion(suite):
    source = """
limit = pytest.mark.layercount(max=3)

@limit
@pytest.mark.skip
def test_skip(large): pass

@limit
@pytest.mark.xfail
def test_xfail(large): pass

@limit
@pytest.mark.xfail(strict=True)
def test_strict(large): pass

@limit
@pytest.mark.xfail(strict=True)
def test_strict_pass(small): pass

@limit
@pytest.mark.xfail(raises=AssertionError)
def test_raises(large): pass

@limit
@pytest.mark.xfail(raises=ValueError)
def test_raises_other(large): pass

@limit
def test_xfail_in_a_fixture(large, marked): pass

@pytest.fixture
def marked(request): request.applymarker(pytest.mark.xfail(reason="later"))
"""
    for options in ([], ["-n", "2"]):
        result = run(suite, source, "-rA", *options)
        result.assert_outcomes(skipped=1, xfailed=4, failed=2)
        result.stdout.fnmatch_lines_random(
            ["FAILED *::test_strict_pass*", "FAILED *::test_raises_other*"]
        )


def test_runxfail_shows_the_verdict(suite):
    source = "@pytest.mark.xfail\n@pytest.mark.layercount(max=3)\ndef test_it(large): pass"
    run(suite, source, "--runxfail").assert_outcomes(failed=1)


def test_workers_report_the_whole_message(suite):
    pytest.importorskip("xdist")
    source = "@pytest.mark.layercount(max=3)\ndef test_it(large): pass"
    result = run(suite, source, "-n", "2")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["large: 8 layers > max 3 (+5)", "*7 Dense", "to accept: max=8"])


def test_unittest_methods_are_judged(suite):
    source = """
import unittest

@pytest.mark.layercount(max=3, model="large")
class TestModels(unittest.TestCase):
    def test_class(self): pass

    @pytest.mark.layercount(max=8)
    def test_method(self): pass

    @pytest.mark.layercount(model="small")
    def test_other_model(self): pass

    @unittest.expectedFailure
    def test_expected(self): assert 0

@pytest.mark.layercount(max=3)
class TestAutouse(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def model(self, large):
        return large

    def test_autouse(self): pass
"""
    result = run(suite, source)
    result.assert_outcomes(passed=2, failed=2, xfailed=1)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::TestModels::test_class - Failed: large: 8 layers > max 3 (+5)",
            "FAILED *::TestAutouse::test_autouse - Failed: large: 8 layers > max 3 (+5)",
        ]
    )


UNITTEST = """
import unittest

{mark}
class TestModels(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def model(self, {fixture}):
        return {fixture}

    @unittest.skip("no camera")
    def test_skipped(self): assert 0

    @unittest.skipIf(True, "no camera")
    def test_skipped_if(self): assert 0

    @unittest.expectedFailure
    def test_expected(self): assert 0

    @unittest.expectedFailure
    def test_expected_and_passes(self): pass

@unittest.skip("no camera")
{mark}
class TestSkipped(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def model(self, {fixture}):
        return {fixture}

    def test_it(self): assert 0
"""


@pytest.mark.parametrize("fixture", ["small", "large"])
@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("@pytest.mark.layercount(max=3)", []),
        ("", ["--layercount-auto", "--layercount-max=3"]),
    ],
    ids=["mark", "auto"],
)
def test_marks_of_unittest_are_heeded(suite, fixture, mark, options):
    result = run(suite, UNITTEST.format(mark=mark, fixture=fixture), *options)
    if fixture == "small":
        # What unittest expects to fail, and passes, has failed.
        result.assert_outcomes(skipped=3, xfailed=1, failed=1)
    else:
        result.assert_outcomes(skipped=3, xfailed=2)


@pytest.mark.parametrize(
    "mark", ["max=None", "max_parameters=None, reason='a draft'", "exactly=None"]
)
def test_no_limit_that_is_asked_for_is_an_exemption(suite, mark):
    source = f"@pytest.mark.layercount({mark})\ndef test_it(large): pass"
    run(suite, source).assert_outcomes(passed=1)


def test_a_mark_that_contradicts_the_suite_names_both(suite):
    source = "@pytest.mark.layercount(min=20)\ndef test_it(large): pass"
    result = run(suite, source, "--layercount-max=5")
    result.assert_outcomes(errors=1)
    said = (
        "layercount(min=20, max=5): min is greater than max, so no model can pass; "
        "max is a limit of the whole suite (--layercount-max, layercount_max): "
        "give the mark a max of its own, or max=None"
    )
    result.stdout.fnmatch_lines([said, "test_it.py:*: test_it"])
    own = "@pytest.mark.layercount(min=2, max={})\ndef test_it(large): pass"
    for most in ("9", "None"):
        run(suite, own.format(most), "--layercount-max=1").assert_outcomes(passed=1)


def test_private_fixtures_of_other_plugins_are_not_listed(suite):
    suite.makeconftest(
        "import pytest\n@pytest.fixture(autouse=True)\ndef _wrapped_by_a_plugin(): return 1"
    )
    result = run(suite, "@pytest.mark.layercount(max=3)\ndef test_it(): pass")
    result.stdout.fnmatch_lines(["the fixtures that the test asks for: none"])
