"""Which dialect a model is read in."""

from __future__ import annotations

from pytest_layercount.model.readers.dialect import Dialect, generation


def dialect_of(model: object) -> Dialect:
    """The dialect to read ``model`` in."""
    if generation(model) == 3:
        from pytest_layercount.model.readers.keras3 import Keras3

        return Keras3()
    from pytest_layercount.model.readers.keras2 import Keras2

    return Keras2()
