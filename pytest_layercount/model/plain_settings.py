"""All settings of a layer as plain data, but those that are known to change nothing.

The rows of ``model/layers`` name what folding asks about. Comparing starts from the other end:
whatever a layer's configuration holds is a setting, and only what is listed here is left out,
because neither what the layer computes nor what is counted depends on it. A setting that has its
usual value is left out as well, so that one which an older Keras does not know is no difference.

Names and usual values are those of ``get_config()`` in Keras 2.15, tf_keras 2.21, Keras 3.3 and
Keras 3.15; where these disagree it is said below.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from types import CodeType
from typing import Any

from pytest_layercount.model.graph import Layer
from pytest_layercount.model.keras.common import dtype_policy
from pytest_layercount.model.keras.origin import is_framework, is_own_function
from pytest_layercount.model.layers import row_of

MOST_NUMBERS = 4096
"""Larger arrays among the settings are known by a digest."""

CODE = "code"
STORED = "stored_code"
COMPARABLE = frozenset({CODE, STORED})
"""A user's function: what it does, known of a live one alone, and the code that a file holds."""

_OF_ANY_LAYER = frozenset(
    {
        "name",
        "seed",
        # Keras 2 notes in a first layer what its InputLayer says; Keras 3 how it was built.
        "batch_input_shape",
        "build_config",
        # What trains is counted by itself; what is computed depends on it in one case, which
        # ``compare/vocabulary.py`` knows: a batch normalization called with training=True.
        "trainable",
    }
)
# They act on weights while these are trained, or before. Weights are no settings.
_ENDINGS = ("_constraint", "_initializer", "_regularizer")
_OF_BUILT_IN = frozenset(
    {
        "init_values",
        "unit_forget_bias",
        "weights",
        # Another way to the same numbers.
        "autocast",
        "dynamic",
        "flash_attention",
        "force_generator",
        "fused",
        "implementation",
        "rng_type",
        "unroll",
        "use_cudnn",
        # Shapes that Keras 2 saw when it built the layer, and notes for its own use.
        "input_length",
        "key_shape",
        "query_shape",
        "value_shape",
        "function_type",
        "module",
        "output_shape_module",
        "output_shape_type",
        # What a class tells its base class.
        "conv_op",
        "pool_dimensions",
        "pool_mode",
        "rank",
    }
)
_OF_INPUTS = frozenset({"batch_shape", "batch_size", "dtype", "input_tensor", "shape"})
"""What the node of an InputLayer says."""

_USUAL: Mapping[str, Any] = {
    "activation": "linear",
    "center": True,
    "data_format": "channels_last",
    "depth_multiplier": 1,
    "dropout": 0,
    "dtype": "float32",
    "encoding": "utf-8",
    "fill_mode": "reflect",
    "fill_value": 0,
    "groups": 1,
    "interpolation": "bilinear",
    "l1": 0,
    "l2": 0,
    "merge_mode": "concat",
    "momentum": 0.99,
    "num_oov_indices": 1,
    "oov_method": "floormod",
    "output_mode": "int",
    "padding": "valid",
    "power_iterations": 1,
    "recurrent_activation": "sigmoid",
    "recurrent_dropout": 0,
    "renorm_momentum": 0.99,
    "reset_after": True,
    "scale": True,
    "scaling": "density",
    "score_mode": "dot",
    "split": "whitespace",
    "standardize": "lower_and_strip_punctuation",
    "tie_weights": True,
    "use_bias": True,
    "value_range": (0, 255),
    "vocabulary_dtype": "int64",
    "window": "hann",
}

_OUTPUT_TYPES = frozenset({"int64", "string"})

_AXES = ("axis", "axes")


def plain_settings(type_: str, config: Mapping[str, Any], *, builtin: bool) -> dict[str, Any]:
    """The settings in ``config``, a layer's ``get_config()``, besides those that rows name."""
    # A model that stays whole inside a layer.
    if isinstance(config.get("layers"), (list, tuple)) and "name" in config:
        return {"layers": tuple(_plain_layers(config))}
    return _settings(type_, config, _told(type_) if builtin else (), builtin=builtin)


def _settings(
    type_: str, config: Mapping[str, Any], told: Collection[str], *, builtin: bool
) -> dict[str, Any]:
    settings = {}
    for key, value in config.items():
        name = row_of(type_).renamed.get(key, key)
        if name in told or is_without_effect(type_, name, builtin=builtin):
            continue
        plain = _plain(value)
        if builtin and (type_, name) == ("Lambda", "function"):
            plain = _plain_lambda(plain)
        if not _goes_without_saying(type_, name, plain, builtin=builtin):
            settings[name] = plain
    return settings


def _plain_lambda(function: Any) -> Any:
    """The function of a Lambda by its name: Keras 2 notes a name, or the code with defaults."""
    if isinstance(function, tuple):
        return "own <lambda>"
    return function if str(function).startswith("own ") else f"own {function}"


def _told(type_: str) -> tuple[str, ...]:
    """The settings that are read for folding."""
    row = row_of(type_)
    return (*row.attributes, *row.inner, *["layer"] * bool(row.inner))


def live_settings(layer: Any, config: Mapping[str, Any], *, builtin: bool) -> dict[str, Any]:
    """The settings of a live layer besides ``config``, what was read of it for folding.

    Asking each layer for its configuration takes longer than all the rest of reading, so
    built-in layers are asked once a class: what an attribute says as well is read from there.
    """
    cls = type(layer)
    names = _attribute_names(layer) if builtin else None
    if names is None:
        found = plain_settings(cls.__name__, _config(layer), builtin=builtin)
    else:
        own = vars(layer)
        values = tuple([own.get(attribute) for _, attribute in names])
        told = (cls.__name__, names, getattr(dtype_policy(layer), "name", None), *values)
        # The cache looks up by hash.
        plain = not any(
            isinstance(value, (list, Mapping)) or type(value).__hash__ is None for value in values
        )
        found = _of_attributes(*told) if plain else _of_attributes.__wrapped__(*told)
    return _with_functions(layer, config, found, builtin=builtin)


@lru_cache(maxsize=4096, typed=True)  # False, 0 and 0.0 are not one setting
def _of_attributes(
    type_: str, names: tuple[tuple[str, str], ...], policy: str | None, *values: Any
) -> dict[str, Any]:
    """Cached: layers of a model are much alike, and nobody changes the result."""
    config = {name: value for (name, _), value in zip(names, values, strict=True)}
    return plain_settings(type_, {**config, "dtype": policy}, builtin=True)


def _with_functions(
    layer: Any, config: Mapping[str, Any], settings: dict[str, Any], *, builtin: bool
) -> dict[str, Any]:
    """The settings with the functions of the user's among them, by name and by what they do."""
    custom = [
        name for name, setting in config.items() if type(setting) is str and setting == "custom"
    ]
    functions = {name: getattr(layer, name, None) for name in custom}
    told = {name: _plain(function) for name, function in functions.items()}
    if builtin and type(layer).__name__ == "Lambda":
        functions["function"] = getattr(layer, "function", None)
    # Bytecode differs between versions of Python, so that digests compare within one only.
    codes = list(filter(None, map(_code, functions.values())))
    if codes:
        told[CODE] = f"{'-'.join(codes)} of Python {sys.version_info[0]}.{sys.version_info[1]}"
    return {**settings, **told} if told else settings


def stored_settings(
    type_: str, config: Mapping[str, Any], read: Mapping[str, Any], *, builtin: bool
) -> dict[str, Any]:
    """The settings of a saved layer besides ``read``, what was read of it for folding."""
    settings = plain_settings(type_, config, builtin=builtin)
    for name, setting in read.items():
        if setting == "custom":
            settings[name] = _plain(config.get(name))
    if builtin and type_ == "Lambda":
        settings[STORED] = digest(config.get("function"))
    return settings


def within(wrapper: str, layer: Layer) -> Layer:
    """A layer inside a wrapper, without what the wrapper sets in it."""
    made = row_of(wrapper).sets
    if layer.settings is None or not made & set(layer.settings):
        return layer
    kept = {name: value for name, value in layer.settings.items() if name not in made}
    return replace(layer, settings=kept)


def usual(type_: str, name: str, other: Any) -> Any:
    """What a setting is where it goes without saying, the ``other`` model saying something."""
    if name == "axis":
        return -1
    known = row_of(type_).usual.get(name, _USUAL.get(name))
    return False if known is None and isinstance(other, bool) else known


def read_attributes(cls: type) -> frozenset[str] | None:
    """The attributes that are read of a built-in class; None if its configuration is."""
    names = _NAMES.get(cls, ())
    return None if names is None else frozenset(attribute for _, attribute in names)


_NAMES: dict[type, tuple[tuple[str, str], ...] | None] = {}


def _attribute_names(layer: Any) -> tuple[tuple[str, str], ...] | None:
    """The settings of a class and the attributes that hold them, None if some have none."""
    cls = type(layer)
    if cls not in _NAMES:
        _NAMES[cls] = _found_names(layer)
    return _NAMES[cls]


def _found_names(layer: Any) -> tuple[tuple[str, str], ...] | None:
    type_ = type(layer).__name__
    told = _told(type_)
    names = []
    for key, value in _config(layer).items():
        name = row_of(type_).renamed.get(key, key)
        if key == "dtype" or name in told or is_without_effect(type_, name, builtin=True):
            continue
        held = next(
            (attribute for attribute in (key, f"_{key}") if _holds(layer, attribute, value)), None
        )
        # One setting without an attribute of its own, and the whole class is asked for
        # configurations.
        if held is None:
            return None
        names.append((key, held))
    return (*names, *_told_where_set(layer, {*told, *(name for name, _ in names)}))


def _told_where_set(layer: Any, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Constructor arguments that a configuration holds only where they are not as usual."""
    # Constructors up to the base class, since a subclass hands its base what it does not name
    # itself.
    own, type_ = vars(layer), type(layer).__name__
    for base in type(layer).__mro__:
        if "__init__" not in vars(base) or base.__name__ == "Layer":
            continue
        for name in inspect.signature(vars(base)["__init__"]).parameters:
            if name in known or is_without_effect(type_, name, builtin=True) or name == "dtype":
                continue
            simple = isinstance(own.get(name, layer), (bool, int, float, str, type(None)))
            if simple:
                known = {*known, name}
                yield name, name
        if base.__module__.endswith("base_layer"):
            return


def _holds(layer: Any, attribute: str, value: Any) -> bool:
    """Whether an attribute is plain and holds what the configuration says."""
    held = vars(layer).get(attribute, layer)
    simple = isinstance(held, (bool, int, float, str, tuple, type(None)))
    # 1 == 1.0 == True, and they are not one setting.
    return simple and type(held) is type(value) and held == value


def _config(layer: Any) -> Mapping[str, Any]:
    """What a layer says of itself; of a user's, nothing, where it cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of functions that no configuration can hold
            config = layer.get_config()
    except Exception:  # noqa: BLE001  whatever a user's own raises
        return {}
    return config if isinstance(config, Mapping) else {}


def is_without_effect(type_: str, name: str, *, builtin: bool) -> bool:
    """Whether nothing that is computed or counted depends on a setting."""
    if name in _OF_ANY_LAYER or name.endswith(_ENDINGS):
        return True
    if type_ == "InputLayer" and builtin:
        return name in _OF_INPUTS
    if name == "function" and type_ != "Lambda":
        return builtin  # an operation of Keras 2: the layer is called after it
    if type_ == "Cast" and name == "dtype":
        return builtin  # the type of what it returns tells it
    return builtin and name in _OF_BUILT_IN


def _goes_without_saying(type_: str, name: str, value: Any, *, builtin: bool) -> bool:
    if name == "dtype":
        typed = builtin and row_of(type_).typed_by_output and value in _OUTPUT_TYPES
        return typed or value in (None, "float32")
    if not builtin:
        return value is None
    if name in _AXES:
        return False  # the last axis has two names; comparing knows the rank
    usual = row_of(type_).usual.get(name, _USUAL.get(name))
    if value is None:
        # No activation is the linear one, and no data_format that of the library.
        return usual in (None, ()) or name in ("activation", "data_format")
    if value is False:
        # A flag that is off goes without saying, unless it is usually on.
        return usual is not True
    # 1 is usual where True is not, though they are equal.
    return bool(value == usual) and isinstance(value, bool) == isinstance(usual, bool)


def _plain(value: Any) -> Any:
    """``value`` as what compares equal if it means the same."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if isinstance(value, (list, tuple, set)) or type(value).__name__ == "ListWrapper":
        items = tuple(_plain(item) for item in value)
        return items if len(items) <= MOST_NUMBERS else f"{len(items)} values {digest(items)}"
    array = value.numpy() if callable(getattr(value, "numpy", None)) else value
    if type(array).__module__ == "numpy" and hasattr(array, "tolist"):
        return _plain_array(array)
    if callable(getattr(value, "get_config", None)) and not isinstance(value, type):
        return _plain_object(value)
    if hasattr(value, "as_list"):
        return tuple(value.as_list())  # a shape of TensorFlow's
    if callable(value):
        return _function(value)
    return str(getattr(value, "name", f"own {type(value).__name__}"))


def digest(value: Any) -> str:
    """A few letters that tell values apart that are too many to show."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]


def _plain_array(array: Any) -> Any:
    if array.size > MOST_NUMBERS:
        digest = hashlib.sha256(array.tobytes()).hexdigest()[:8]
        return f"{array.dtype} {list(array.shape)} {digest}"
    return _plain(array.tolist())


def _plain_object(value: Any) -> Any:
    """An object that knows its configuration: a layer, a policy of data types."""
    name = type(value).__name__
    if "Policy" in name:
        return str(value.name)
    builtin = is_framework(type(value))
    return (name, *sorted(_settings(name, _config(value), (), builtin=builtin).items()))


def _plain_mapping(value: Mapping[str, Any]) -> Any:
    """What Keras serialized, or a dictionary of the user's."""
    name, config = value.get("class_name"), value.get("config")
    if not isinstance(name, str):
        return tuple(sorted(((str(key), _plain(item)) for key, item in value.items()), key=repr))
    # Forms of serialize_keras_object(): {"class_name": ..., "config": ...}.
    if name == "__tuple__":
        return _plain(value.get("items"))
    if name in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
        return _plain(config.get("value"))
    module = str(value.get("module") or "")
    own = not is_framework(module) if module else ">" in name
    if name == "function":
        shown = str(config).rpartition(">")[2]
        return f"own {shown}" if own else shown
    if name == "__lambda__":
        return "own <lambda>"
    if not isinstance(config, Mapping):
        config = {"layers": config} if isinstance(config, list) else {}
    if "Policy" in name:
        return _policy(config)
    name = name.rpartition(">")[2]
    if isinstance(config.get("layers"), (list, tuple)):
        return (name, *_plain_layers(config))
    return (name, *sorted(_settings(name, config, (), builtin=not own).items()))


def _policy(config: Mapping[str, Any]) -> str:
    if config.get("mode"):
        return f"{config['mode']}_from_{config.get('source_name')}"
    return str(config.get("name"))


def _plain_layers(config: Mapping[str, Any]) -> Iterator[Any]:
    """The layers of a model inside a layer; what each reads is given by place, not by name."""
    entries = [entry for entry in config["layers"] if isinstance(entry, Mapping)]
    places = {_name(entry): place for place, entry in enumerate(entries)}
    for entry in entries:
        read = tuple(_references(entry.get("inbound_nodes"), places))
        yield (_plain_mapping(entry), *read)
    for end in ("input_layers", "output_layers"):
        ends = tuple(_references(config.get(end), places))
        if ends:
            yield (end, *ends)


def _name(entry: Mapping[str, Any]) -> Any:
    config = entry.get("config")
    return entry.get("name") or (config.get("name") if isinstance(config, Mapping) else None)


def _references(tree: Any, places: Mapping[Any, int]) -> Iterator[Any]:
    """The layers that a call names, and the numbers that it is given, in order."""
    if isinstance(tree, Mapping):
        inner = tree.get("config")
        if tree.get("class_name") == "__keras_tensor__" and isinstance(inner, Mapping):
            tree = {"history": inner.get("keras_history")}
        for item in tree.values():
            yield from _references(item, places)
    elif isinstance(tree, (list, tuple)):
        # [layer, call, tensor, arguments]: the number of the call depends on what was built before.
        if len(tree) > 2 and isinstance(tree[0], str) and tree[0] in places:
            yield f"layer {places[tree[0]]}", tree[2]
            yield from _references(list(tree[3:]), places)
        else:
            for item in tree:
                yield from _references(item, places)
    elif isinstance(tree, (int, float, str)) and tree is not False:
        yield _plain(tree)


def _function(value: Any) -> str:
    if is_own_function(value):
        return str(value.__name__)
    return f"own {getattr(value, '__name__', type(value).__name__)}"


def _code(function: Any) -> str:
    """A digest of what a function of the user's does, empty where that cannot be told."""
    if is_own_function(function) or callable(getattr(function, "get_config", None)):
        return ""
    told = _doing(function, set())
    return digest(told) if told else ""


def _doing(value: Any, seen: set[int]) -> Any:
    """What a function does, and what it holds: numbers, arrays, other functions, objects."""
    if id(value) in seen:
        return ()
    # A copy, as what is met on one branch may be met again on another; only circles end.
    seen = {*seen, id(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple([_doing(item, seen) for item in value])
    if isinstance(value, Mapping):
        return tuple([(str(key), _doing(item, seen)) for key, item in value.items()])
    if isinstance(value, partial):
        return _doing((value.func, value.args, value.keywords), seen)
    code = getattr(value, "__code__", None)
    if code is not None and not is_own_function(value):
        cells = [_held(cell) for cell in getattr(value, "__closure__", None) or ()]
        held = (value.__defaults__, value.__kwdefaults__, cells)
        return (*_parts(code), *_doing(held, seen))
    if not callable(value) or isinstance(value, type) or hasattr(value, "get_config"):
        return _plain(value)
    called = getattr(type(value).__call__, "__code__", None)
    if called is None:
        return _plain(value)
    return (*_parts(called), _doing(vars(value) if hasattr(value, "__dict__") else (), seen))


def _held(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _parts(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)
        else:
            # The order of a set of texts differs from process to process.
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)
