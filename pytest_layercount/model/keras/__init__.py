"""The only files that know what Keras keeps private: one adapter for each generation of it."""

from __future__ import annotations

from pytest_layercount.model.keras.adapter import Adapter, generation
from pytest_layercount.model.keras.origin import library_of


def adapter_for(model: object) -> Adapter:
    """The adapter of the Keras that ``model`` belongs to."""
    if generation(model) == 3:
        from pytest_layercount.model.keras.keras3 import Keras3

        return Keras3()
    from pytest_layercount.model.keras.keras2 import Keras2

    return Keras2(library_of(model) or "keras")
