"""Which layers of Keras 2 are spared a run, on objects made like its own."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import needs_keras

pytestmark = needs_keras


def layer(module: str, *inside: Any, **attributes: Any) -> Any:
    """A layer of a class of this module, with layers inside."""

    def flatten(self: Any, include_self: bool = True) -> Iterator[Any]:
        yield from (self, *inside) if include_self else inside

    cls = type("Made", (SimpleNamespace,), {"__module__": module, "_flatten_layers": flatten})
    return cls(**attributes)


@pytest.mark.parametrize(
    ("made", "plain"),
    [
        (layer("keras.src.layers.core.dense"), True),
        (layer("tf_keras.src.layers.core.dense"), True),
        (layer("keras.src.layers.core.dense", layer("keras.src.layers.core.dense")), False),
        (layer("keras.src.layers.core.dense", _activity_regularizer=abs), False),
        (layer("keras.src.layers.core.tf_op_layer"), False),
        (layer("mine"), False),
    ],
)
def test_which_layers_are_spared(made: Any, plain: bool) -> None:
    from pytest_layercount.model.keras import quick2

    assert quick2._plain(made) is plain
