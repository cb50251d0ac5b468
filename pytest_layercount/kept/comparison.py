"""Records of one test suite beside each other: a row for each model, a column for each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_layercount.kept.differences import Finding, Pair, pair
from pytest_layercount.kept.expected import Expected, expected, split
from pytest_layercount.kept.record import ModelRecord, Record
from pytest_layercount.kept.record_file import OTHER_WAYS, RecordError, read_record

ABSENT = ModelRecord(problem="not in this record")


@dataclass(frozen=True)
class Cell:
    """A model in one record. ``pair`` compares it with the first that has the model."""

    record: ModelRecord
    pair: Pair | None = None
    unexpected: tuple[Finding, ...] = ()
    expected: tuple[tuple[Finding, Expected], ...] = ()


@dataclass(frozen=True)
class RecordComparison:
    """Records compared.

    ``columns`` are what the records are called, ``rows`` their models in each of them.
    ``stale`` are expectations that nothing met.
    """

    columns: tuple[str, ...]
    records: tuple[Record, ...]
    rows: Mapping[str, tuple[Cell, ...]]
    stale: tuple[Expected, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing differs but what was expected."""
        return not any(cell.unexpected for cells in self.rows.values() for cell in cells)


def compare_records(
    *records: Record | str | os.PathLike[str], expect: Iterable[Expected | str] = ()
) -> RecordComparison:
    """Compare two records or more, or the files that hold them.

    Each model is compared with its first record. ``expect`` are differences that may
    be, as ``"model: cause: reason"``.

    Raises:
        RecordError: a file is no record, or they cannot be compared.
        ExpectationError: text that is no expectation.
    """
    known = [one if isinstance(one, Expected) else expected(one) for one in expect]
    read = [one if isinstance(one, Record) else read_record(one) for one in records]
    _check(read)
    names = dict.fromkeys(name for record in read for name in record.models)
    rows = {name: _row(name, read, known) for name in sorted(names)}
    rows = {name: cells for name, cells in rows.items() if any(cell.record.graph for cell in cells)}
    if not rows:
        raise RecordError("the records hold no model: no fixture of the suite returned one")
    met = {one for cells in rows.values() for cell in cells for _, one in cell.expected}
    stale = tuple(one for one in known if one not in met)
    return RecordComparison(_columns(records, read), tuple(read), rows, stale)


def _check(records: Sequence[Record]) -> None:
    if len(records) < 2:
        raise RecordError("comparing takes two records or more")
    ways = {(record.seed, record.own_weights) for record in records}
    if len(ways) > 1:
        raise RecordError(OTHER_WAYS)


def _row(name: str, records: Sequence[Record], known: Sequence[Expected]) -> tuple[Cell, ...]:
    found = [record.models.get(name, ABSENT) for record in records]
    first = next((each for each in found if each.graph is not None), None)
    if first is None:
        return tuple(map(Cell, found))
    return tuple(_cell(name, first, each, known) for each in found)


def _cell(name: str, first: ModelRecord, each: ModelRecord, known: Sequence[Expected]) -> Cell:
    if each is first:
        return Cell(each)
    made = pair(first, each)
    unexpected, allowed = split(name, made.findings, known)
    return Cell(each, made, unexpected, allowed)


def _columns(
    given: Sequence[Record | str | os.PathLike[str]], records: Sequence[Record]
) -> tuple[str, ...]:
    """What tells the records apart: their versions, else their files."""
    labels = [record.label for record in records]
    if len(set(labels)) == len(labels):
        return tuple(labels)
    return tuple(
        label if isinstance(one, Record) else f"{Path(one).stem}: {label}"
        for one, label in zip(given, labels, strict=True)
    )
