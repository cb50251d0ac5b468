"""Which names are those of layer types. No Keras."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from pytest_layercount.model.keras.types import is_type


def test_nodes_may_be_operations_of_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = SimpleNamespace(FusedBatchNormV3=None)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(raw_ops=operations))  # type: ignore[arg-type]
    assert is_type("FusedBatchNormV3", "nodes") is True
    assert is_type("FusedBatchNormV3", "layers") is False
    assert is_type("FusedBatchNormV9", "nodes") is False
