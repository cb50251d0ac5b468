"""Find what a saved model would run when Keras loads it, beyond the layers it is made of.

Keras stores a lambda as Python's bytecode, and a function as the name of a module and of
what to take from it. Safe mode refuses the first in ``.keras`` files only: in HDF5 files
and SavedModels Keras 2 runs it. Before version 3.9 nothing refuses the second. So the
configuration is searched before any Keras sees the file.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.files import NOT_REGULAR
from pytest_layercount.model.keras.load import KERAS_METADATA
from pytest_layercount.model.readers.files import container, keras_metadata

_KIND = "_type"
"""How the settings end in which Keras 2 says that it stores bytecode: ``function_type`` ..."""

_COMPILED = ("compile_config", "training_config")
"""What a model was trained with. It is loaded uncompiled, so this is not."""

_VOCABULARIES = ("vocabulary", "vocabulary_file")

_CODE = ord("c")  # what marshal begins a code object with, a flag of it left out
# "c", then three numbers of four bytes, which count the arguments of the function.
_HEADER = 13
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")

_CALLED_OPERATIONS = frozenset({"ClassMethod", "InstanceMethod", "InstanceProperty", "TFOpLambda"})
_REACHES_OUT = re.compile(
    r"(^|\.)((config|data|datasets|distribute|gfile|raw_ops|saved_model|saving|summary|utils)\.|"
    r"(load|save|write|read_|matching_files|py_func|numpy_function|get_file|enable_|TFRecord))"
)
"""Functions of libraries that read, write or load what they are told to."""

_LIBRARIES = ("keras", "numpy", "tensorflow", "tf_keras")


def check_stored_code(path: Path, trusted: bool) -> None:
    """Refuse what would run or never end, before any Keras sees the file at ``path``.

    Raises:
        ModelError: what is in it runs and is not ``trusted``, never ends, or cannot be read.
    """
    pickled = container.pickled_weights(path)
    configs: list[Any] = []
    if (path / KERAS_METADATA).exists():
        configs += keras_metadata.configurations(path)
    # A folder may be both, and Keras decides which it loads: all that there is is looked at.
    if not configs or (path / container.CONFIG).exists():
        configs += container.configurations(path)
    held = pickled or next(filter(None, map(stored_code, configs)), None)
    if held and not trusted:
        raise ModelError(
            f"{path}: {held}, which runs when the model is loaded: if you trust the file, say "
            "trust_stored_code=True (layercount --trust-stored-code, pytest "
            "--layercount-trust-stored-code)"
        )
    read = next(filter(None, map(endless_file, configs)), None)
    if read:
        raise ModelError(f"{path}: {read}, which is {NOT_REGULAR}, so the model is not loaded")


def stored_code(config: Any) -> str | None:
    """What a configuration would run, as ``"layer 'scale' holds a Python lambda"``."""
    if isinstance(config, Mapping):
        # Only at the top: deeper, a layer of the user's may have a setting of this name.
        config = {key: item for key, item in config.items() if key not in _COMPILED}
    return next(_code_in(config, "the model"), None)


def endless_file(config: Any) -> str | None:
    """What a layer would read that may never end, as ``"layer 'words' reads the file /dev/zero"``.

    Layers that look words up may have the path of a file for their vocabulary.
    """
    return next(_endless_in(config, "the model"), None)


def _endless_in(tree: Any, owner: str) -> Iterator[str]:
    if isinstance(tree, Mapping):
        owner = _owner(tree, owner)
        for key, item in tree.items():
            if key in _VOCABULARIES and isinstance(item, str) and _is_endless(item):
                yield f"{owner} reads the file {item}"
            yield from _endless_in(item, owner)
    elif isinstance(tree, list):
        for item in tree:
            yield from _endless_in(item, owner)


def _is_endless(path: str) -> bool:
    """Whether there is something at ``path`` that is no file: a pipe, a device, a folder."""
    try:
        return Path(path).exists() and not Path(path).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _owner(entry: Mapping[str, Any], outer: str) -> str:
    """How messages call ``entry``: as a layer with its name, else as ``outer``, what it is in."""
    inner = entry.get("config")
    name = inner.get("name") if isinstance(inner, Mapping) else entry.get("name")
    return f"layer {name!r}" if "class_name" in entry and isinstance(name, str) else outer


def _code_in(tree: Any, owner: str) -> Iterator[str]:
    if isinstance(tree, str) and _is_bytecode(tree):
        yield f"{owner} holds the bytecode of a Python function"
    elif isinstance(tree, Mapping):
        owner = _owner(tree, owner)
        reason = _run_by(tree, tree.get("config"))
        if reason:
            yield f"{owner} {reason}"
        for item in tree.values():
            yield from _code_in(item, owner)
    elif isinstance(tree, list):
        for item in tree:
            yield from _code_in(item, owner)


def _run_by(entry: Mapping[str, Any], inner: Any) -> str:
    """What Keras would run for one entry of a configuration, without the entries inside."""
    kinds = _names(entry, "class_name", "registered_name")
    module = str(entry.get("module") or "")
    if "__lambda__" in kinds or any(
        entry[key] == "lambda" for key in entry if str(key).endswith(_KIND)
    ):
        return "holds a Python lambda"
    if "TFSMLayer" in kinds:
        return "runs a SavedModel that lies elsewhere"
    # A function is an entry whose class is "function" and whose config is its name.
    functions = _names(entry, "config", "registered_name") if "function" in kinds else kinds
    if any(_is_foreign(module, name, function="function" in kinds) for name in functions):
        return f"calls {module}.{functions[0]}"
    # Only what is called in a graph has "inbound_nodes".
    if "inbound_nodes" in entry and _is_function(module, kinds):
        return f"calls {module}.{functions[0]} in the place of a layer"
    if isinstance(inner, Mapping) and set(kinds) & _CALLED_OPERATIONS:
        called = str(inner.get("function") or inner.get("cls_symbol") or "")
        if _REACHES_OUT.search(called):
            return f"calls tensorflow.{called}"
    return ""


def _names(entry: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """What an entry says under ``keys``, packages left out.

    Keras looks for the second where it does not find the first.
    """
    names = (entry.get(key) for key in keys)
    return tuple(name.rpartition(">")[2] for name in names if isinstance(name, str))


def _is_foreign(module: str, name: str, *, function: bool) -> bool:
    """Whether a name is neither the user's own nor something that models are made of.

    Keras says ``builtins`` of functions that it finds by their name among registered ones.
    It takes a function for a class as well, so modules of the system hold no class of a layer.
    """
    root = module.partition(".")[0]
    if root == "builtins":
        return hasattr(builtins, name)
    if function and root in _LIBRARIES:
        return bool(_REACHES_OUT.search(f"{module}.{name}"))
    return root in sys.stdlib_module_names


def _is_function(module: str, names: tuple[str, ...]) -> bool:
    """Whether a function stands in the place of a layer: Keras calls it at once.

    With arguments that the file gives: no layer of a model that was saved is one.
    """
    if "function" in names or "applications" in module.split("."):
        return True
    # Classes have capitals; a class of the user's that has none is known if it is loaded.
    if not (module and names and names[0][:1].islower()):
        return False
    return not isinstance(getattr(sys.modules.get(module), names[0], None), type)


def _is_bytecode(text: str) -> bool:
    """Whether ``text`` is a code object as Keras stores it: marshalled, in base64.

    A code object begins with numbers of four bytes that are small in any function. What
    is not base64, Keras passes over.
    """
    # Keras decodes without strictness, which drops all other letters: so does this.
    text = _NOT_BASE64.sub("", text)
    try:
        start = base64.b64decode(text[: 4 * _HEADER], validate=False)[:_HEADER]
    except (binascii.Error, ValueError):
        return False
    # 0x80 marks an object that others refer to: marshal sets it or not.
    if len(start) < _HEADER or start[0] & 0x7F != _CODE:
        return False
    # Little-endian, and below 256: three of the four bytes are zero.
    return all(start[place + 1 : place + 4] == bytes(3) for place in range(1, _HEADER, 4))
