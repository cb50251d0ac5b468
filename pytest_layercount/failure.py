"""The exception that fails a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_layercount.text import joined, printable

if TYPE_CHECKING:
    from _pytest.outcomes import Failed as PytestFailed
else:
    PytestFailed = pytest.fail.Exception


class Failed(PytestFailed, AssertionError):
    """A failed test: to pytest its own outcome, to everything else an assertion.

    The first makes a message printable without a traceback. The second makes
    ``xfail(raises=AssertionError)``, unittest and Hypothesis treat it as they
    treat a failed ``assert``.
    """

    # Shown as "Failed: ...", so that a one-line summary has room for the numbers.
    __module__ = "builtins"

    def __init__(self, msg: str | None = None, pytrace: bool = True) -> None:
        super().__init__(None if msg is None else printable(msg), pytrace)


class Failure(NamedTuple):
    """What is wrong with a model. ``again`` says that another test has told it whole."""

    text: str
    again: bool = False


Verdict = Callable[[pytest.Item], Failure | None]
"""What is wrong with a model that a test uses."""


# unittest's own marks act inside the call of a test. Our verdict comes before it, and has to
# heed them.


def skips_itself(item: pytest.Item) -> bool:
    """Whether unittest will skip the test, so that there is nothing to judge."""
    owners = (getattr(item, "cls", None), getattr(item, "obj", None))
    return any(getattr(owner, "__unittest_skip__", False) for owner in owners)


def fail(item: pytest.Item, failures: Sequence[str]) -> None:
    """Fail a test whose models have ``failures``; one that unittest expects to fail has done so."""
    if not failures:
        return
    text = joined(failures)
    if getattr(getattr(item, "obj", None), "__unittest_expecting_failure__", False):
        pytest.xfail(printable(text))
    raise Failed(text, pytrace=False)
