"""Baselines: what grew, what is missing, what is damaged, and what was written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_layercount.checks.measures import BY_METRIC, NOUNS
from pytest_layercount.checks.structure import differences
from pytest_layercount.text import cut, headline, note_lines, number, page, size

if TYPE_CHECKING:
    from pytest_layercount.baselines.growth import BaselineComparison, Growth

NOT_A_LINE = "is not the call of a layer as a baseline has it"
NO_OUTPUTS = "the file ends without its last line, outputs(...)"
AFTER_OUTPUTS = "stands after outputs(...), which must be last"
ABOVE_THE_FIRST = "reads from above the first line"
EMPTY_LINE = "must be empty: the numbers end here and the layers begin"
NOT_A_NUMBER = "must give a whole number"


def not_a_baseline(title: str) -> str:
    """A file that begins as no baseline does."""
    return f"a baseline begins with {title!r}"


def not_a_kind(known: Collection[str]) -> str:
    """A kind of model that there is not."""
    return f"must be one of {', '.join(known)}"


def must_say(key: str) -> str:
    """A key that is missing or in the wrong place."""
    return f"must say '{key}: ...'"


def does_not_add_up(name: str, counted: int) -> str:
    """A number that the lines below it do not bear out."""
    return f"says another number of {name} than the lines below, which make {counted}"


NOT_TEXT = "is not UTF-8 text"


def damaged(file: str, line: int, problem: str) -> str:
    """A baseline that cannot be understood, and how to get another."""
    return f"{file}:{line}: damaged baseline: {problem}; restore it, or accept the model as it is"


def cannot_read(file: str, why: str) -> str:
    """A baseline that is there and may not be read."""
    return f"cannot read the baseline {file}: {why}"


def cannot_write(file: str, why: str) -> str:
    """A baseline that could not be written."""
    return f"cannot write the baseline {file}: {why}"


def claimed_twice(name: str) -> str:
    """One test that calls two models the same."""
    return f"this test already has a baseline {name!r}: give each model a name, with name="


def no_model(file: str, problem: str, command: str) -> str:
    """A baseline whose lines can be read and mean nothing."""
    return page(
        f"{file}: damaged baseline: its layers make no model ({problem})",
        f"to accept the model as it is: {command}",
    )


def of_another(file: str, name: str) -> str:
    """A file that was copied or renamed."""
    return f"{file} is the baseline {name!r}: a copy, or renamed by hand"


def judged_otherwise(file: str, before: str, now: str, command: str) -> str:
    """A baseline that was recorded before folding, or after, and is now the other."""
    return page(
        f"{file} is a baseline of {before}, and the test judges {now}",
        f"to accept: {command}",
    )


def missing(model: str, layers: int, file: str, text: str, command: str) -> str:
    """No baseline yet: what would be written, and the command that writes it."""
    would = [line for line in text.splitlines() if not line.startswith("#")][1:]
    shown = [f"    {line}".rstrip() for line in cut(would, 18)]
    return page(
        headline(model, f"no baseline yet, has {number(layers, 'layer')}"),
        f"would be written to {file}:",
        *shown,
        f"to write it: {command}",
    )


@dataclass(frozen=True)
class Where:
    """The model compared, the file of its baseline, how to accept, and what may grow."""

    model: str
    file: str
    command: str
    allowed: str


def grown(found: BaselineComparison, where: Where, note: str | None = None) -> str:
    """A model that differs from its baseline more than it may."""
    before, after = found.before, found.after
    over = [growth for growth in found.growths if not growth.kept]
    facts = [_fact(growth) for growth in over] or [_difference(found)]
    return page(
        headline(where.model, facts[0]),
        *(f"and {fact}" for fact in facts[1:]),
        *_allowed(over, where.allowed),
        f"first: the baseline {where.file}, {before.graph.keras}",
        f"second: the model as it is, {after.graph.keras}",
        *differences(found.causes, found.explanation.changed),
        *([] if before.whole else [PARTIAL]),
        *note_lines(note),
        f"to accept: {where.command}",
    )


PARTIAL = "the baseline is of an old format that does not show every setting, as one of now does"


def partial(files: Sequence[str], command: str) -> str:
    """Baselines that do not show all of what is compared now."""
    return page(
        f"{number(len(files), 'baseline')} of an old format, in which other settings go unseen:",
        *cut([f"    {file}" for file in files], 10, indent="    "),
        f"to record the models as they are: {command}",
    )


def drifted(files: Sequence[str], command: str) -> str:
    """Baselines whose models differ from them as much as they may."""
    return page(
        f"{number(len(files), 'baseline')} whose model differs within what is allowed:",
        *cut([f"    {file}" for file in files], 10, indent="    "),
        f"to record the models as they are: {command}",
    )


def unused(files: Sequence[str], *, strict: bool) -> str:
    """Baselines without a test, which fail a strict run."""
    return page(
        f"{number(len(files), 'baseline')} that no test uses, to be deleted:",
        *cut([f"    {file}" for file in files], 10, indent="    "),
        *(["they fail the run: layercount_strict_baselines is set"] if strict else []),
    )


def wrote(files: Sequence[str]) -> str:
    """What an update wrote."""
    return page(
        f"wrote {number(len(files), 'baseline')}:",
        *cut([f"    {file}" for file in files], 10, indent="    "),
    )


def clash(file: str, names: Mapping[str, str]) -> str:
    """Tests that mean the same file."""
    tests = cut([f"    {test}" for test in names], 4, indent="    ")
    if len(set(names.values())) > 1:
        why = f"the names {' and '.join(map(repr, sorted(set(names.values()))))} need one file"
    else:
        why = f"they claim the one name {next(iter(names.values()))!r}"
    return page(f"{file}: not written, {why}:", *tests, "give each its own with name=")


def _fact(growth: Growth) -> str:
    sign = "+" if growth.delta >= 0 else "-"
    before, after, delta = (
        _written(growth.metric, value) for value in (growth.before, growth.after, abs(growth.delta))
    )
    return f"{before} -> {after} {_noun(growth.metric)} ({sign}{delta})"


def _written(metric: str, value: int) -> str:
    measure = BY_METRIC.get(metric)
    return size(value) if measure is None else measure.written(value)


def _noun(metric: str, value: int = 2) -> str:
    """``layers``; ``layer`` where there is one."""
    measure = BY_METRIC.get(metric)
    noun = NOUNS[metric] if measure is None else measure.noun
    return noun.removesuffix("s") if value == 1 and metric not in ("depth", "bytes") else noun


def _difference(found: BaselineComparison) -> str:
    before, after = found.explanation.before.total, found.explanation.after.total
    delta = sum(cause.delta for cause in found.causes)
    if delta:
        return f"{before} -> {after} layers ({delta:+d})"
    differ = len(found.causes) + len(found.explanation.changed)
    return f"{after} layers, {number(differ, 'difference')}"


def _allowed(over: Sequence[Growth], allowed: str) -> list[str]:
    if not over:
        return []
    most = ", ".join(
        f"{_written(growth.metric, growth.allowed)} {_noun(growth.metric, growth.allowed)}"
        for growth in over
    )
    return [f"allowed: {allowed} more, {most}" if "%" in allowed else f"allowed: {most} more"]
