"""How many parameters a saved layer has, and their bytes: from configuration and input shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

from pytest_layercount.model.keras.common import item_size
from pytest_layercount.model.layers import TYPES, row_of
from pytest_layercount.model.layers.base import Config, Scalars, Shapes, certain, channels, known
from pytest_layercount.model.readers.files.calls import Malformed
from pytest_layercount.model.readers.files.saved_layer import SavedLayer

# A file may give any size; the number has to fit an integer of 64 bits.
MOST = 1 << 62
_WRAPPERS = ("Bidirectional", "SpectralNormalization", "TimeDistributed")


def parameters(layer: SavedLayer) -> tuple[int, int] | None:
    """All parameters of ``layer``, and the trainable ones; None where they cannot be known."""
    try:
        size = _sizes(layer, layer.built)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    if size.trained + size.fixed > MOST:
        raise Malformed(f"the layer {layer.name!r} has more parameters than any model")
    return size.trained + size.fixed, size.trained


def _sizes(layer: SavedLayer, shapes: Shapes) -> Scalars:
    held = layer.stored
    size = _computed(layer, shapes) if held is None else _stored(layer, held)
    if _is_frozen(layer.config) and not _frees_its_parts(layer):
        return Scalars(0, size.trained + size.fixed)
    return size


def _is_frozen(config: Config) -> bool:
    return config.get("trainable", True) is False


def _frees_its_parts(layer: SavedLayer) -> bool:
    """Whether the layers that Keras makes inside ``layer`` train although it does not.

    Keras 3 asks each variable; these make their parts without handing the flag on.
    """
    return layer.builtin and layer.generation == 3 and row_of(layer.type).parts_train


def _stored(layer: SavedLayer, total: int) -> Scalars:
    """As many as the file holds for the layer."""
    if layer.builtin and "BatchNormalization" in (layer.type, *row_of(layer.type).bases):
        # Vectors of one length: gamma and beta if it has them, and always mean and variance. total
        # = (trained + 2) * n, of which 2 * n do not train.
        trained = bool(layer.config.get("scale", True)) + bool(layer.config.get("center", True))
        fixed = 2 * total // (trained + 2)
        return Scalars(total - fixed, fixed)
    return Scalars(total)


def _computed(layer: SavedLayer, shapes: Shapes) -> Scalars:
    config = layer.config
    if layer.builtin and layer.type in _WRAPPERS and layer.inner:
        return _wrapped(layer, shapes)
    if layer.network is not None:
        # A layer that is called twice weighs once, hence the set.
        return _total([_sizes(inner, inner.built) for inner in set(layer.network.layers)])
    if not layer.builtin:
        raise ValueError("only its class knows")
    row = row_of(layer.type)
    # Such a layer has variables that the row of its type does not count.
    if any(not part.builtin or (_weighs(part) and not row.holds) for part in layer.parts):
        raise ValueError("a layer given as an activation is called on what it computes")
    if config.get("output_mode") == "tf_idf" and config.get("vocabulary") is None:
        return Scalars(0, int(layer.generation == 2))  # how many documents it has seen
    if layer.operation is not None:
        return Scalars()
    if layer.type not in TYPES:
        raise ValueError("nothing is known of such layers")
    return row.scalars(config, shapes)


def _weighs(layer: SavedLayer) -> bool:
    row = row_of(layer.type)
    return row.kernels is not None or row.vectors is not None


def _wrapped(layer: SavedLayer, shapes: Shapes) -> Scalars:
    inner = layer.inner
    if inner is None:
        return Scalars()
    if layer.type == "Bidirectional":
        back = layer.parts[1] if len(layer.parts) > 1 else inner
        return _total([_sizes(inner, shapes), _sizes(back, shapes)])
    if layer.type == "SpectralNormalization":
        wrapped = _sizes(inner, shapes)
        return Scalars(wrapped.trained, wrapped.fixed + _vector(inner, shapes))
    # TimeDistributed: the layer inside sees one step, without axis 1.
    shape = known(shapes[0])
    return _sizes(inner, ((shape[0], *shape[2:]),))


def _vector(layer: SavedLayer, shapes: Shapes) -> int:
    """The last size of the kernel that a SpectralNormalization keeps a vector for."""
    if layer.type.endswith("Transpose"):
        return certain(channels(layer.config, shapes[0]))
    last = next(name for name in ("filters", "units", "output_dim") if name in layer.config)
    return int(layer.config[last])


def _total(parts: Iterable[Scalars]) -> Scalars:
    return reduce(or_, parts, Scalars())


def stored_bytes(layer: SavedLayer, parameters: int) -> int:
    """The memory of a saved layer's weights; the count of a Normalization is an int64."""
    counter = 4 * (layer.builtin and layer.type == "Normalization" and parameters > 0)
    return parameters * item_size(_stored_as(layer)) + counter


def _stored_as(layer: SavedLayer) -> str:
    """The data type of a saved layer's variables: ``float32`` under mixed precision."""
    policy = layer.config.get("dtype", "float32")
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        policy = inner.get("name") or "" if isinstance(inner, Mapping) else ""
    named = str(policy or "float32").rpartition("_from_")[2]
    return "float32" if named.startswith("mixed_") else named
