"""Which differences between two models were expected."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_layercount import messages
from pytest_layercount.criteria import ArgumentError
from pytest_layercount.model.count import COUNTS

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.compare.partition import Change


@dataclass(frozen=True)
class Difference:
    """What differs between two models, less what was to be ignored."""

    explanation: Explanation
    causes: tuple[Cause, ...]
    changed: tuple[Change, ...]
    ignored: tuple[Cause, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is left that differs."""
        return not (self.causes or self.changed)


def difference(explanation: Explanation, ignore: Sequence[str]) -> Difference:
    """Judge an explanation, ignoring the causes with the codes in ``ignore``."""
    return Difference(
        explanation,
        causes=tuple(cause for cause in explanation.causes if cause.code not in ignore),
        changed=() if "changed" in ignore else explanation.changed,
        ignored=tuple(cause for cause in explanation.causes if cause.code in ignore),
    )


def check_codes(ignore: object) -> tuple[str, ...]:
    """``ignore`` as a tuple of codes of causes."""
    from pytest_layercount.compare.causes import CODES

    if isinstance(ignore, str) or not isinstance(ignore, Sequence):
        raise ArgumentError({"ignore": ignore}, messages.arguments.NOT_CODES)
    for code in ignore:
        if code not in CODES:
            close = difflib.get_close_matches(str(code), CODES, n=1)
            raise ArgumentError(
                {"ignore": ignore}, messages.arguments.unknown_code(code, close, CODES)
            )
    return tuple(ignore)


def check_count(count: object) -> None:
    """Refuse a way to count that does not exist."""
    if count not in COUNTS:
        raise ArgumentError({"count": count}, messages.arguments.unknown_count(COUNTS))
