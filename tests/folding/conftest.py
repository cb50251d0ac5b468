"""Fixtures of the folding tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.folding.harness import Kit
from tests.kerases import computing_in


@pytest.fixture
def kit() -> Iterator[Kit]:
    """The installed Keras, computing in float64 for the length of a test."""
    with computing_in("float64"):
        yield Kit()
