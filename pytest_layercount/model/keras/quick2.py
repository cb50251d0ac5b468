"""Connect layers of Keras 2 without having it find out what they return."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tensorflow import TensorSpec, name_scope, nest

from pytest_layercount.model.graph import Node
from pytest_layercount.model.keras.common import mask_of
from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.quick import quick


@contextmanager
def inferring_nothing(layer: Any, node: Node, args: Any, kwargs: Any) -> Iterator[None]:
    """Spare a layer from finding out what it returns by running in a scratch graph.

    Does so for layers of Keras's own without parts, losses and masks, and nothing for others.
    """
    # Tensors of other kinds (ragged, sparse) and integers need the real run: of an int32 vector
    # Keras follows the values too, as they may be a shape.
    tensors = [leaf for leaf in nest.flatten((args, kwargs)) if hasattr(leaf, "_keras_history")]
    kinds = {type(tensor) for tensor in tensors}
    if (
        not quick()
        or not _plain(layer)
        or any(node.masked)
        or any(mask_of(tensor) is not None for tensor in tensors)
        or [kind.__name__ for kind in kinds] != ["KerasTensor"]
        or len(node.shapes) != 1
        or node.shapes[0] is None
        or "float" not in node.dtypes[0]
    ):
        yield
        return
    (kind,) = kinds

    def known(inputs: Any, args: Any, kwargs: Any, masks: Any) -> Any:
        # What Keras does here, without the call itself: variables are named by the scope, and
        # saving needs the specification of the inputs.
        with name_scope(layer._name_scope()):
            layer._maybe_build(inputs)
        layer._set_save_spec(inputs, args, kwargs)
        return kind(TensorSpec(node.shapes[0], node.dtypes[0]))

    vars(layer)["_infer_output_signature"] = known
    try:
        yield
    finally:
        del vars(layer)["_infer_output_signature"]


def _plain(layer: Any) -> bool:
    module = type(layer).__module__
    # The first call of an operation is best made here: made where autograph is off, it
    # would have TensorFlow forget the arguments of the function, for all models.
    own = is_own(module) and not module.endswith(".tf_op_layer")
    parts = next(iter(layer._flatten_layers(include_self=False)), None)
    return own and parts is None and getattr(layer, "_activity_regularizer", None) is None
