"""The models among the values of fixtures: where they come from, and which tests use them.

pytest tells plugins the values of a test's fixtures, and little of how they came about. What
is missing is read from private attributes, here and nowhere else. They are read without
a default, because a renamed one would make checks that judge nothing pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_layercount.failure import Failed
from pytest_layercount.text import page


@dataclass(frozen=True)
class FixtureModel:
    """A model, and where it was found: ``detector`` or ``models['teacher']``."""

    place: str
    model: Any


@dataclass(frozen=True)
class Place:
    """What a fixture's models are called: by the fixture and the parameters it depends on.

    ``name`` is ``application[VGG16]``; ``where`` the file or folder that defines it.
    """

    name: str
    where: str


def find_models(item: pytest.Item, fixture: str | None) -> list[FixtureModel]:
    """The models of ``fixture``, or of everything that ``item`` itself asks for.

    A fixture that is named may also return the path of a saved model.
    """
    values = _values(item, fixture)
    seen: set[int] = set()
    models = [model for name, value in values.items() for model in _search(name, value, seen)]
    if models:
        return models
    if fixture is not None and isinstance(values.get(fixture), (str, os.PathLike)):
        return [FixtureModel(fixture, values[fixture])]
    # Fixtures that other plugins add to every test are called ``_so``.
    looked_at = {
        name: type(value).__name__
        for name, value in values.items()
        if not name.startswith("_") or name == fixture
    }
    raise Failed(no_model(looked_at, fixture), pytrace=False)


def no_model(looked_at: Mapping[str, str], fixture: str | None) -> str:
    """A mark that has nothing to measure."""
    if fixture is not None:
        kind = looked_at.get(fixture, "not set up")
        return page(
            "layercount: found no model to judge",
            f"the fixture {fixture!r} that model= names gives no Keras model: {kind}",
            "give it one: return a model, the path of a saved one, or a list or dict of models",
        )
    seen = ", ".join(f"{name} ({kind})" for name, kind in looked_at.items()) or "none"
    return page(
        "layercount: found no model to judge",
        f"the fixtures that the test asks for: {seen}",
        "a mark judges what fixtures return: ask for one that returns a Keras model,",
        'or name it: @pytest.mark.layercount(model="name", ...)',
        "a model that the test makes itself is judged in its body, with the fixture",
        "assert_layer_count: assert_layer_count(model, max=...)",
    )


def models_in(name: str, value: Any) -> list[FixtureModel]:
    """The models in ``value``, which the fixture ``name`` returned."""
    return list(_search(name, value, set()))


def origin_of(item: pytest.Item, identity: int) -> Place | None:
    """Where the model with this ``id()`` comes from; None if no fixture of ``item`` gave it."""
    for definition in used_fixtures(item):
        value = item.funcargs.get(definition.argname) if isinstance(item, pytest.Function) else None
        for candidate in models_in(definition.argname, value):
            if id(candidate.model) == identity:
                return place_of(item, definition, candidate)
    return None


def _values(item: pytest.Item, fixture: str | None) -> dict[str, Any]:
    values: Mapping[str, Any] = getattr(item, "funcargs", {})
    if fixture is not None:
        return {fixture: values[fixture]} if fixture in values else {}
    # Not the fixtures that these need in turn: a detector's backbone is not judged.
    return {name: values[name] for name in _asked_for(item) if name in values}


def _search(place: str, value: Any, seen: set[int]) -> Iterator[FixtureModel]:
    if id(value) in seen:
        return
    seen.add(id(value))
    from pytest_layercount.model.readers import is_model

    if is_model(value):
        yield FixtureModel(place, value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _search(f"{place}[{key!r}]", inner, seen)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _search(f"{place}[{index}]", inner, seen)


def place_of(
    item: pytest.Item, definition: pytest.FixtureDef[Any], model: FixtureModel | None = None
) -> Place:
    """Where a model comes from, or all, that ``definition`` returns for ``item``."""
    ids = _ids(item)
    used = [ids[name] for name in _needed(item, definition) if name in ids]
    name = definition.argname
    # A value that ``parametrize`` gives is a fixture of pytest's own, defined nowhere.
    direct = definition.func.__module__.startswith("_pytest.")
    where = item.nodeid.partition("::")[0] if direct else definition.baseid or "."
    inside = model.place.removeprefix(name) if model else ""
    return Place((f"{name}[{'-'.join(used)}]" if used else name) + inside, where)


def _needed(item: pytest.Item, definition: pytest.FixtureDef[Any]) -> Iterator[str]:
    """The names of a fixture and of all that it depends on, in the order of the parameters."""
    known = _definitions(item)
    names = {definition.argname}
    pending = list(definition.argnames)
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending += [argument for other in known.get(name, ()) for argument in other.argnames]
    return (name for name in _ids(item) if name in names)


def _ids(item: pytest.Item) -> Mapping[str, str]:
    """The id of each parameter of a test."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return {}
    # ``callspec.id`` is one text for all parameters.
    ids = [str(text) for text in callspec._idlist]
    if len(ids) == len(callspec.params):
        return dict(zip(callspec.params, ids, strict=True))
    # One id stands for several parameters, or for none.
    return {
        name: str(value) if isinstance(value, (str, int, float)) else f"{name}{number}"
        for (name, value), number in zip(
            callspec.params.items(), callspec.indices.values(), strict=True
        )
    }


# What pytest does not tell. Items that are no functions, as those of doctests and of other
# plugins, have none of it.


def _asked_for(item: pytest.Item) -> Sequence[str]:
    """The fixtures that a test itself asks for; ``item.fixturenames`` has what these need, too."""
    if not isinstance(item, pytest.Function):
        return list(getattr(item, "funcargs", {}))
    names: Sequence[str] = item._fixtureinfo.initialnames
    return names


def _definitions(item: pytest.Item) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]]:
    """The fixtures that a test sees, by their names."""
    return item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}


def used_fixtures(item: pytest.Item) -> list[pytest.FixtureDef[Any]]:
    """The fixtures that are set up for a test so far, also those that its body asked for."""
    if not isinstance(item, pytest.Function):
        return []
    return list(item._request._fixture_defs.values())


def test_of(request: pytest.FixtureRequest) -> pytest.Item:
    """The test that a fixture is set up for; ``request.node`` may be its class or module."""
    item: pytest.Item = request._pyfuncitem
    return item
