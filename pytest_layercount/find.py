"""Finding the models among the values of a test's fixtures."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_layercount import messages
from pytest_layercount.failure import Failed
from pytest_layercount.measure import is_model


@dataclass(frozen=True)
class Found:
    """A model, and where it was found: ``detector`` or ``models['teacher']``."""

    place: str
    model: Any


def find_models(item: pytest.Item, fixture: str | None) -> list[Found]:
    """The models of ``fixture``, or of everything that ``item`` itself asks for.

    A fixture that is named may also return the path of a saved model.
    """
    values = _values(item, fixture)
    seen: set[int] = set()
    found = [model for name, value in values.items() for model in _search(name, value, seen)]
    if found:
        return found
    if fixture is not None and isinstance(values.get(fixture), (str, os.PathLike)):
        return [Found(fixture, values[fixture])]
    looked_at = {name: type(value).__name__ for name, value in values.items()}
    raise Failed(messages.marks.no_model(looked_at, fixture), pytrace=False)


def models_in(name: str, value: Any) -> list[Found]:
    """The models in ``value``, which the fixture ``name`` returned."""
    return list(_search(name, value, set()))


def _values(item: pytest.Item, fixture: str | None) -> dict[str, Any]:
    values: Mapping[str, Any] = getattr(item, "funcargs", {})
    if fixture is not None:
        return {fixture: values[fixture]} if fixture in values else {}
    # Not the fixtures that these need in turn: a detector's backbone is not judged.
    info = getattr(item, "_fixtureinfo", None)
    names = values if info is None else info.initialnames
    return {name: values[name] for name in names if name in values}


def _search(place: str, value: Any, seen: set[int]) -> Iterator[Found]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if is_model(value):
        yield Found(place, value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _search(f"{place}[{key!r}]", inner, seen)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _search(f"{place}[{index}]", inner, seen)
