"""Keys of the configuration file and options: the same checks, the command line winning."""

from __future__ import annotations

import pytest

from pytest_layercount.settings import KEYS, Settings, settings
from tests.conftest import ROOT

NOT_A_SIZE = "must be a whole number like 5_000_000, or text like '300k', '5M', '1.2B'"
NOT_A_CHOICE = "must be all or new; tests to run stand before the option"


def configured(suite: pytest.Pytester, ini: str = "", *options: str) -> Settings:
    suite.makeini(f"[pytest]\n{ini}\n")
    return settings(suite.parseconfigure(*options))


def test_nothing_given(suite):
    found = configured(suite)
    assert found == Settings()
    assert (found.auto, found.update, found.limits) == (False, None, {})


TWO = "layercount_max = 150\nlayercount_max_parameters = 5M\n"
FLAGS = "layercount_max = 9\nlayercount_auto = yes\nlayercount_strict_baselines = on\n"


@pytest.mark.parametrize(
    ("ini", "options", "expected"),
    [
        (TWO, [], {"max": 150, "max_parameters": 5_000_000}),
        (TWO, ["--layercount-max=7"], {"max": 7, "max_parameters": 5_000_000}),
        (TWO, ["--layercount-max-parameters", "1k"], {"max": 150, "max_parameters": 1000}),
        ("layercount_max_trainable = 2k", [], {"max_trainable": 2000}),
        ("layercount_max_bytes = 20MB", [], {"max_bytes": 20_000_000}),
        ("layercount_max_bytes = 20MB", ["--layercount-max-bytes=1MiB"], {"max_bytes": 2**20}),
        ("layercount_max_depth = 9", ["--layercount-max-depth=8"], {"max_depth": 8}),
        ("layercount_max_macs = 300M", [], {"max_macs": 300_000_000}),
        (TWO, ["-o", "layercount_max=3"], {"max": 3}),
        (FLAGS, [], {"auto": True, "strict_baselines": True}),
        (FLAGS, ["--no-layercount-auto"], {"auto": False, "strict_baselines": True}),
        (FLAGS, ["--no-layercount-strict-baselines"], {"auto": True, "strict_baselines": False}),
        ("", ["--layercount-auto", "--layercount-max=9"], {"auto": True}),
        ("", ["--layercount-strict-baselines"], {"strict_baselines": True}),
        ("", ["--layercount-update"], {"update": "all"}),
        ("", ["--layercount-update=all"], {"update": "all"}),
        ("", ["--layercount-update=new"], {"update": "new"}),
        ("layercount_report = a.md\n  b.json", [], {"report": ("a.md", "b.json")}),
        ("layercount_report = a.md", ["--layercount-report=b.json"], {"report": ("b.json",)}),
        (
            "",
            ["--layercount-report=a.md", "--layercount-report=b.md"],
            {"report": ("a.md", "b.md")},
        ),
    ],
)
def test_what_is_given(suite, ini, options, expected):
    found = configured(suite, ini, *options)
    given = vars(found) | found.limits
    assert {name: given[name] for name in expected} == expected


def test_limits_are_those_of_a_mark(suite):
    assert configured(suite, "layercount_max = 9\nlayercount_max_parameters=2k").limits == {
        "max": 9,
        "max_parameters": 2000,
    }


@pytest.mark.parametrize(
    ("ini", "options", "sentence"),
    [
        ("layercount_max = many", [], "layercount_max=many in tox.ini: must be a whole number"),
        ("layercount_max = -3", [], "layercount_max=-3 in tox.ini: must be a whole number"),
        ("layercount_max =", [], "layercount_max= in tox.ini: must be a whole number"),
        ("", ["--layercount-max=1.5"], "--layercount-max=1.5: must be a whole number"),
        (
            "layercount_max_parameters = 5 M",
            [],
            f"layercount_max_parameters=5 M in tox.ini: {NOT_A_SIZE}",
        ),
        (
            "",
            ["--layercount-max-parameters=x"],
            f"--layercount-max-parameters=x: {NOT_A_SIZE}",
        ),
        ("layercount_auto = maybe", [], "layercount_auto in tox.ini: must be true or false"),
        (
            "layercount_strict_baselines = x",
            [],
            "layercount_strict_baselines in tox.ini: must be true or false",
        ),
        (
            "",
            ["--layercount-update", "tests/test_it.py"],
            f"--layercount-update=tests/test_it.py: {NOT_A_CHOICE}",
        ),
    ],
)
@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "workers"])
def test_a_mistake_is_a_usage_error_of_one_sentence(suite, ini, options, sentence, workers):
    suite.makeini(f"[pytest]\n{ini}\n")
    result = suite.runpytest_inprocess(*workers, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines == [f"ERROR: {sentence}", ""]
    assert "Traceback" not in result.stdout.str()


def test_every_key_and_option_is_listed_with_what_it_is_for(suite):
    result = suite.runpytest_inprocess("--help")
    text = result.stdout.str()
    for name in KEYS:
        option = {"models": "model", "expected_differences": "expected-difference"}.get(
            name, name
        ).replace("_", "-")
        assert f"--layercount-{option}" in text
        alone = ("against", "record", "update")  # options, not keys
        assert name in alone or f"  layercount_{name} " in text


@pytest.mark.skipif(pytest.version_tuple < (9, 2), reason="keys of several types are new in 9.2")
def test_numbers_and_truths_of_pytest_toml_need_no_quotes(suite):
    (suite.path / "tox.ini").unlink()
    lines = ["[pytest]", f"pythonpath = ['{ROOT}']", "layercount_max = 9"]
    lines += ["layercount_max_parameters = '5k'", "layercount_auto = true"]
    (suite.path / "pytest.toml").write_text("\n".join(lines))
    found = settings(suite.parseconfigure())
    assert (found.limits, found.auto) == ({"max": 9, "max_parameters": 5000}, True)
