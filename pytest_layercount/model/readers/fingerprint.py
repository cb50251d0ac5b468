"""Whether a live model is still what it was: a number that changes when the model does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from pytest_layercount.model.keras.common import parts, spellings
from pytest_layercount.model.keras.origin import is_model, is_own
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.plain_settings import read_attributes

ATOMS = (bool, int, float, str, bytes, tuple, type(None))
_READ_OF_ALL = frozenset(
    ("built", "dtype_policy", "lora_enabled", "name", "quantization_mode", "trainable")
)


class Fingerprint:
    """What a reader looks at in a model and in every layer of it, each as the object it is.

    A layer that was added, exchanged or configured otherwise changes it; weights
    that were trained do not. Numbers and the like are kept, lest a new one be
    taken for the old one whose place in memory it got; nothing that might hold
    the model itself is.
    """

    def __init__(self, model: Any) -> None:
        parts = _parts(model)
        self._looks = [_look(part) for part in parts]
        self._print = self._now(parts)
        self._kept = [
            value
            for look, part in zip(self._looks, parts, strict=True)
            for value in look(vars(part))
            if type(value) in ATOMS
        ]

    def fits(self, model: Any) -> bool:
        """Whether the model is as it was."""
        parts = _parts(model)
        try:
            return len(parts) == len(self._looks) and self._now(parts) == self._print
        except KeyError:  # an attribute is gone
            return False

    def _now(self, parts: list[Any]) -> int:
        kept = [vars(part) for part in parts]
        seen = chain.from_iterable([look(own) for look, own in zip(self._looks, kept, strict=True)])
        return hash((*map(id, parts), *map(len, kept), *map(id, seen)))


def _look(part: Any) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """How to get what matters among the attributes: all, in a model or what is the user's."""
    own: dict[str, Any] = vars(part)
    cls: Any = type(part)
    kinds: Iterator[Any] = map(type, own.values())
    read = _read_of(cls)
    names = [name for name, kind in zip(own, kinds, strict=True) if name in read or _is_array(kind)]
    return itemgetter(*(names if read and len(names) > 1 else own))


@lru_cache
def _read_of(cls: Any) -> frozenset[str]:
    """The attributes that are read of a built-in layer, also by their private names."""
    others = read_attributes(cls)
    if others is None or not is_own(cls) or is_model(cls):
        return frozenset()
    read = {*_READ_OF_ALL, *row_of(cls.__name__).attributes, *others}
    return frozenset(spelling for name in read for spelling in spellings(name))


@lru_cache
def _is_array(cls: Any) -> bool:
    return hasattr(cls, "shape") and hasattr(cls, "dtype")


def _parts(model: Any) -> list[Any]:
    return list(parts(model))
