"""What all tests share."""

from __future__ import annotations

import compileall
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Imported before any test does: pytester forgets the modules that a run imports,
# and NumPy must not be imported a second time.
import numpy as np  # noqa: F401
import pytest

from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.verify import verify
from tests.kerases import load_keras

pytest_plugins = ["pytester"]


def has_keras() -> bool:
    """Whether a Keras of either generation is installed, without importing it."""
    return importlib.util.find_spec("tensorflow") is not None


# The oldest and the second Keras of a generation skip what takes minutes: the
# first and the newest run it.
SLOW = ["faults", "compare/test_applications.py", "examples/test_pull_request.py"]
# A suite of a user's, which test_golden.py runs.
collect_ignore = ["golden/suite", *(SLOW if "LAYERCOUNT_TEST_FEW" in os.environ else [])]

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "tests" / "examples"


@pytest.fixture(scope="session", autouse=True)
def verified_graphs() -> Iterator[None]:
    """Every graph that a reader, a pass, a rewrite or a test makes keeps the rules of graphs."""
    make = ModelGraph.__init__

    def make_and_verify(self: ModelGraph, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        verify(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelGraph, "__init__", make_and_verify)
        yield


MAKE_MODELS = {"build", "kit"}
"""The fixtures that make models with Keras."""
needs_keras = pytest.mark.keras
"""A test of Keras: the others run where none is installed, and need not run in each of them."""


@pytest.fixture(scope="session")
def framework() -> None:
    """Like NumPy: TensorFlow is imported before pytester looks, for it cannot be twice."""
    if has_keras():
        load_keras()


@pytest.fixture(scope="session")
def compiled() -> None:
    """The package is compiled once, and not by every process that a test starts.

    These write no compiled files (see ``suite``), and read those that are there.
    """
    compileall.compile_dir(ROOT / "pytest_layercount", quiet=2)
    compileall.compile_file(ROOT / "tests" / "graphs.py", quiet=2)


@pytest.fixture
def suite(
    framework: None, compiled: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """An empty test suite of a user, which may import ``tests.graphs``."""
    for variable in (
        "CI",
        "BUILD_NUMBER",
        "GITHUB_STEP_SUMMARY",
        "PYTEST_ADDOPTS",
        "PYTEST_XDIST_WORKER",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    # A file that a test changes within a second, to the same size, would be taken for
    # the one that was compiled.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    # The path stands in the settings, where workers see it too. Hypothesis is not
    # needed inside, and takes a second to be imported each time.
    addopts = "addopts = --strict-markers -p no:hypothesispytest"
    pytester.makeini(f"[pytest]\npythonpath = {ROOT}\n{addopts}\n")
    return pytester


# First, so that ``-m keras`` chooses among tests that are marked.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what makes models without saying so, and skip it where there is no Keras.

    Every process must call the tests alike, or those of xdist do not agree on them.
    """
    missing = pytest.mark.skip(reason="needs TensorFlow")
    for item in items:
        made = not MAKE_MODELS.isdisjoint(getattr(item, "fixturenames", ()))
        if made or item.path.parent == EXAMPLES:
            item.add_marker("keras")
        if not has_keras() and item.get_closest_marker("keras"):
            item.add_marker(missing)
    moving = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if moving:
        raise pytest.UsageError(f"the name of a test holds an address: {moving[0]}")
