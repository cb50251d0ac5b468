"""When two steps of two models are the same: one name and configuration for each.

The name is that of the function, whatever layer or operation computes it. The
configuration leaves out what does not change the structure, and says alike what
the generations of Keras say differently.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from numbers import Real
from typing import Any

from pytest_layercount.compare.form import Item
from pytest_layercount.model.graph import Layer, Value, leaves
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.plain_settings import COMPARABLE, MOST_NUMBERS, digest

ACTIVATION = "activation"

# Found by running 75 activations and layers with the same weights on Keras 2.15 and 3.15: only this
# activation, and what is made with it, gave other numbers. Both formulas stand in the docstrings of
# keras.activations.hard_sigmoid.
IN_KERAS_2: Mapping[str, str] = {
    # Keras 3: relu6(x + 3) / 6
    "hard_sigmoid": "hard_sigmoid of Keras 2, 0.2 x + 0.5",
}
"""For the name of an activation, what it is called here if a Keras 2 made the model."""

_MERGES = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
_SAME: Mapping[str, str] = {
    "concat": "concatenate",
    "hard_swish": "hard_silu",
    "swish": "silu",
    **{name: name.lower() for name in _MERGES},
}
_ACTIVATIONS = frozenset(
    {
        *IN_KERAS_2.values(),
        "elu",
        "exponential",
        "gelu",
        "hard_sigmoid",
        "hard_silu",
        "leaky_relu",
        "log_softmax",
        "mish",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "softmax",
        "softplus",
        "softsign",
        "tanh",
    }
)
_ARITHMETIC = frozenset({"add", "divide", "maximum", "minimum", "multiply", "power", "subtract"})
COMMUTATIVE = frozenset({"add", "average", "maximum", "minimum", "multiply"})
MOST_CONSTANTS = 4
"""More numbers of one operation are known by a digest."""

_NOT_STRUCTURE = frozenset({"trainable", "virtual_batch_size"})
_NOT_STRICT = frozenset({"inside", "use_bias", *COMPARABLE})

PREPROCESSING = frozenset(
    {
        "AutoContrast",
        "CategoryEncoding",
        "CenterCrop",
        "Discretization",
        "Equalization",
        "HashedCrossing",
        "Hashing",
        "IntegerLookup",
        "MelSpectrogram",
        "Normalization",
        "RandAugment",
        "Rescaling",
        "Resizing",
        "STFTSpectrogram",
        "Solarization",
        "StringLookup",
        "TextVectorization",
    }
)


def is_preprocessing(layer: Layer) -> bool:
    """Whether a layer prepares data: scaling, cropping, looking up, augmenting."""
    return layer.builtin and (layer.type in PREPROCESSING or layer.type.startswith("Random"))


def is_arithmetic(item: Item) -> bool:
    """Whether an item computes with one tensor and constants, or picks from it."""
    name = item.layer.operation
    return (name in _ARITHMETIC or name in ("cast", "get_item")) and len(item.call.inputs) == 1


def relu6(layer: Layer) -> bool:
    """Whether a layer or operation is a ReLU with the ceiling 6 and nothing else."""
    if layer.operation is not None:
        return layer.operation == "relu6"
    config = layer.config
    plain = not config.get("negative_slope") and not config.get("threshold")
    return layer.builtin and layer.type == "ReLU" and plain and config.get("max_value") == 6


def kind(item: Item) -> str:
    """The function that an item computes, by one name."""
    layer = item.layer
    if function(item) is not None:
        return ACTIVATION
    if layer.operation is not None:
        return _SAME.get(layer.operation, layer.operation)
    if not layer.builtin:
        return f"custom {layer.type}"
    return _SAME.get(layer.type, layer.type)


def function(item: Item) -> str | None:
    """The activation function that an item is, by one name; None for other items."""
    layer = item.layer
    if layer.operation is not None:
        name = _SAME.get(layer.operation, layer.operation)
        return name if name in _ACTIVATIONS else None
    if not layer.builtin:
        return None
    if layer.type == "Activation":
        name = str(layer.config.get("activation"))
        return _SAME.get(name, name)
    if relu6(layer):
        return "relu6"
    if layer.type == "ReLU":
        return "relu"
    return "softmax" if layer.type == "Softmax" else None


def configuration(item: Item, *, whole: bool = True, spelled: bool = False) -> dict[str, Any]:
    """What an item computes with, as two models that are alike agree on it.

    ``whole`` asks for all settings that are known, not only for those that rows name.
    ``spelled`` says that both models are of one generation of Keras: only then do the same
    arguments of an operation look the same.
    """
    layer, call = item.layer, item.call
    # Settings that are not known of all layers would differ wherever they are known.
    others = _others(layer, _rank(item)) if whole else {}
    if layer.kind == "input":
        shape = call.shapes[0] if call.shapes else None
        # The batch size is no structure.
        seen = {"shape": None if shape is None else shape[1:], "dtype": "".join(call.dtypes[:1])}
        return {**others, **seen}
    passed = {"arguments": arguments} if spelled and (arguments := _arguments(item)) else {}
    name = function(item)
    if name is not None:
        settings = others if layer.operation is None or spelled else {}
        if layer.type == "ReLU" and name == "relu":
            settings = settings | {key: value for key, value in layer.config.items() if value}
        return {**settings, **passed, "activation": name}
    if layer.operation is None:
        config = _plain(layer, _rank(item), whole=whole) | passed
    else:
        config = _plain(layer, _rank(item), whole=whole) | passed if spelled else {}
    if layer.operation is not None:
        config |= _of_operation(item)
    # Of a layer without a row, its size is all that is known to matter.
    elif not row_of(layer.type).attributes and layer.parameters:
        config["parameters"] = layer.parameters
    shape = call.shapes[0] if call.shapes else None
    # -1 and the number that it stands for are the same shape.
    if layer.type == "Reshape" and layer.builtin and shape is not None and None not in shape[1:]:
        config["target_shape"] = shape[1:]
    if call.training is True and not _is_fixed(layer):
        config["training"] = True
        if layer.config.get("trainable") is False:
            config["trainable"] = False  # then a batch normalization uses its statistics after all
    return config


def _of_operation(item: Item) -> dict[str, Any]:
    """What every Keras says of an operation, whichever way it is called."""
    if item.layer.operation == "cast":
        return {"dtype": "".join(item.call.dtypes[:1])}
    return _constants(item) if item.layer.operation in _ARITHMETIC else {}


def _arguments(item: Item) -> tuple[Any, ...]:
    """What a call is given besides tensors, but for the numbers of arithmetic."""
    arithmetic = item.layer.operation in _ARITHMETIC
    arguments: list[Any] = []
    for name, value in (*enumerate(item.call.args), *sorted(item.call.kwargs.items())):
        parts = [part for leaf in leaves(value) for part in _parts(leaf)]
        if arithmetic:  # a baseline holds but the digest of many numbers
            parts = [part for part in parts if isinstance(part, str) and "values" in part]
        if len(parts) > MOST_NUMBERS:
            parts = [f"{len(parts)} values {digest(parts)}"]
        if name != "name" and any(part is not None and part is not False for part in parts):
            arguments.append((name, *parts))
    return tuple(arguments)


def _parts(leaf: Any) -> list[Any]:
    """What is compared of an argument; of a constant the numbers, as a file holds them."""
    if isinstance(leaf, Value):
        return []
    held = leaf.numpy() if callable(getattr(leaf, "numpy", None)) else leaf
    if hasattr(leaf, "assign") or not hasattr(held, "tolist"):
        return [_argument(leaf)]
    return [_argument(number) for number in held.ravel().tolist()]


def _argument(leaf: Any) -> Any:
    if isinstance(leaf, slice):
        return ("slice", *map(_argument, (leaf.start, leaf.stop, leaf.step)))
    if leaf is None or leaf is Ellipsis or isinstance(leaf, (int, str)):
        return leaf
    if isinstance(leaf, Real):
        return float(f"{float(leaf):.6g}")
    if isinstance(leaf, type) or hasattr(leaf, "as_numpy_dtype"):  # NumPy's types, TensorFlow's
        return getattr(leaf, "name", None) or leaf.__name__
    shape = getattr(leaf, "shape", None)
    return f"{type(leaf).__name__} {shape}" if shape is not None else type(leaf).__name__


def _is_fixed(layer: Layer) -> bool:
    """Whether a layer prepares data without drawing numbers: Keras 3 calls it for training."""
    return is_preprocessing(layer) and not layer.type.startswith("Rand")


def _constants(item: Item) -> dict[str, Any]:
    """The numbers of arithmetic, and whether they come first where that matters."""
    numbers = constants(item)
    if len(numbers) > MOST_CONSTANTS:
        config: dict[str, Any] = {"constants": f"{len(numbers)} values {digest(numbers)}"}
    else:
        config = {f"constant {place}": number for place, number in enumerate(numbers)}
    first = item.call.args[0] if item.call.args else None
    turned = not isinstance(first, Value) and len(item.call.inputs) == 1
    if turned and kind(item) not in COMMUTATIVE:
        config["constant first"] = True
    return config


def constants(item: Item) -> list[float]:
    """The numbers that an operation is called with; variables are weights."""
    operands = leaves((item.call.args, item.call.kwargs))
    numbers = [number for leaf in operands for number in _numbers(leaf)]
    # Six digits: a float32 holds no more than seven of what was written.
    return [float(f"{float(number):.6g}") for number in numbers]


def _numbers(leaf: Any) -> list[Any]:
    # A truth value is a flag of the call, though Python calls it a number.
    if type(leaf) is not bool and isinstance(leaf, Real):
        return [leaf]
    if isinstance(leaf, (bool, Value)) or hasattr(leaf, "assign"):
        return []
    array = leaf.numpy() if callable(getattr(leaf, "numpy", None)) else leaf
    kind = getattr(getattr(array, "dtype", None), "kind", "")
    return list(array.ravel().tolist()) if kind and kind in "fiu" else []


def strict(item: Item, config: Mapping[str, Any]) -> Hashable:
    """A token that items share which are alike, but for a bias: folding may add one."""
    kept = sorted((key, repr(value)) for key, value in config.items() if key not in _NOT_STRICT)
    return (kind(item), *kept)


def _rank(item: Item) -> int | None:
    shape = item.call.shapes[0] if item.call.shapes else None
    return None if shape is None else len(shape)


def _plain(layer: Layer, rank: int | None, *, whole: bool) -> dict[str, Any]:
    """A layer's settings without those that say nothing."""
    config = _others(layer, rank) if whole else {}
    for key, value in layer.config.items():
        normal = _normal(key, value, rank, whole=whole)
        if key not in _NOT_STRUCTURE and normal is not None and normal is not False:
            config[key] = normal
    if whole and layer.inside and not layer.builtin:
        config["inside"] = tuple(_normal("", part, None, whole=True) for part in layer.inside)
    return config


def _others(layer: Layer, rank: int | None) -> dict[str, Any]:
    """The settings that are not in ``layer.config``, as two models that are alike say them."""
    config = {}
    for key, value in (layer.settings or {}).items():
        normal = _normal(key, value, rank, whole=True) if layer.builtin else value
        if normal is not None and not (key == "axis" and normal == _last(rank)):
            config[key] = normal
    return config


def _last(rank: int | None) -> int:
    return -1 if rank is None else rank - 1


def _normal(key: str, value: Any, rank: int | None, *, whole: bool) -> Any:
    if isinstance(value, Layer):
        return (value.type, tuple(sorted(_plain(value, None, whole=whole).items(), key=repr)))
    if key == "axis" and _is_axes(value):
        axes = value if isinstance(value, (list, tuple)) else (value,)
        # -1 and the last axis by its number are the same.
        known = [axis + rank if axis is not None and axis < 0 and rank else axis for axis in axes]
        return known[0] if len(known) == 1 else tuple(known)
    # The default, which not every layer and file names.
    if key == "data_format" and value == "channels_last":
        return None
    if key.endswith("activation"):
        name = _SAME.get(str(value), str(value))
        return None if name == "linear" else name
    if isinstance(value, list):
        return tuple(value)
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _is_axes(value: Any) -> bool:
    axes = value if isinstance(value, (list, tuple)) else (value,)
    return all(axis is None or type(axis) is int for axis in axes)
