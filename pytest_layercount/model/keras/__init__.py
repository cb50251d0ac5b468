"""The only files that know Keras's private names: one adapter for each generation."""

from __future__ import annotations

from pytest_layercount.model.keras.adapter import Adapter, generation, keras_label, version_of
from pytest_layercount.model.keras.origin import library_of


def adapter_for(model: object) -> Adapter:
    """The adapter of the Keras that ``model`` belongs to.

    Raises:
        ModelError: a Keras that is not known, or lacks what is needed of it.
    """
    from pytest_layercount.model.keras.private import check

    library = library_of(model) or "keras"
    check(library, version_of(library), keras_label(model))
    if generation(model) == 3:
        from pytest_layercount.model.keras.keras3 import Keras3

        return Keras3()
    from pytest_layercount.model.keras.keras2 import Keras2

    return Keras2(library)
