"""Recording and comparing the models of a run, here plain graphs: no Keras is needed."""

from __future__ import annotations

import json

import pytest

from pytest_layercount.kept.record_file import read_record

SUITE = """
import pytest
from tests.kept.models import edited, plain_net, residual_net

SIZE = (3, 3)

@pytest.fixture(scope="session", params=["plain", "residual"])
def net(request):
    graph = {"plain": plain_net, "residual": residual_net}[request.param]()
    return edited(graph, "Conv2D", kernel_size=SIZE)

@pytest.fixture
def both(net):
    return {"student": net, "teachers": [residual_net()]}

@pytest.fixture
def sized(size):
    return edited(plain_net(), "Dense", units=size)

@pytest.fixture
def number():
    return 7

def test_net(net): ...

@pytest.mark.parametrize("way", ["up", "down"])
def test_both(both, way): ...

@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("way", ["up", "down"])
def test_sized(sized, way): ...

def test_number(number): ...
"""
COMPARED = "8 models compared with r.json:"
NAMES = [
    "both[plain]['student']",
    "both[plain]['teachers'][0]",
    "both[residual]['student']",
    "both[residual]['teachers'][0]",
    "net[plain]",
    "net[residual]",
    "sized[4]",
    "sized[5]",
]


@pytest.fixture
def recorded(suite):
    """The suite, and a record of it in ``r.json``."""
    suite.makepyfile(test_it=SUITE)
    result = suite.runpytest_inprocess("--layercount-record=r.json")
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(["recorded 8 models in r.json (Keras 3.15.0)"])
    return suite


def change(suite, old="SIZE = (3, 3)", new="SIZE = (5, 5)"):
    path = suite.path / "test_it.py"
    path.write_text(path.read_text().replace(old, new))


def test_every_model_is_recorded_by_fixture_and_parameters(recorded):
    found = read_record(recorded.path / "r.json")
    assert list(found.models) == NAMES
    assert {one.where for one in found.models.values()} == {"test_it.py"}
    assert found.models["net[plain]"].count("layers") == 7
    assert found.models["net[plain]"].unrun == "a ModelGraph has no weights"


def test_workers_give_the_same_record(recorded):
    result = recorded.runpytest_subprocess("-n", "2", "--layercount-record=sub/n.json")
    result.assert_outcomes(passed=11)
    assert (recorded.path / "sub" / "n.json").read_bytes() == (
        recorded.path / "r.json"
    ).read_bytes()


def test_without_the_options_nothing_is_recorded(suite):
    suite.makepyfile(test_it=SUITE)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=11)
    result.stdout.no_fnmatch_line("*layercount records*")


def test_the_same_models_pass(recorded):
    result = recorded.runpytest_inprocess("--layercount-against=r.json")
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines([f"{COMPARED} 8 the same, 0 as expected, 0 differ"])


FAILURE = """\
net[plain]: 7 layers each, 1 difference
compared with: r.json, Keras 3.15.0
   changed: stem: kernel_size (3, 3) -> (5, 5)
to accept, in the configuration file, a line for each:
layercount_expected_differences =
    net[plain]: changed: why"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_model_that_differs_fails_the_tests_that_use_it(recorded, workers):
    change(recorded)
    run = recorded.runpytest_subprocess if workers else recorded.runpytest_inprocess
    result = run("--layercount-against=r.json", *workers)
    result.assert_outcomes(passed=5, failed=6)
    result.stdout.fnmatch_lines([f"{COMPARED} 4 the same, 0 as expected, 4 differ"])
    if not workers:
        assert FAILURE in result.stdout.str()
        result.stdout.fnmatch_lines(
            [
                "both[[]plain[]]['st…: 7 layers each, 1 difference",
                "also: net[[]plain[]]: differs from its record, as *::test_net[[]plain[]] says",
            ]
        )


def test_a_mark_and_a_record_do_not_hide_each_other(recorded):
    change(recorded)
    marked = "@pytest.mark.layercount(max=3)\ndef test_net(net)"
    change(recorded, "def test_net(net)", marked)
    result = recorded.runpytest_inprocess("--layercount-against=r.json", "-k", "test_net and plain")
    result.assert_outcomes(failed=1, deselected=10)
    result.stdout.fnmatch_lines(
        ["plain: 7 layers > max 3 (+4)", "also: net[[]plain[]]: 7 layers each, 1 difference"]
    )


LATE = """
import pytest
from tests.kept.models import edited, plain_net

SIZE = (3, 3)

@pytest.fixture
def late():
    return edited(plain_net(), "Conv2D", kernel_size=SIZE)

def test_it(request):
    request.getfixturevalue("late")
"""


def test_a_model_that_the_body_asks_for_is_compared(suite):
    suite.makepyfile(test_it=LATE)
    suite.runpytest_inprocess("--layercount-record=r.json").assert_outcomes(passed=1)
    change(suite)
    result = suite.runpytest_inprocess("--layercount-against=r.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Failed: late: 7 layers each, 1 difference"])


def test_expected_differences(recorded):
    change(recorded)
    ini = recorded.path / "tox.ini"
    ini.write_text(
        ini.read_text() + "\nlayercount_expected_differences =\n"
        "  *: changed: a wider stem\n  net[plain]: values: never\n"
    )
    result = recorded.runpytest_inprocess("--layercount-against=r.json")
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(
        [
            "8 models compared with r.json: 4 the same, 4 as expected, 0 differ",
            "expected, but nothing differs so: net[[]plain[]]: values: never",
        ]
    )


def test_models_that_only_one_side_has(recorded):
    change(recorded, "[4, 5]", "[5, 6]")
    result = recorded.runpytest_inprocess("--layercount-against=r.json")
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(["only in r.json: sized[[]4[]]", "only in this run: sized[[]6[]]"])


def test_what_a_fixture_raises_stands_in_the_record(suite):
    suite.makepyfile(
        """
        import pytest
        from tests.kept.models import plain_net

        @pytest.fixture(params=["here", "gone", "broken"])
        def net(request):
            if request.param == "gone":
                pytest.skip("this Keras has none")
            if request.param == "broken":
                raise RuntimeError("no such kernel\\nat all")
            return plain_net()

        def test_net(net): ...
        """
    )
    result = suite.runpytest_inprocess("--layercount-record=r.json")
    result.assert_outcomes(passed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "recorded 1 model in r.json (Keras 3.15.0)",
            "   net[[]broken[]]: RuntimeError: no such kernel",
            "   net[[]gone[]]: Skipped: this Keras has none",
        ]
    )
    models = json.loads((suite.path / "r.json").read_text())["models"]
    assert models["net[gone]"]["problem"] == "Skipped: this Keras has none"


def test_fixtures_of_one_name_in_two_files(suite):
    for name in ("test_a", "test_b"):
        suite.makepyfile(
            **{
                name: """
                import pytest
                from tests.kept.models import plain_net

                @pytest.fixture
                def net():
                    return plain_net()

                def test_net(net): ...
                """
            }
        )
    suite.runpytest_inprocess("--layercount-record=r.json").assert_outcomes(passed=2)
    assert list(read_record(suite.path / "r.json").models) == [
        "net of test_a.py",
        "net of test_b.py",
    ]
    result = suite.runpytest_inprocess("--layercount-against=r.json")
    result.stdout.fnmatch_lines(["2 models compared with r.json: 2 the same*"])


def test_a_fixture_that_two_files_use_is_one_model(suite):
    suite.makeconftest("""
        import pytest
        from tests.kept.models import plain_net

        @pytest.fixture
        def net():
            return plain_net()
        """)
    suite.makepyfile(test_a="def test_net(net): ...", test_b="def test_net(net): ...")
    suite.runpytest_inprocess("--layercount-record=r.json").assert_outcomes(passed=2)
    (model,) = read_record(suite.path / "r.json").models.items()
    assert (model[0], model[1].where) == ("net", ".")


def test_a_run_without_models_fails(suite):
    suite.makepyfile("def test_it(): ...")
    result = suite.runpytest_inprocess("--layercount-record=r.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["no fixture returned a model, so r.json was not written"])
    assert not (suite.path / "r.json").exists()


def test_a_run_that_compares_nothing_fails(recorded):
    result = recorded.runpytest_inprocess("--layercount-against=r.json", "-k", "number")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["no fixture returned a model that is in r.json, so nothing was compared"]
    )


def test_collecting_alone_writes_nothing(suite):
    suite.makepyfile(test_it=SUITE)
    result = suite.runpytest_inprocess("--collect-only", "--layercount-record=r.json")
    assert result.ret == 0
    assert not (suite.path / "r.json").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--layercount-against=no.json"], "no.json: cannot be read as a record: No such file*"),
        (["--layercount-record="], "--layercount-record=: must be the name of a file"),
        (
            ["--layercount-against=r.json", "--layercount-weights=own"],
            "r.json: the records were made in different ways*",
        ),
        (["--layercount-weights=odd"], "--layercount-weights=odd: must be seeded or own"),
        (
            ["--layercount-against=r.json", "--layercount-expected-difference=net: odd: why"],
            "there is no cause 'odd'*",
        ),
    ],
)
def test_wrong_options_are_usage_errors(recorded, options, sentence):
    result = recorded.runpytest_inprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])


def test_a_record_that_cannot_be_written_is_known_before_the_run(suite):
    suite.makepyfile(test_it=SUITE)
    (suite.path / "file").write_text("")
    result = suite.runpytest_inprocess("--layercount-record=file/r.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --layercount-record=file/r.json: cannot be written there: File exists"]
    )
