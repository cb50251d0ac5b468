"""What there is not to judge of a model that is named on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_layercount.text import number

if TYPE_CHECKING:
    from pytest_layercount.model.count import LayerCount


def no_limit(measured: LayerCount) -> str:
    """No limit to judge it by."""
    has = number(measured.total, "layer")
    return f"{measured.model} has {has}; to keep it so: --layercount-max={measured.total}"


def no_batch_norm(name: str) -> str:
    """No batch normalization that could fold."""
    return f"{name} has no batch normalization"


def nothing_folds(name: str) -> str:
    """The model is what it would be folded."""
    return f"{name} has nothing that folds, so there is nothing to compare"
