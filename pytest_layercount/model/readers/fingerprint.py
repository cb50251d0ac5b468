"""Whether a live model is still what it was: a number that changes when the model does."""

from __future__ import annotations

from typing import Any

ATOMS = (bool, int, float, str, bytes, tuple, type(None))


class Fingerprint:
    """The attributes of a model and of every layer in it, each as the object it is.

    A layer that was added, exchanged or configured otherwise changes it; weights
    that were trained do not. Numbers and the like are kept, lest a new one be
    taken for the old one whose place in memory it got; nothing that might hold
    the model itself is.
    """

    def __init__(self, model: Any) -> None:
        self._print = _print(model)
        self._kept = [
            value for part in _parts(model) for value in vars(part).values() if type(value) in ATOMS
        ]

    def fits(self, model: Any) -> bool:
        """Whether the model is as it was."""
        return _print(model) == self._print


def _print(model: Any) -> int:
    return hash(tuple([tuple(map(id, vars(part).values())) for part in _parts(model)]))


def _parts(model: Any) -> list[Any]:
    return [model, *model._flatten_layers(include_self=False)]
