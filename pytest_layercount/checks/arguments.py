"""The arguments of marks, fixtures and settings: how they are written, and what is wrong.

A number may be written ``5M``, ``20MB`` or ``5%``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pytest_layercount.errors import LayercountError
from pytest_layercount.measures import MEASURES
from pytest_layercount.model.count import COUNTS, Count
from pytest_layercount.text import instead, short


class ArgumentError(LayercountError, ValueError):
    """Arguments that mean nothing, or contradict each other."""

    # Where users import it from, and not where it may move to.
    __module__ = "pytest_layercount"

    def __init__(self, arguments: Mapping[str, object], problem: str) -> None:
        super().__init__(problem)
        self.arguments = arguments
        self.problem = problem

    def of(self, function: str) -> ArgumentError:
        """The same, said of ``function``: ``layercount(max=-1): must not be negative``."""
        given = ", ".join(
            f"{name}={short(value)}" if name else short(value)
            for name, value in self.arguments.items()
        )
        return ArgumentError(self.arguments, f"{function}({given}): {self.problem}")


@dataclass(frozen=True)
class Allowance:
    """Units or percent of what a number was."""

    units: int = 0
    percent: Decimal | None = None

    def of(self, before: int) -> int:
        """How much ``before`` may grow."""
        return self.units if self.percent is None else int(before * self.percent / 100)

    def __str__(self) -> str:
        return str(self.units) if self.percent is None else f"{self.percent.normalize():f}%"


NOTHING = Allowance()
"""No growth at all."""


def checked(arguments: Mapping[str, object]) -> dict[str, Any]:
    """``arguments`` normalised one by one; ``None`` stands for "not given"."""
    return {
        name: None if value is None else _check(name, value) for name, value in arguments.items()
    }


def check_keyword(name: str, value: object, known: Collection[str]) -> None:
    """Refuse a keyword that is not ``known``, with a suggestion.

    Raises:
        ArgumentError: there is no such keyword.
    """
    if name not in known:
        problem = f"unknown argument {name!r}{instead(name, known)}"
        raise ArgumentError({name: value}, problem)


def from_text(text: str | int) -> str | int:
    """What was written in a file or on a command line, as a mark would have it."""
    return int(text) if str(text).isdecimal() else text


def check_known(
    types: Mapping[str, int] | Sequence[str], there: Collection[str], count: Count = "layers"
) -> None:
    """Refuse layer types that are neither ``there``, in a model, nor classes that can be.

    Raises:
        ArgumentError: no class of Keras's or of the user's is called so, or no layer counts as it.
    """
    for name in types:
        if name in there:
            continue
        from pytest_layercount.model.keras.types import closest, is_type, why_unlimited

        if not is_type(name, count):
            given = {name: types[name]} if isinstance(types, Mapping) else (name,)
            problem = f"there is no layer type {name!r}"
            if why := why_unlimited(name, count):
                problem = f"{_UNLIMITED[why].format(name)}; name the types of layers that you mean"
            elif close := closest(name, there):
                problem += f"; did you mean {close!r}?"
            else:
                problem += ": no class of Keras or of yours is called so"
            raise ArgumentError({"types": given}, problem)


_UNLIMITED = {
    "every": "every layer is of the class {!r}",
    "model": "{!r} is a class of models, which are opened and do not count themselves "
    "but with count='top'",
    "base": "no layer counts as a {!r}, which is a class inside Keras",
}
"""Why no layer counts as a class, by what :func:`why_unlimited` says of it."""


def percent(value: object) -> Allowance | None:
    """The allowance that text like ``"2.5%"`` gives, None for anything else."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return Allowance(percent=Decimal(match[1])) if match else None


def guess_keyword(value: object) -> str:
    """The keyword that a lone positional ``value`` was most likely meant for."""
    if isinstance(value, Mapping):
        return "types"
    if isinstance(value, str):
        if value in COUNTS:
            return "count"
        if percent(value):
            return "max_growth"
        if _MEMORY.fullmatch(value):
            return "max_bytes"
        return "max_parameters" if _SIZE.fullmatch(value) else "model"
    return "max"


def _check(name: str, value: object) -> Any:
    try:
        return CHECKS[name](value)
    except _BadValueError as error:
        raise ArgumentError({name: value}, str(error)) from None


class _BadValueError(Exception):
    pass


_NOT_WHOLE = "must be a whole number"


def _whole(value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise _BadValueError(_NOT_WHOLE)
    number = operator.index(value)
    if number < 0:
        raise _BadValueError("must not be negative")
    return number


_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_SIZE = re.compile(r"(\d[\d_]*(?:\.\d+)?)([kKmMbBgG]?)")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}


def _size(value: object) -> int:
    if not isinstance(value, str):
        return _whole(value)
    match = _SIZE.fullmatch(value)
    if match is None:
        raise _BadValueError(
            "must be a whole number like 5_000_000, or text like '300k', '5M', '1.2B'"
        )
    number = Decimal(match[1].replace("_", "")) * _UNITS[match[2].lower()]
    if number != int(number):
        raise _BadValueError(_NOT_WHOLE)
    return int(number)


_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([kKMG]i?)?B")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3}


def _bytes(value: object) -> int:
    if not isinstance(value, str):
        return _whole(value)
    match = _MEMORY.fullmatch(value)
    if match is None:
        raise _BadValueError(
            "must be a whole number of bytes, or text like '500kB', '20MB', '1.5GiB'"
        )
    prefix = match[2] or ""
    base = 1024 if prefix.endswith("i") else 1000
    number = Decimal(match[1]) * base ** _POWERS[prefix.removesuffix("i")]
    if number != int(number):
        raise _BadValueError(_NOT_WHOLE)
    return int(number)


def _growth(value: object) -> Allowance:
    if isinstance(value, Allowance):
        return value
    try:
        return percent(value) or Allowance(_size(value))
    except _BadValueError:
        raise _BadValueError(
            "must be a whole number that is not negative, or text like '5%'"
        ) from None


def _count(value: object) -> str:
    if not isinstance(value, str) or value not in COUNTS:
        raise _BadValueError(f"must be one of {', '.join(map(repr, COUNTS))}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _BadValueError("must be True or False")
    return value


_NOT_TYPES = "must map layer types to their maximum, like {'BatchNormalization': 0}"


def _types(value: object) -> dict[str, int]:
    if not isinstance(value, Mapping) or not value:
        raise _BadValueError(_NOT_TYPES)
    if not all(isinstance(name, str) for name in value):
        raise _BadValueError(_NOT_TYPES)
    return {name: _whole(most) for name, most in value.items()}


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _BadValueError("must be text that is not empty")
    return value


_READERS: Mapping[str, Callable[[object], int]] = {"whole": _whole, "size": _size, "bytes": _bytes}
"""What makes a number of what was written for a measure."""

CHECKS: Mapping[str, Callable[[object], Any]] = {
    "max": _whole,
    "min": _whole,
    "exactly": _whole,
    "count": _count,
    "folded": _flag,
    "types": _types,
    **{keyword: _READERS[measure.read] for keyword, measure in MEASURES.items()},
    "max_growth": _growth,
    "model": _text,
    "reason": _text,
}
