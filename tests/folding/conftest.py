"""Fixtures of the folding tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.folding.harness import Kit


@pytest.fixture
def kit() -> Iterator[Kit]:
    """The installed Keras, computing in float64 for the length of a test."""
    pytest.importorskip("tensorflow")
    kit = Kit()
    backend = kit.keras.backend
    before = backend.floatx()
    backend.set_floatx("float64")
    backend.clear_session()
    yield kit
    backend.set_floatx(before)
