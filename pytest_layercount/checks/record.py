"""A model against the record of an earlier run: which differences were expected, and the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_layercount.kept.differences import Finding, Pair, pair
from pytest_layercount.kept.expected import Expected, expected, split
from pytest_layercount.kept.record import ModelRecord, Record
from pytest_layercount.kept.record_file import OTHER_WAYS, RecordError, read_record
from pytest_layercount.text import cut, headline, number, page

_LAYERS = 3
"""How many differences of one kind are named at most."""


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
        compared = pair(before, made)
        unexpected, allowed = split(name, compared.findings, self.expected)
        met = tuple(str(one) for _, one in allowed)
        failure = failure_text(name, compared, unexpected, self) if unexpected else ""
        return Verdict(failure, met)


def read_reference(file: str, expectations: Sequence[str], *, own_weights: bool) -> Reference:
    """The record in ``file``, made with the models' ``own_weights`` or as all others are.

    Raises:
        LayercountError: it cannot be read or compared with, or an expectation is none.
    """
    record = read_record(file)
    if record.own_weights != own_weights or record.seed != 0:
        raise RecordError(f"{file}: {OTHER_WAYS}")
    return Reference(file, record, tuple(map(expected, expectations)))


def failure_text(
    name: str, compared: Pair, unexpected: Sequence[Finding], reference: Reference
) -> str:
    """A model that is not what a record says."""
    codes = dict.fromkeys(finding.code for finding in unexpected)
    return page(
        headline(name, fact(compared, unexpected)),
        f"compared with: {reference.file}, {reference.record.label}",
        *finding_lines(unexpected),
        "to accept, in the configuration file, a line for each:",
        "layercount_expected_differences =",
        *(f"    {name}: {code}: why" for code in codes),
    )


def fact(compared: Pair, findings: Sequence[Finding]) -> str:
    """What differs, in numbers."""
    before, after = (record.count("layers") for record in (compared.before, compared.after))
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


def stale(expectation: Expected) -> str:
    """An expectation that nothing met."""
    return f"expected, but nothing differs so: {expectation}"
