"""What may be asked of a layer count, and the one place that judges it."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pytest_layercount import messages
from pytest_layercount.allowance import Allowance, percent
from pytest_layercount.checks.measures import MEASURES
from pytest_layercount.errors import LayercountError
from pytest_layercount.model.count import COUNTS, Count

if TYPE_CHECKING:
    from pytest_layercount.model.count import LayerCount

LIMITS = ("max", "min", "exactly", "types", *MEASURES, "max_growth")
"""The keywords that can fail a model; the others say what to count."""


class ArgumentError(LayercountError, ValueError):
    """Arguments that mean nothing, or contradict each other."""

    def __init__(self, arguments: Mapping[str, object], problem: str) -> None:
        super().__init__(problem)
        self.arguments = arguments
        self.problem = problem


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """The limits a model has to keep, and how its layers are counted."""

    max: int | None = None
    min: int | None = None
    exactly: int | None = None
    count: Count = "layers"
    folded: bool = False
    types: Mapping[str, int] | None = None
    max_parameters: int | None = None
    max_trainable: int | None = None
    max_bytes: int | None = None
    max_depth: int | None = None
    max_macs: int | None = None
    max_growth: Allowance | None = None

    @property
    def weighs(self) -> bool:
        """Whether any limit is on weights, so that all of them must be known."""
        return any(
            limit is not None for limit in (self.max_parameters, self.max_trainable, self.max_bytes)
        )

    def violations(self, measured: LayerCount) -> tuple[Violation, ...]:
        """The limits that ``measured`` does not keep, the most telling first.

        Raises:
            ArgumentError: a limit on a type that does not exist.
        """
        check_known(self.types or {}, {*measured.by_type, *measured.by_base}, measured.count)
        return tuple(self._violations(measured))

    def _violations(self, measured: LayerCount) -> Iterator[Violation]:
        total = measured.total
        if self.exactly is not None and total != self.exactly:
            yield Violation("exactly", total, self.exactly)
        if self.max is not None and total > self.max:
            yield Violation("max", total, self.max)
        if self.min is not None and total < self.min:
            yield Violation("min", total, self.min)
        for name, most in (self.types or {}).items():
            if measured.number_of(name) > most or measured.hidden_from(name):
                yield Violation("types", measured.number_of(name), most, name)
        for keyword, measure in MEASURES.items():
            limit, value = getattr(self, keyword), getattr(measured, measure.attribute)
            unknown = keyword == "max_macs" and bool(measured.uncounted)
            if limit is not None and (value > limit or unknown):
                yield Violation(keyword, value, limit)


@dataclass(frozen=True)
class Violation:
    """A limit that was not kept: the keyword that set it, and both numbers.

    A number within its limit was not kept where a part of the model is not known.
    """

    keyword: str
    value: int
    limit: int
    type: str = ""


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
        close = difflib.get_close_matches(name, known, n=1)
        problem = messages.arguments.unknown_argument(name, close, known)
        raise ArgumentError({name: value}, problem)


def from_text(text: str | int) -> str | int:
    """What was written in a file or on a command line, as a mark would have it."""
    return int(text) if str(text).isdecimal() else text


def criteria(arguments: Mapping[str, Any]) -> Criteria:
    """Criteria from checked ``arguments``, which must be able to fail a model."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if not limited(given):
        raise ArgumentError(given, messages.arguments.NO_LIMIT)
    low, high, exactly = given.get("min"), given.get("max"), given.get("exactly")
    if low is not None and high is not None and low > high:
        raise ArgumentError({"min": low, "max": high}, messages.arguments.MIN_ABOVE_MAX)
    if exactly is not None and (low is not None or high is not None):
        clash: dict[str, object] = {
            name: given[name] for name in ("exactly", "min", "max") if name in given
        }
        raise ArgumentError(clash, messages.arguments.EXACTLY_AND_BOUNDS)
    if given.get("folded") and given.get("count") == "top":
        raise ArgumentError({"folded": True, "count": "top"}, messages.arguments.FOLDED_AND_TOP)
    return Criteria(**given)


def limited(arguments: Mapping[str, object]) -> bool:
    """Whether one of ``arguments`` can fail a model."""
    return any(arguments.get(limit) is not None for limit in LIMITS)


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
            why = why_unlimited(name, count)
            problem = (
                messages.arguments.unlimited_type(name, why)
                if why
                else messages.arguments.unknown_type(name, closest(name, there))
            )
            raise ArgumentError({"types": given}, problem)


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


def _whole(value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise _BadValueError(messages.arguments.NOT_WHOLE)
    number = operator.index(value)
    if number < 0:
        raise _BadValueError(messages.arguments.NEGATIVE)
    return number


_SIZE = re.compile(r"(\d[\d_]*(?:\.\d+)?)([kKmMbBgG]?)")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}


def _size(value: object) -> int:
    if not isinstance(value, str):
        return _whole(value)
    match = _SIZE.fullmatch(value)
    if match is None:
        raise _BadValueError(messages.arguments.NOT_A_SIZE)
    number = Decimal(match[1].replace("_", "")) * _UNITS[match[2].lower()]
    if number != int(number):
        raise _BadValueError(messages.arguments.NOT_WHOLE)
    return int(number)


_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([kKMG]i?)?B")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3}


def _bytes(value: object) -> int:
    if not isinstance(value, str):
        return _whole(value)
    match = _MEMORY.fullmatch(value)
    if match is None:
        raise _BadValueError(messages.arguments.NOT_BYTES)
    prefix = match[2] or ""
    base = 1024 if prefix.endswith("i") else 1000
    number = Decimal(match[1]) * base ** _POWERS[prefix.removesuffix("i")]
    if number != int(number):
        raise _BadValueError(messages.arguments.NOT_WHOLE)
    return int(number)


def _growth(value: object) -> Allowance:
    if isinstance(value, Allowance):
        return value
    try:
        return percent(value) or Allowance(_size(value))
    except _BadValueError:
        raise _BadValueError(messages.arguments.NOT_A_GROWTH) from None


def _count(value: object) -> str:
    if not isinstance(value, str) or value not in COUNTS:
        raise _BadValueError(messages.arguments.unknown_count(COUNTS))
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _BadValueError(messages.arguments.NOT_A_FLAG)
    return value


def _types(value: object) -> dict[str, int]:
    if not isinstance(value, Mapping) or not value:
        raise _BadValueError(messages.arguments.NOT_TYPES)
    if not all(isinstance(name, str) for name in value):
        raise _BadValueError(messages.arguments.NOT_TYPES)
    return {name: _whole(most) for name, most in value.items()}


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _BadValueError(messages.arguments.NOT_TEXT)
    return value


CHECKS: Mapping[str, Callable[[object], Any]] = {
    "max": _whole,
    "min": _whole,
    "exactly": _whole,
    "count": _count,
    "folded": _flag,
    "types": _types,
    "max_parameters": _size,
    "max_trainable": _size,
    "max_bytes": _bytes,
    "max_depth": _whole,
    "max_macs": _size,
    "max_growth": _growth,
    "model": _text,
    "reason": _text,
}
