"""A failure shows the user's frames alone: pytest hides those that say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pytest_layercount
from tests.graphs import chain, of_size

PACKAGE = str(Path(pytest_layercount.__file__).parent)
GONE = "no/such/model.keras"
BLOCKED = chain("InputLayer", "Conv2D", "Activation", "BatchNormalization")
CALLS: dict[str, Callable[..., Any]] = {
    "count": lambda use: use("assert_layer_count")(of_size(3), max=2),
    "count of what folded": lambda use: use("assert_layer_count")(GONE, max=2, folded=True),
    "count of no file": lambda use: use("assert_layer_count")(GONE, max=2, types={"Dense": 1}),
    "count of no model": lambda use: use("assert_layer_count")(3, max=2),
    "count with a bad number": lambda use: use("assert_layer_count")(of_size(3), max=-1),
    "count of no type": lambda use: use("assert_layer_count")(of_size(3), types={"Denes": 0}),
    "count with an unknown argument": lambda use: use("assert_layer_count")(of_size(3), most=1),
    "foldable": lambda use: use("assert_foldable")(BLOCKED),
    "foldable of no file": lambda use: use("assert_foldable")(GONE),
    "foldable of no types": lambda use: use("assert_foldable")(BLOCKED, types=[3]),
    "foldable of no such type": lambda use: use("assert_foldable")(BLOCKED, types=["Denes"]),
    "equivalent": lambda use: use("assert_equivalent_after_fold")(GONE),
    "structure": lambda use: use("assert_same_structure")(of_size(2), of_size(3)),
    "structure of no file": lambda use: use("assert_same_structure")(GONE, of_size(3)),
    "structure, other no file": lambda use: use("assert_same_structure")(of_size(3), GONE),
    "structure but for": lambda use: use("assert_same_structure")(BLOCKED, BLOCKED, ignore=[3]),
    "baseline": lambda use: use("assert_matches_baseline")(of_size(3)),
    "baseline of no name": lambda use: use("assert_matches_baseline")(of_size(3), ""),
    "baseline of no file": lambda use: use("assert_matches_baseline")(GONE),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_frame_of_ours_is_shown(name: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises((AssertionError, pytest_layercount.LayercountError)) as failure:
        CALLS[name](request.getfixturevalue)
    assert any(str(frame.path).startswith(PACKAGE) for frame in failure.traceback)
    visible = failure.traceback.filter(failure)
    # Nor of what stands between the user's line and ours, as ``contextlib`` did.
    others = [frame for frame in visible if str(frame.path) != __file__]
    assert not others, [f"{frame.path}:{frame.lineno + 1}" for frame in others]


BAD = """
import pytest

@pytest.fixture
def bad():
    raise ValueError("not made")
"""


@pytest.mark.parametrize("options", [[], ["--layercount-auto", "--layercount-max=3"]])
def test_what_a_fixture_raises_is_shown_without_ours(suite, options):
    suite.makeconftest(BAD)
    suite.makepyfile(
        """
        import pytest

        def test_it(bad): pass

        @pytest.mark.layercount(max=3, model="bad")
        def test_marked(): pass
        """
    )
    result = suite.runpytest(*options)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["conftest.py:5: ValueError"])
    result.stdout.no_fnmatch_line("*pytest_layercount/*")
