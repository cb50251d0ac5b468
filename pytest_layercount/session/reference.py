"""The record that a run is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pytest_layercount import messages
from pytest_layercount.errors import LayercountError
from pytest_layercount.kept.differences import Pair, pair
from pytest_layercount.kept.expected import Expected, expected, split
from pytest_layercount.kept.record import ModelRecord, Record
from pytest_layercount.kept.record_file import RecordError, read_record
from pytest_layercount.settings import Settings, settings


@dataclass(frozen=True)
class Verdict:
    """How a model compares: what is wrong with it, and which expectations it met."""

    failure: str
    met: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """A record, the file it is from, and what may differ from it."""

    file: str
    record: Record
    expected: tuple[Expected, ...]

    def judge(self, name: str, made: ModelRecord) -> Verdict | None:
        """Compare a model with its record, if it has one."""
        before = self.record.find(name, made.where)
        if before is None or before.graph is None:
            return None
        compared: Pair = pair(before, made)
        unexpected, allowed = split(name, compared.findings, self.expected)
        met = tuple(str(one) for _, one in allowed)
        if not unexpected:
            return Verdict("", met)
        label = self.record.label
        return Verdict(messages.records.differs(name, compared, unexpected, self.file, label), met)


_STASH = pytest.StashKey[Reference | None]()


def reference(config: pytest.Config) -> Reference | None:
    """The record that ``--layercount-against`` names, read once."""
    if _STASH not in config.stash:
        config.stash[_STASH] = _read(settings(config))
    return config.stash[_STASH]


def _read(asked: Settings) -> Reference | None:
    if asked.against is None:
        return None
    try:
        record = read_record(asked.against)
        if record.own_weights != (asked.weights == "own") or record.seed != 0:
            raise RecordError(f"{asked.against}: {messages.records.OTHER_WAYS}")
        return Reference(asked.against, record, tuple(map(expected, asked.expected_differences)))
    except LayercountError as error:
        raise pytest.UsageError(str(error)) from None
