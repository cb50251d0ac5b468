"""Whether a copy holds what its original holds beside variables: constants, tables, functions.

A configuration may forget a constant, and an attribute may have been set after a layer was made.
Compared are the attributes of each part: of the user's own classes all that are not Keras's
bookkeeping, of Keras's classes the public ones. What cannot be compared, what a call leaves
behind and what no code of the class reads is no difference.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from itertools import zip_longest
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodType,
)
from typing import Any

import numpy as np

from pytest_layercount.model.keras.adapter import replaces_call
from pytest_layercount.model.keras.common import parts, variables_of
from pytest_layercount.model.keras.loose import attributes_of, closure, is_own_object, loose_layers
from pytest_layercount.model.keras.origin import is_framework, is_model, is_own
from pytest_layercount.model.keras.variables import array_of

_DEEP = 4
_MISSING = object()
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, np.ufunc, partial)
_TRAINING = ("initializer", "regularizer", "constraint")
_COUNTS = ("token_counts", "token_document_counts")  # of an adapt() that has ended
_TRACKED = "_self_tracked_trackables"  # of Keras 2, which sets it by that name on every layer
_NUMBERS = (int, float, np.ndarray, np.generic)
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def difference(old: Any, new: Any, changed: frozenset[str], loosely: bool) -> str | None:
    """The first attribute in which ``new``, a copy of ``old``, differs; None where none does.

    ``changed`` are attributes that a fold sets otherwise. A copy that computes in another type is
    compared ``loosely``: its constants are rounded otherwise.
    """
    here, there = (list(_layers(layer)) for layer in (old, new))
    # Before pairs are compared: with another number of parts, they are not of the same place.
    if len(here) != len(there):
        return f"it holds {len(there) - 1} layers, not {len(here) - 1}"
    # Parts are compared in the order in which Keras tracks them.
    compare = _Comparison(old, new, loosely)
    for source, target in zip(here, there, strict=True):
        unlike = compare.parts(source, target, changed)
        if unlike:
            return unlike if source is old else f"in its part {source.name!r}, {unlike}"
    return _untracked_difference(here, there)


def _untracked_difference(here: list[Any], there: list[Any]) -> str | None:
    """The first layer that Keras does not know as a part, if a copy has another in its place."""
    for layer, copy in zip_longest(_untracked(here), _untracked(there)):
        if layer is not copy and (layer is None or copy is None or not _same_weights(layer, copy)):
            name = (copy if layer is None else layer).name
            return f"it uses {name!r}, which Keras does not know as a part of it"
    return None


def _untracked(tracked: list[Any]) -> list[Any]:
    known = set(map(id, tracked))
    loose = [layer for part in tracked for layer in loose_layers(part, builtin=is_own(type(part)))]
    return [layer for layer in loose if id(layer) not in known]


def _same_weights(one: Any, other: Any) -> bool:
    ours, theirs = variables_of(one), variables_of(other)
    return len(ours) == len(theirs) and all(
        np.array_equal(array_of(a), array_of(b)) for a, b in zip(ours, theirs, strict=True)
    )


def is_function(value: Any) -> bool:
    """Whether ``value`` is a function, wherever it comes from."""
    return isinstance(value, _FUNCTIONS) or (callable(value) and is_own_object(value))


def same_function(one: Any, other: Any, depth: int = 0) -> bool:
    """Whether two functions are the same object, or were made by two layers from the same lines.

    Two that one decorator made have the same lines and close over other functions.
    """
    if isinstance(one, partial) and isinstance(other, partial):
        same = (one.args, one.keywords) == (other.args, other.keywords)
        return same and same_function(one.func, other.func, depth)
    if isinstance(one, MethodType) and isinstance(other, MethodType):
        return one.__func__ is other.__func__
    code = getattr(one, "__code__", None)
    if one is other or code is None:
        return one is other
    # A layer that defines a function in its constructor has one code object for all instances, and
    # what it closes over tells them apart.
    return code is getattr(other, "__code__", None) and all(
        _same_in_closure(mine, theirs, depth)
        for mine, theirs in zip(closure(one), closure(other), strict=False)
    )


def _same_in_closure(mine: Any, theirs: Any, depth: int) -> bool:
    if isinstance(mine, FunctionType) and isinstance(theirs, FunctionType) and depth < _DEEP:
        return same_function(mine, theirs, depth + 1)
    return not _is_constant(mine) or bool(mine == theirs)


def looks_at(function: Any, layer: Any) -> bool:
    """Whether a function knows a layer, so that no other layer may have it."""
    known = [function, *closure(function), *_held_by(function)]
    # Bound methods know their layer by __self__, closures by a cell.
    own = {id(layer), *map(id, parts(layer)), *map(id, variables_of(layer))}
    return any(id(getattr(value, "__self__", value)) in own for value in known)


def _held_by(value: Any) -> list[Any]:
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    return list((attributes_of(value) or {}).values()) if is_own_object(value) else []


class _Comparison:
    """Compares attributes of one layer and its copy."""

    def __init__(self, old: Any, new: Any, loosely: bool) -> None:
        self.loosely = loosely
        self.variables = {id(variable) for layer in (old, new) for variable in variables_of(layer)}
        self.names = {_name(a): _name(b) for a, b in zip(parts(old), parts(new), strict=False)}

    def parts(self, source: Any, target: Any, changed: frozenset[str]) -> str | None:
        """The first difference between two layers without those inside."""
        if _is_operation(source):
            return None
        if replaces_call(source):
            return "its call() was replaced on the instance, and a copy has that of its class"
        kind: Any = type(source)
        skipped = _bookkeeping(kind)
        for name, value in vars(source).items():
            if name in changed or name in skipped:
                continue
            if name.endswith(_TRAINING) and not isinstance(value, _NUMBERS):
                continue  # a mask may be called a constraint, but no number trains
            if not _counts(kind, name):
                continue
            # What the original has itself, a copy may have from its class.
            there = vars(target).get(name, getattr(type(target), name, _MISSING))
            if there is _MISSING:
                if self._is_data(value) and _reads(kind, name):
                    return f"it has no {name}, which is {_said(value)}"
            elif self.differ(value, there):
                return f"its {name} is {_said(there)}, not {_said(value)}"
        return None

    def differ(self, one: Any, other: Any, depth: int = 0) -> bool:
        """Whether both can be compared and are not the same."""
        if one is other or depth > _DEEP:
            return False
        # Tables before objects and mappings: a table has attributes too, but its words are what
        # counts.
        tables = _table(one), _table(other)
        if None not in tables:
            return tables[0] != tables[1]
        if is_own_object(one) and type(one) is type(other):
            one, other = attributes_of(one), attributes_of(other)
        elif is_function(one):
            return _is_data(other) and not same_function(one, other)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            return self._mappings(one, other, depth)
        if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
            return self._sequences(one, other, depth)
        if not (self._is_data(one) and self._is_data(other)):
            return False
        return not self._equal(one, other)

    def _mappings(self, one: Mapping[Any, Any], other: Mapping[Any, Any], depth: int) -> bool:
        # Of groups that hold variables or other things that cannot be compared, another size is no
        # difference.
        if one.keys() != other.keys():
            return self._is_data(one) and self._is_data(other)
        return any(self.differ(one[key], other[key], depth + 1) for key in one)

    def _sequences(self, one: Any, other: Any, depth: int) -> bool:
        if len(one) != len(other):
            return self._is_data(one) and self._is_data(other)
        return any(self.differ(a, b, depth + 1) for a, b in zip(one, other, strict=True))

    def _is_data(self, value: Any) -> bool:
        """Whether a value can be compared here: it is data, and no variable or group of variables.

        Variables are compared elsewhere. Lists of them may differ, as a fold may make a bias.
        """
        return _is_data(value) and not self._holds_variable(value)

    def _holds_variable(self, value: Any) -> bool:
        if isinstance(value, Mapping):
            return any(map(self._holds_variable, value.values()))
        if isinstance(value, (list, tuple, set, frozenset)):
            return any(map(self._holds_variable, value))
        return id(value) in self.variables

    def _equal(self, one: Any, other: Any) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            rounded = self.loosely and one in _FLOATS and other in _FLOATS
            return one == other or self.names.get(one) == other or rounded
        here, there = _array(one), _array(other)
        if here is None or there is None:  # an array is no text, and not nothing
            return here is there and bool(one == other)
        if here.shape != there.shape:
            return False
        if here.dtype.kind == there.dtype.kind == "f":  # a number set later is rounded in the copy
            coarser = min(here.dtype, there.dtype, key=lambda dtype: dtype.itemsize)
            here, there = here.astype(coarser), there.astype(coarser)
        if self.loosely and here.dtype.kind == there.dtype.kind == "f":
            # float16 rounds by up to 2 ** -11 of a number, which is 5e-4.
            return bool(np.allclose(here, there, rtol=1e-3, atol=1e-6, equal_nan=True))
        return bool(np.array_equal(here, there, equal_nan=here.dtype.kind in "fc"))


def _layers(layer: Any) -> Iterator[Any]:
    """A layer and those inside, without metrics, which are layers in Keras 2."""
    for part in parts(layer):
        if not any(base.__name__ == "Metric" for base in type(part).__mro__):
            yield part


def _name(part: Any) -> str:
    return str(part.name)


def _is_operation(layer: Any) -> bool:
    return type(layer).__module__.endswith("tf_op_layer")


def _is_constant(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes))


def _is_data(value: Any) -> bool:
    """Whether a value can be compared: numbers, texts, arrays, functions, and groups of them."""
    if _is_constant(value) or isinstance(value, np.generic):
        return True
    if isinstance(value, Mapping):
        return all(map(_is_data, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_data, value))
    return is_function(value) or _array(value) is not None


def _array(value: Any) -> Any:
    """The numbers of a value, None where it has none yet or no form of an array."""
    if isinstance(value, (np.ndarray, np.generic, int, float, complex)):
        return np.asarray(value)
    if hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "numpy"):
        try:
            return np.asarray(value.numpy())
        except Exception:  # noqa: BLE001  a symbolic tensor, each kind with an error of its own
            return None
    return None


def _table(value: Any) -> dict[Any, Any] | None:
    """What a lookup table of TensorFlow holds."""
    if not hasattr(value, "export") or not hasattr(value, "lookup"):
        return None
    keys, values = value.export() if int(value.size()) else ((), ())
    return dict(zip(np.asarray(keys).tolist(), np.asarray(values).tolist(), strict=True))


def _said(value: Any) -> str:
    if is_function(value):
        return f"the function {getattr(value, '__name__', type(value).__name__)}"
    array = _array(value)
    if array is not None and array.size > 4:
        return f"an array of shape {array.shape}"
    text = repr(value if array is None else array.tolist())
    return text if len(text) <= 60 else f"{text[:57]}..."


@lru_cache(maxsize=1024)
def _bookkeeping(cls: type) -> frozenset[str]:
    """The attributes of Keras's own bookkeeping, and those that a call sets."""
    bases = cls.__mro__
    root = next((n for n, base in enumerate(bases) if base.__name__ == "Layer"), 0)
    names = {"name", "built", "call", "_obj_reference_counts_dict", *_COUNTS}
    # Of Layer and what it derives from (root and beyond), and of Keras's models, all that is set is
    # bookkeeping; of the layer's own classes only what call() sets: results of the last call.
    for number, base in enumerate(bases):
        if number >= root or (is_model(base) and _is_framework(base)):
            names |= _stored(base)
        elif "call" in vars(base):
            names |= set(_stored_in(vars(base)["call"]))
    return frozenset(names)


@lru_cache(maxsize=4096)
def _counts(cls: type, name: str) -> bool:
    """Whether an attribute by its name may matter to what a layer of this class computes."""
    if not name.startswith("_"):
        return True
    if is_own(cls) or name == _TRACKED or name.startswith("__"):
        return False
    return not any(name in _stored(base) for base in cls.__mro__ if _is_framework(base))


@lru_cache(maxsize=4096)
def _reads(cls: type, name: str) -> bool:
    """Whether code of the class reads an attribute, by name or by a name that it computes.

    Never true of those that Keras itself sets: it notes more on layers loaded from a file.
    """
    if any(name in _stored(base) for base in cls.__mro__ if _is_framework(base)):
        return False
    for base in cls.__mro__:
        if base.__name__ == "Layer":
            break
        for code in _codes(base):
            if name in code.co_names:
                return True
            # A name may then be put together while the code runs.
            if not _is_framework(base) and {"getattr", "vars", "__dict__"} & set(code.co_names):
                return True
    return False


def _is_framework(cls: type) -> bool:
    return is_framework(cls) or cls is object


@lru_cache(maxsize=1024)
def _stored(cls: type) -> frozenset[str]:
    """The names of the attributes that the code of a class sets."""
    return frozenset(name for code in _codes(cls) for name in _stored_by(code))


def _codes(cls: type) -> Iterator[CodeType]:
    for value in vars(cls).values():
        for member in (value, getattr(value, "fget", None), getattr(value, "fset", None)):
            code = _code_of(getattr(member, "__func__", member))
            if code is not None:
                yield from _nested(code)


def _stored_in(function: Any) -> Iterator[str]:
    code = _code_of(function)
    for inner in _nested(code) if code is not None else ():
        yield from _stored_by(inner)


def _code_of(function: Any) -> CodeType | None:
    if not isinstance(function, FunctionType):
        return None
    code: CodeType | None = getattr(inspect.unwrap(function), "__code__", None)
    return code


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _stored_by(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_ATTR":
            yield str(instruction.argval)
