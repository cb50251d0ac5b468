"""Make the variables of a new layer with their values.

Making them at random first, to be overwritten, would take longer than all the rest of a fold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pytest_layercount.model.keras.variables import read_tensor, tensor_of


def set_initial(layer: Any, expected: Mapping[str, Any]) -> dict[int, Any]:
    """Have ``layer`` make its variables with the values ``expected``, by their names.

    Returns what fills up as it does: the value each variable began with, by the variable's id.
    """
    make, begun = layer.add_weight, dict[int, Any]()
    # Read here: inside a layer's call, Keras may cast what is read.
    read = {
        name: value if isinstance(value, np.ndarray) else read_tensor(value)
        for name, value in expected.items()
    }

    def add_weight(*args: Any, **kwargs: Any) -> Any:
        name = str(kwargs.get("name"))
        value = read.get(name)
        # Another shape than expected, or arguments by place: then what is known of the variable may
        # be wrong, and Keras makes it as it would. settle() of State assigns it later.
        if args or value is None or tuple(kwargs.get("shape") or ()) != tuple(value.shape):
            return make(*args, **kwargs)
        kwargs["initializer"] = lambda shape, dtype=None, **_: tensor_of(value, dtype)
        made = make(**kwargs)
        # The source, not what was read of it: State.settle() compares by identity.
        begun[id(made)] = expected[name]
        return made

    vars(layer)["add_weight"] = add_weight
    return begun


def unset_initial(layer: Any) -> None:
    """Have ``layer`` make its variables as its class does."""
    vars(layer).pop("add_weight", None)
