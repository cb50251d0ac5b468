"""The exception that fails a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_layercount.text import printable

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
