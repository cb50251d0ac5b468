"""The plugin as pytest sees it."""

from __future__ import annotations

import gzip
import importlib
import zipfile

import pytest

import pytest_layercount
import pytest_layercount.rules
from tests.conftest import ROOT

HOMES = ("pytest_layercount.graph", "pytest_layercount.rules")
"""The modules that are public besides the package itself."""

WITHOUT_TENSORFLOW = """
import sys

# Importing a module that is None here fails as it does where it is not installed.
for name in ("tensorflow", "keras", "tf_keras", "h5py"):
    sys.modules[name] = None
"""


def test_the_mark_is_listed(suite):
    result = suite.runpytest("--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.layercount([*], max=, min=, exactly=, *"])


def test_the_fixtures_are_listed_with_what_they_are_for(suite):
    result = suite.runpytest("--fixtures")
    result.stdout.fnmatch_lines_random(
        [
            "assert_layer_count [[]session scope] -- *",
            "    Assert how many layers a model has.",
            "assert_foldable [[]session scope] -- *",
            "    Assert that a model's batch normalizations disappear at inference.",
            "assert_equivalent_after_fold [[]session scope] -- *",
            "    Assert that folding a model keeps its outputs.",
        ]
    )


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_it_can_be_switched_off(suite, options):
    suite.makeini("[pytest]\naddopts = -p no:hypothesispytest")
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.layercount(maximum=3)
        def test_mark(): pass

        def test_fixture(assert_layer_count): pass
        """
    )
    # In a process of its own, because pytest remembers the marks it has seen.
    result = suite.runpytest_subprocess("-p", "no:layercount", *options)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        ["*fixture 'assert_layer_count' not found", "*PytestUnknownMarkWarning*layercount*"]
    )


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_without_tensorflow_everything_starts_and_one_sentence_says_what_to_install(suite, options):
    suite.makeconftest(WITHOUT_TENSORFLOW)
    config = (ROOT / "tests/model/data/mobilenet_v3_small-keras3.json.gz").read_bytes()
    with zipfile.ZipFile(suite.path / "net.keras", "w") as archive:
        archive.writestr("config.json", gzip.decompress(config))
    suite.makepyfile(
        """
        import pytest
        from tests.graphs import of_size

        def test_plain(): pass

        def test_graph(assert_layer_count):
            assert assert_layer_count(of_size(3), max=3).total == 3

        def test_count(assert_layer_count):
            assert_layer_count("net.keras", exactly=164)

        def test_foldable(assert_foldable):
            assert_foldable("net.keras")

        def test_equivalent(assert_equivalent_after_fold):
            assert_equivalent_after_fold("net.keras")

        @pytest.fixture
        def saved():
            return "net.keras"

        @pytest.mark.layercount(exactly=164, model="saved")
        def test_mark(): pass
        """
    )
    result = suite.runpytest_subprocess(*options)
    result.assert_outcomes(passed=5, failed=1)
    sentence = '*pip install "pytest-layercount[[]tensorflow]"*'
    result.stdout.fnmatch_lines([sentence])
    result.stdout.no_fnmatch_line("*ModuleNotFoundError*")


@pytest.mark.parametrize("module", ["pytest_layercount", *HOMES])
def test_public_names_are_there(module):
    public = importlib.import_module(module)
    assert all(hasattr(public, name) for name in public.__all__)


def test_public_functions_and_fixtures_are_documented():
    public = [getattr(pytest_layercount, name) for name in pytest_layercount.__all__]
    rules = [getattr(pytest_layercount.rules, name) for name in pytest_layercount.rules.__all__]
    # A dataclass has a docstring of Python's, which lists its fields.
    written = [value for value in (*public, *rules) if callable(value)]
    assert all(
        value.__doc__ and not value.__doc__.startswith(f"{value.__name__}(") for value in written
    )


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = pytest_layercount.nope


def test_every_public_name_has_one_home():
    homes = [
        name
        for home, names in pytest_layercount._HOMES.items()
        for name in names
        if f"pytest_layercount.{home}" not in HOMES
    ]
    assert sorted(homes) == sorted(pytest_layercount.__all__)
