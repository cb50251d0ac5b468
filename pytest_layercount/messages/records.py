"""Records: what differs between two, what is wrong with one, and the matrix of several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_layercount.text import cut, headline, number, page, short, some

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.compare.partition import Change
    from pytest_layercount.kept.differences import Finding, Gap, Pair
    from pytest_layercount.kept.expected import Expected

ABSENT = "not in this record"
NO_MODELS = "the records hold no model: no fixture of the suite returned one"
NOT_EXPECTED = "must be 'model: cause: reason', with a space after each colon"
NO_REASON = "must end with a reason: 'model: cause: reason'"
NOT_JSON = "it is not JSON"
OTHER_FILE = "it is JSON, but no record; pytest --layercount-record=FILE writes one"
OTHER_WAYS = (
    "the records were made in different ways, with another seed or with the models' own "
    "weights, so their outputs cannot be compared"
)
TOO_FEW = "comparing takes two records or more"

_LAYERS = 3
"""How many layers, and how many changes of one kind, are named at most."""


def unreadable(path: str | os.PathLike[str], why: str) -> str:
    """A file that is no record."""
    return f"{os.fspath(path)}: cannot be read as a record: {why}"


def damaged(error: Exception) -> str:
    """A record in which something is missing or wrong."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"it is damaged ({type(error).__name__}: {said[:60]}); record it again"


def other_version(path: str | os.PathLike[str], version: object, known: int) -> str:
    """A record in a format that came later, or never was."""
    return (
        f"{os.fspath(path)}: is a record of version {short(version)}, and this pytest-layercount "
        f"reads version {known}; update it, or record again"
    )


def cause(one: Cause) -> str:
    """A cause of another layer count."""
    named = some([path for path in one.before or one.after if path], _LAYERS)
    return f"{one.message} ({one.delta:+d}{': ' if named else ''}{named})"


def changed(one: Change) -> str:
    """A layer that both models have, configured or connected otherwise."""
    found = (
        f"{name} {short(before)} -> {short(after)}"
        for name, (before, after) in one.attributes.items()
    )
    return f"{one.after or one.before or one.type}: {', '.join(found)}"


def other_weights(before: int, after: int) -> str:
    """Weights of other shapes, in layers that look the same."""
    return f"the weights have other shapes: {before:,} -> {after:,} parameters"


def weight_order(place: int, owners: tuple[str, str], shapes: tuple[object, object]) -> str:
    """The same weights in another order."""
    one, two = (
        f"{shape} of {owner or 'the model'}" for owner, shape in zip(owners, shapes, strict=True)
    )
    return f"get_weights()[{place}] is {two}, was {one}: the weights stand in another order"


def other_shapes(before: object, after: object) -> str:
    """Outputs of other shapes."""
    return f"the outputs have the shapes {after}, they had {before}"


def apart(gap: Gap) -> str:
    """Outputs that are further apart than rounding explains."""
    return (
        f"outputs up to {gap.difference:.3g} apart, their largest being {gap.magnitude:.3g}; "
        f"float32 noise explains {gap.limit:.2g}"
    )


def differs(name: str, pair: Pair, unexpected: Sequence[Finding], file: str, label: str) -> str:
    """A model that is not what a record says."""
    return page(
        headline(name, fact(pair, unexpected)),
        f"compared with: {file}, {label}",
        *finding_lines(unexpected),
        "to accept, in the configuration file, a line for each:",
        "layercount_expected_differences =",
        *_accepting(name, unexpected),
    )


def again(name: str, test: str) -> str:
    """A model that another test has already failed for."""
    return f"{name}: differs from its record, as {test} says"


def fact(pair: Pair, findings: Sequence[Finding]) -> str:
    """What differs, in numbers."""
    before, after = (record.count("layers") for record in (pair.before, pair.after))
    codes = {finding.code for finding in findings}
    if codes == {"missing"}:
        return "cannot be built"
    if before != after:
        return f"{before} -> {after} layers ({after - before:+d})"
    if codes == {"values"}:
        return f"{before} layers each, other outputs"
    return f"{before} layers each, {number(len(findings), 'difference')}"


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """A line for each, those of one kind together."""
    kinds: dict[str, list[str]] = {}
    for finding in findings:
        kinds.setdefault(finding.code, []).append(f"{finding.code}: {finding.message}")
    return [f"   {line}" for lines in kinds.values() for line in cut(lines, _LAYERS, "   ")]


def _accepting(name: str, findings: Sequence[Finding]) -> list[str]:
    codes = dict.fromkeys(finding.code for finding in findings)
    return [f"    {name}: {code}: why" for code in codes]


def stale(one: Expected) -> str:
    """An expectation that nothing met."""
    return f"expected, but nothing differs so: {one}"


def recorded(file: str, label: str, models: int, problems: Sequence[str]) -> list[str]:
    """A record that was written."""
    lines = [f"recorded {number(models, 'model')} in {file} ({label})"]
    return [*lines, *cut([f"   {problem}" for problem in problems], 5, "   ")]


def nothing_recorded(file: str) -> str:
    """A run in which no fixture returned a model."""
    return f"no fixture returned a model, so {file} was not written"


def compared(file: str, compared: int, differ: int, expected: int) -> str:
    """How many models a run compared."""
    return (
        f"{number(compared, 'model')} compared with {file}: {compared - differ - expected} the "
        f"same, {expected} as expected, {differ} differ"
    )


def nothing_compared(file: str) -> str:
    """A run in which nothing was there to compare."""
    return f"no fixture returned a model that is in {file}, so nothing was compared"


def unseen(names: Sequence[str], where: str) -> str:
    """Models that only one of a run and its record has."""
    return f"only in {where}: {some(names, _LAYERS)}"


def not_set_up(error: BaseException) -> str:
    """A fixture that did not return."""
    said = (str(error).strip() or "nothing said").splitlines()[0]
    return f"{type(error).__name__}: {said}"


def not_recorded(error: Exception) -> str:
    """An error that nobody thought of."""
    return f"could not be recorded ({not_set_up(error)})"
