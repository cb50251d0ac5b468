"""Every private name of Keras's that this package needs: what for, and in which versions.

At first use it is checked that all of them are there. No model is at hand then that has been
called, so names that instances have are looked for in the code of the classes: one that no
code of a class mentions any more, no instance has. Not listed are those that may be missing,
each with its reason where it is read.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from pytest_layercount.errors import ModelError
from pytest_layercount.model.layers.known import NEWEST

_OLDEST = {2: (2, 15), 3: (3, 3)}


class Private(NamedTuple):
    """Private names, each of which one of ``owners`` (modules, or classes in them) must have."""

    names: tuple[str, ...]
    use: str
    owners: tuple[str, ...]


def _private(names: str, use: str, *owners: str) -> Private:
    return Private(tuple(names.split()), use, owners)


_LAYER = "layers.layer:Layer"
_FUNCTIONAL = "models.functional:Functional"
_NODE = "ops.node:Node"

KERAS_3 = (
    # All from 3.3 to 3.15.
    _private("_nodes_by_depth", "the calls of a model, in order", _FUNCTIONAL),
    _private("_inputs_struct _outputs_struct _inputs", "what a model takes and gives", _FUNCTIONAL),
    _private("_convert_inputs_to_tensors", "following calls on symbolic inputs", _FUNCTIONAL),
    _private("_functional", "the graph of a Sequential", "models.sequential:Sequential"),
    _private("operation arguments outputs", "what a call was made with", _NODE),
    _private("_keras_history", "which layer gave a tensor", _NODE),
    _private("_flatten_layers", "the layers inside a layer", _LAYER),
    _private("_inbound_nodes _outbound_nodes", "taking back calls that were followed", _LAYER),
    _private("_trainable_variables _non_trainable_variables", "a layer's own variables", _LAYER),
    _private("_build_shapes_dict", "what a subclassed model was built with", _LAYER),
    _private("symbolic_call compute_output_spec", "calls whose output is known", _LAYER),
    # In 3.3 layers set it themselves, in 3.15 a module for masks does.
    _private("_keras_mask", "the mask of a tensor", _LAYER, "backend.common.masking"),
    _private("_output_shape", "copying a Lambda", "layers.core.lambda_layer:Lambda"),
    _private("quantization_mode lora_enabled", "weights to leave alone", "layers.core.dense:Dense"),
)

_LAYER = "engine.base_layer:Layer"
_FUNCTIONAL = "engine.functional:Functional"
_NODE = "engine.node:Node"

KERAS_2 = (
    # All from Keras 2.15 to tf_keras 2.21.
    _private("_nodes_by_depth", "the calls of a model, in order", _FUNCTIONAL),
    _private("_nested_inputs _nested_outputs", "what a model takes and gives", _FUNCTIONAL),
    _private("_graph_initialized", "the graph of a Sequential", "engine.sequential:Sequential"),
    _private("call_args call_kwargs layer outputs", "what a call was made with", _NODE),
    _private("_keras_history", "which layer gave a tensor", _NODE),
    _private("_flatten_layers", "the layers inside a layer", _LAYER),
    _private("_inbound_nodes _outbound_nodes", "taking back calls that were followed", _LAYER),
    _private("_trainable_weights _non_trainable_weights", "a layer's own variables", _LAYER),
    _private("_call_spec", "the arguments that a layer takes", _LAYER),
    _private("_name_scope _maybe_build", "calls whose output is known", _LAYER),
    _private("_set_save_spec _infer_output_signature", "calls whose output is known", _LAYER),
    _private("_keras_mask", "the mask of a tensor", _LAYER),
    _private("_dtype_policy", "the types that a layer computes in", _LAYER),
    _private("_activity_regularizer", "whether a call adds a loss", _LAYER),
    _private("_output_shape", "copying a Lambda", "layers.core.lambda_layer:Lambda"),
)


@lru_cache
def check(library: str, version: str, label: str) -> None:
    """Check that ``library``, a Keras of this version, has all private names that we need.

    Raises:
        ModelError: it is of no generation that is known, or misses a name.
    """
    major, minor = numbers(version)
    if major in _OLDEST:
        # A new version that has all names is taken, however new: only what is missing tells.
        missing = next(missing_of(library, KERAS_3 if major == 3 else KERAS_2), None)
        if missing is None:
            return
        lacks = f"it has no {missing.names[0]}, needed for {missing.use}"
    else:
        lacks = "it reads models of Keras 2 and 3"
    # A generation not known is measured by the nearest one: Keras 4 is too new, Keras 1 too old.
    nearest = major if major in _OLDEST else max(_OLDEST) if major > 3 else min(_OLDEST)
    oldest, newest = _OLDEST[nearest], NEWEST[nearest,]
    if (major, minor) < oldest:
        raise ModelError(
            f"{label} is older than this plugin knows: {lacks}; test with Keras "
            f"{_said(oldest)} or later"
        )
    kind = "newer" if (major, minor) > newest else "other"
    raise ModelError(
        f"{label} is {kind} than this plugin knows: {lacks}; upgrade pytest-layercount, or test "
        f"with Keras {_said(newest)}"
    )


def numbers(version: str) -> tuple[int, int]:
    """``(3, 15)`` of ``"3.15.1"``; Keras 2 where a version cannot be told."""
    major, minor, *_ = (*version.split("."), "0")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (2, 15)


def missing_of(library: str, needed: Iterable[Private]) -> Iterator[Private]:
    """The needed names that a Keras lacks, each as an entry of its own."""
    mentioned: dict[str, frozenset[str]] = {}
    for private in needed:
        for owner in private.owners:
            if owner not in mentioned:
                mentioned[owner] = frozenset(_names_in(_find(f"{library}.src.{owner}")))
        for name in private.names:
            if not any(name in mentioned[owner] for owner in private.owners):
                yield private._replace(names=(name,))


def _find(path: str) -> Any:
    """The module or class at a path, None if it has moved."""
    module, _, name = path.partition(":")
    try:
        owner = importlib.import_module(module)
    except ImportError:
        return None
    return getattr(owner, name, None) if name else owner


def _names_in(owner: Any) -> Iterator[str]:
    """The attributes of a class or module, and the names that its code mentions."""
    # A class has what its bases define; a module stands for itself. None, of what has moved, has no
    # names.
    scopes = getattr(owner, "__mro__", (owner,)) if owner is not None else ()
    for scope in scopes:
        yield from vars(scope)
        for member in list(vars(scope).values()):
            # Properties hold their code in fget and fset, class methods in __func__.
            for function in (member, getattr(member, "fget", None), getattr(member, "fset", None)):
                yield from _mentioned_by(getattr(function, "__func__", function))


def _mentioned_by(function: Any) -> Iterator[str]:
    function = function if isinstance(function, FunctionType) else None
    code: Any = function and getattr(inspect.unwrap(function), "__code__", None)
    pending = [code] if code else []
    while pending:
        code = pending.pop()
        yield from code.co_names
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                pending.append(constant)
            elif isinstance(constant, str) and constant.isidentifier():
                yield constant  # setattr(tensor, "_keras_mask", mask)


def _said(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
