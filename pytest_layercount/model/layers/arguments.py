"""Keyword arguments in the order of the parameters of a layer's own ``call``.

Rules and sizes ask which input comes first, and by keyword a user may give
``initial_state=`` before ``sequences=``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.attention import ATTENDED


def attended(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Query, value and key of a call of an attention layer, as far as they were passed."""
    named = {**kwargs, **dict(zip(ATTENDED, args, strict=False))}
    return [named[name] for name in ATTENDED if named.get(name) is not None]


def flag_of(training: Any) -> bool | None:
    """The ``training=`` of a call as Python reads it: ``1`` and ``np.True_`` are True."""
    try:
        return None if training is None else bool(training)
    except TypeError:  # a symbolic tensor, which may be true
        return True


def in_call_order(layer: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a call of a live layer."""
    if len(kwargs) < 2:
        return dict(kwargs)
    try:
        names = inspect.signature(layer.call).parameters
    except (TypeError, ValueError):  # a call that is not written in Python
        return dict(kwargs)
    return _in_order(kwargs, names)


def in_known_order(type_: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a call of a layer of Keras's own, known by its type alone."""
    return _in_order(kwargs, row_of(type_).arguments)


def _in_order(kwargs: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Arguments in ``names`` first, in that order; the others as they come."""
    places = {name: place for place, name in enumerate(names)}
    ordered = sorted(kwargs, key=lambda name: places.get(name, len(places)))
    return {name: kwargs[name] for name in ordered}
