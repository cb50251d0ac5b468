"""What a fixture's models are called: by the fixture and the parameters it depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Place:
    """``name`` is ``application[VGG16]``; ``where`` the file or folder that defines it."""

    name: str
    where: str


def place_of(item: pytest.Item, definition: pytest.FixtureDef[Any]) -> Place:
    """Where the models come from that ``definition`` returns for ``item``."""
    ids = _ids(item)
    used = [ids[name] for name in _needed(item, definition) if name in ids]
    name = definition.argname
    return Place(
        f"{name}[{'-'.join(used)}]" if used else name,
        definition.baseid or item.nodeid.partition("::")[0],
    )


def _needed(item: pytest.Item, definition: pytest.FixtureDef[Any]) -> Iterator[str]:
    """The names of a fixture and of all that it depends on, in the order of the parameters."""
    info = getattr(item, "_fixtureinfo", None)
    known = {} if info is None else info.name2fixturedefs
    found = {definition.argname}
    pending = list(definition.argnames)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [one for each in known.get(name, ()) for one in each.argnames]
    return (name for name in _ids(item) if name in found)


def _ids(item: pytest.Item) -> Mapping[str, str]:
    """The id of each parameter of a test."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return {}
    ids = [str(one) for one in callspec._idlist]
    if len(ids) == len(callspec.params):
        return dict(zip(callspec.params, ids, strict=True))
    # One id stands for several parameters, or for none.
    return {
        name: str(value) if isinstance(value, (str, int, float)) else f"{name}{number}"
        for (name, value), number in zip(
            callspec.params.items(), callspec.indices.values(), strict=True
        )
    }
