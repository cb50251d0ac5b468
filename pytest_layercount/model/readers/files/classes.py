"""What a class named in a configuration is: Keras's own or not, a layer or an operation."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_layercount.model.keras.adapter import canonical_operation, snake
from pytest_layercount.model.keras.origin import imported, is_own
from pytest_layercount.model.layers import KNOWN, row_of
from pytest_layercount.model.layers.known import is_known_layer, is_raw_operation
from pytest_layercount.model.readers.files.calls import Malformed
from pytest_layercount.model.readers.files.saved_layer import SavedLayer

_KERAS2_OPERATIONS = (
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "SlicingOpLambda",
    "TFOpLambda",
)
# Aliases of Keras's classes, and names that they once had.
_OTHER_NAMES = {
    "GroupQueryAttention": "GroupedQueryAttention",
    "Model": "Functional",
    **{f"Convolution{n}D": f"Conv{n}D" for n in (1, 2, 3)},
    **{f"Convolution{n}DTranspose": f"Conv{n}DTranspose" for n in (1, 2, 3)},
    **{f"SeparableConvolution{n}D": f"SeparableConv{n}D" for n in (1, 2)},
    **{
        f"{scope}{short}Pool{n}D": f"{scope}{long}Pooling{n}D"
        for scope in ("", "Global")
        for short, long in (("Avg", "Average"), ("Max", "Max"))
        for n in (1, 2, 3)
    },
}

# Modules of Keras's whose objects stand in configurations of layers and are none.
_NO_LAYERS = ("constraints", "dtype_policies", "initializers", "regularizers")


class Class(NamedTuple):
    """``operation`` and ``counted`` as in ``Layer`` and ``model.layers``."""

    name: str
    builtin: bool
    counted: bool = True
    operation: str | None = None


def class_of(entry: Mapping[str, Any], generation: int, version: tuple[int, ...] = ()) -> Class:
    """What the class of ``entry`` is, in a file that ``version`` of Keras wrote."""
    name, config = entry.get("class_name"), entry.get("config")
    package, _, name = name.rpartition(">") if isinstance(name, str) else ("", "", name)
    if not isinstance(name, str) or not name or "/" in name:  # packages may have a slash
        raise Malformed(f"a layer has the class {str(name)[:40]!r}")
    name = _OTHER_NAMES.get(name, name)
    if package == "Custom" and name == "CustomScaleLayer":
        package = ""  # InceptionResNetV2's own, registered like a user's
    settings = config if isinstance(config, Mapping) else {}
    builtin, raw = _origin(entry, package, name, settings, version)
    if raw and generation == 3:
        return Class(name, builtin, False, canonical_operation(snake(name)))
    if builtin and generation == 2 and name in _KERAS2_OPERATIONS:
        symbol = str(settings.get("function") or name)
        return Class(name, True, True, canonical_operation(symbol.rpartition(".")[2]))
    return Class(name, builtin)


def _origin(
    entry: Mapping[str, Any],
    package: str,
    name: str,
    settings: Mapping[str, Any],
    version: tuple[int, ...],
) -> tuple[bool, bool]:
    """Whether a class is Keras's own, and whether it is an operation of Keras 3 and no layer.

    The module decides. Where none is noted, as in HDF5, names and settings do.
    """
    if "module" not in entry:
        if not package and is_raw_operation(name, settings):
            return True, True
        return not package and is_known_layer(name, settings, version), False
    builtin = is_own(str(entry["module"]))
    if builtin:
        return True, ".ops." in f"{entry['module']}."
    # A layer of the user's own may leave out what all layers write, but Keras notes its shapes.
    return False, "build_config" not in entry and not {"trainable", "dtype"} & set(settings)


def loaded_class(entry: Mapping[str, Any]) -> type | None:
    """The class of ``entry``, where it is registered with a Keras or its module is imported."""
    # Looked up, never imported: importing would run what a file asks for.
    name = str(entry.get("registered_name") or entry.get("class_name"))
    for library in imported():
        look_up = getattr(getattr(library, "saving", None), "get_registered_object", None)
        known = look_up(name) if look_up else None
        if isinstance(known, type):
            return known
    module = sys.modules.get(str(entry.get("module")))
    known = getattr(module, str(entry.get("class_name")), None)
    return known if isinstance(known, type) else None


def describes_layer(entry: Any, generation: int) -> bool:
    """Whether a part of a configuration describes a layer, and not an initializer or the like."""
    if not isinstance(entry, Mapping):
        return False
    name, config, module = (entry.get(key) for key in ("class_name", "config", "module"))
    if not isinstance(name, str) or not name:
        return False
    if isinstance(config, list):
        return bool(name == "Sequential")
    if not isinstance(config, Mapping) or "/" in name.rpartition(">")[2]:
        return False
    own = class_of(entry, generation)
    # A class of the user's may be anything; layers write "trainable", models their "layers".
    if not own.builtin:
        return "trainable" in config or "layers" in config
    if isinstance(module, str):
        return (
            own.counted
            and (own.name in KNOWN or ".layers" in module)
            and not any(f".{other}" in module for other in _NO_LAYERS)
        )
    return own.counted and bool(config.keys() & {"layers", "name", "trainable"})


def nested_layers(tree: Any, generation: int) -> Iterator[Mapping[str, Any]]:
    """The parts of a configuration that describe layers, not those inside them."""
    if describes_layer(tree, generation):
        yield tree
        return
    parts = tree.values() if isinstance(tree, Mapping) else tree
    if isinstance(tree, (Mapping, list)):
        for part in parts:
            yield from nested_layers(part, generation)


def default_training(layer: SavedLayer) -> bool | None:
    """The flag that Keras 3 notes for a layer of a Sequential model: its call's default."""
    if not layer.builtin or layer.generation == 2:
        return None
    return row_of(layer.type).training
