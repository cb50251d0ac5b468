"""How Keras 2 is read, on values made like its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import needs_keras

pytestmark = needs_keras


def ends(start: Any, stop: Any, step: Any) -> dict[str, Any]:
    return {"start": start, "stop": stop, "step": step}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (ends(1, None, 2), slice(1, None, 2)),
        (ends(None, None, None), slice(None)),
        (ends(1.5, None, None), ends(1.5, None, None)),
        (ends(True, None, None), ends(True, None, None)),
        ({"start": 1, "stop": 2}, {"start": 1, "stop": 2}),
        ((ends(0, 4, None), [ends(None, -1, None)]), (slice(0, 4), [slice(None, -1)])),
        ({"key": (3, ends(0, 1, 1)), "other": "a"}, {"key": (3, slice(0, 1, 1)), "other": "a"}),
    ],
)
def test_slices_are_written_as_dictionaries(written: Any, meant: Any) -> None:
    from pytest_layercount.model.keras.keras2 import _with_slices

    found = _with_slices(written)
    assert found == meant
    assert type(found) is type(meant)
