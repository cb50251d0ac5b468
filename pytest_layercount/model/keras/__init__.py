"""The only files that know what Keras keeps private: one adapter for each generation of it."""

from __future__ import annotations

from pytest_layercount.model.keras.adapter import Dialect, generation


def dialect_of(model: object) -> Dialect:
    """The dialect to read ``model`` in."""
    if generation(model) == 3:
        from pytest_layercount.model.keras.keras3 import Keras3

        return Keras3()
    from pytest_layercount.model.keras.keras2 import Keras2

    return Keras2()
