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
from typing import Any

_KINDS = ("function_type", "output_shape_type", "mask_type")
"""Where the Lambda layer of Keras 2 says that it stores bytecode."""

_COMPILED = ("compile_config", "training_config")
"""What a model was trained with. It is loaded uncompiled, so this is not."""

_CODE = ord("c")  # what marshal begins a code object with, a flag of it left out
_HEADER = 13

_CALLED_OPERATIONS = ("TFOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")
_REACHES_OUT = re.compile(
    r"(^|\.)((gfile|saved_model|config|data|distribute|utils|saving|summary)\.|"
    r"(load|save|write|read_|matching_files|py_func|numpy_function|get_file|enable_|TFRecord))"
)
"""Functions of libraries that read, write or load what they are told to."""


def stored_code(config: Any) -> str | None:
    """What a configuration would run, as ``"layer 'scale' holds a Python lambda"``."""
    if isinstance(config, Mapping):
        config = {key: item for key, item in config.items() if key not in _COMPILED}
    return next(_code_in(config, "the model"), None)


def _code_in(tree: Any, owner: str) -> Iterator[str]:
    if isinstance(tree, str) and _is_bytecode(tree):
        yield f"{owner} holds the bytecode of a Python function"
    elif isinstance(tree, Mapping):
        inner = tree.get("config")
        if (
            "class_name" in tree
            and isinstance(inner, Mapping)
            and isinstance(inner.get("name"), str)
        ):
            owner = f"layer {inner['name']!r}"
        found = _run_by(tree, inner)
        if found:
            yield f"{owner} {found}"
        for item in tree.values():
            yield from _code_in(item, owner)
    elif isinstance(tree, list):
        for item in tree:
            yield from _code_in(item, owner)


def _run_by(entry: Mapping[str, Any], inner: Any) -> str:
    """What Keras would run for one entry of a configuration, the entries in it left out."""
    kind, module = entry.get("class_name"), entry.get("module")
    if kind == "__lambda__" or any(entry.get(name) == "lambda" for name in _KINDS):
        return "holds a Python lambda"
    if kind == "TFSMLayer":
        return "runs a SavedModel that lies elsewhere"
    if kind == "function" and isinstance(inner, str) and _is_foreign(str(module or ""), inner):
        return f"calls {module}.{inner}"
    if kind in _CALLED_OPERATIONS and isinstance(inner, Mapping):
        called = str(inner.get("function", ""))
        if _REACHES_OUT.search(called):
            return f"calls tensorflow.{called}"
    return ""


def _is_foreign(module: str, name: str) -> bool:
    """Whether a function is neither the user's own nor one of those that models are made of.

    Keras says ``builtins`` of functions that it finds by their name among registered ones.
    """
    root = module.partition(".")[0]
    if root == "builtins":
        return hasattr(builtins, name)
    return root in sys.stdlib_module_names or bool(_REACHES_OUT.search(f"{module}.{name}"))


def _is_bytecode(text: str) -> bool:
    """Whether ``text`` is a code object as Keras stores it: marshalled, in base64.

    A code object begins with numbers of four bytes that are small in any function.
    """
    try:
        start = base64.b64decode(text[: 4 * _HEADER], validate=False)[:_HEADER]
    except (binascii.Error, ValueError):
        return False
    if len(start) < _HEADER or start[0] & 0x7F != _CODE:
        return False
    return all(start[place + 1 : place + 4] == bytes(3) for place in range(1, _HEADER, 4))
