"""Every sentence a user reads, as functions from facts to text.

How they are laid out, and how long they may be, is :mod:`pytest_layercount.layout`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_layercount.layout import cut, headline, note_lines, page, short, size

if TYPE_CHECKING:
    from pytest_layercount.compare.causes import Cause
    from pytest_layercount.compare.partition import Change
    from pytest_layercount.criteria import Violation
    from pytest_layercount.foldable import Foldability
    from pytest_layercount.folding.equivalence import FoldCheck
    from pytest_layercount.folding.result import Refusal
    from pytest_layercount.model.count import LayerCount
    from pytest_layercount.structure import Difference

TYPES = 8
"""How many rows a table of layer types has at most."""

REASONS = 3
"""How many reasons a failure explains at most."""

CAUSES = 6
"""How many causes of a difference a failure lists at most."""

NOUNS = {"layers": "layers", "nodes": "nodes", "top": "top-level layers"}


# The marker


def marker_help() -> str:
    """What ``pytest --markers`` says."""
    return (
        "layercount(*, max=, min=, exactly=, count='layers', folded=False, types=, "
        "max_parameters=, model=, reason=): fail the test before its body runs unless the "
        "models among its fixture values keep these limits. count is 'layers', 'nodes' or "
        "'top'; types maps layer types to their maximum; max_parameters takes 5_000_000 or "
        "'5M'; model names the fixture to judge."
    )


def no_model(looked_at: Mapping[str, str], fixture: str | None) -> str:
    """A mark that has nothing to measure."""
    if fixture is not None:
        kind = looked_at.get(fixture, "not set up")
        return page(
            "layercount: found no model to judge",
            f"the fixture {fixture!r} that model= names gives no Keras model: {kind}",
            "give it one: return a model, the path of a saved one, or a list or dict of models",
        )
    seen = ", ".join(f"{name} ({kind})" for name, kind in looked_at.items()) or "no fixtures"
    return page(
        "layercount: found no model to judge",
        f"looked at the fixtures that the test asks for: {seen}",
        "give it one: request a fixture that returns a Keras model,",
        'or name a fixture that does: @pytest.mark.layercount(model="name", ...)',
    )


def unknown_fixture(fixture: str) -> str:
    """``model=`` names a fixture that this test cannot see."""
    return (
        f"layercount(model={fixture!r}): no fixture of this name here; "
        "`pytest --fixtures` lists those there are"
    )


# Arguments


def bad_arguments(function: str, arguments: Mapping[str, object], problem: str) -> str:
    """``layercount(max=-1): must not be negative``."""
    given = ", ".join(
        f"{name}={short(value)}" if name else short(value) for name, value in arguments.items()
    )
    return f"{function}({given}): {problem}"


def located(sentence: str, file: str, line: int | None, name: str) -> str:
    """``sentence``, and below it where to go; ``line`` counts from zero."""
    place = file if line is None else f"{file}:{line + 1}"
    return f"{sentence}\n{place}: {name}" if name else f"{sentence}\n{place}"


def bad_marks(sentences: Sequence[str]) -> str:
    """All that is wrong with the marks of a file or class."""
    return page(*cut(sentences, 10))


def unknown_argument(name: str, close: Sequence[str], known: Collection[str]) -> str:
    """A keyword that does not exist."""
    if close:
        return f"unknown argument {name!r}; did you mean {close[0]!r}?"
    return f"unknown argument {name!r}; there are {', '.join(known)}"


def positional(keyword: str, value: object) -> str:
    """An argument without its keyword."""
    return f"takes keywords only; did you mean {keyword}={short(value)}?"


def unknown_count(known: Sequence[str]) -> str:
    """A way to count that does not exist."""
    return f"must be one of {', '.join(map(repr, known))}"


def unknown_code(code: object, close: Sequence[str], known: Sequence[str]) -> str:
    """A cause to ignore that does not exist."""
    if close:
        return f"there is no cause {short(code)}; did you mean {close[0]!r}?"
    return f"there is no cause {short(code)}; there are {', '.join(known)}"


NO_LIMIT = "sets no limit; give max, min, exactly, types or max_parameters"
MIN_ABOVE_MAX = "min is greater than max, so no model can pass"
EXACTLY_AND_BOUNDS = "exactly already is both bounds; drop min and max"
FOLDED_AND_TOP = "a folded model is counted opened; use count='layers' or 'nodes'"
NOT_WHOLE = "must be a whole number"
NEGATIVE = "must not be negative"
NOT_A_SIZE = "must be a whole number like 5_000_000, or text like '300k', '5M', '1.2B'"
NOT_A_FLAG = "must be True or False"
NOT_TEXT = "must be text that is not empty"
NOT_TYPES = "must map layer types to their maximum, like {'BatchNormalization': 0}"
NOT_TYPE_NAMES = "must be a list or tuple of layer types, like ('BatchNormalization',)"
NOT_CODES = "must be a list or tuple of the codes of causes, like ('batch-norms-folded',)"
NOT_EXCEPTIONS = "must map layer paths to reasons, like {'stem/bn': 'read by the debugger'}"

FOLDS_NOW = "folds now; remove the exception"


# Reading a model


def install_tensorflow(model: object) -> str:
    """TensorFlow is needed and not there."""
    return (
        f"reading {short(model)} needs TensorFlow, which is not installed: "
        'pip install "pytest-layercount[tensorflow]"'
    )


# Counting


def layer_count(
    measured: LayerCount,
    violations: Sequence[Violation],
    *,
    folded: bool = False,
    place: str | None = None,
    note: str | None = None,
) -> str:
    """A model that does not keep its limits."""
    first, *others = (_fact(violation, measured, folded) for violation in violations)
    where = f" from {place}" if place else ""
    noun = NOUNS[measured.count] + (" after folding" if folded else "")
    return page(
        headline(measured.model, first),
        *(f"and {fact}" for fact in cut(others, 4)),
        f"counted: {noun} of {measured.model}{where}, {measured.keras}",
        *_by_type(measured),
        *note_lines(note),
        *_hint(measured, violations, folded),
        f"to accept: {', '.join(_accept(violations))}",
    )


def joined(texts: Sequence[str]) -> str:
    """The first text whole, and the first line of each other one."""
    first, *others = texts
    lines = [text.partition("\n")[0] for text in others]
    return page(first, *(f"also: {line}" for line in cut(lines, 4)))


def _fact(violation: Violation, measured: LayerCount, folded: bool) -> str:
    value, limit = violation.value, violation.limit
    if violation.keyword == "max_parameters":
        return f"{size(value)} params > max {size(limit)} ({size(value - limit, sign='+')})"
    noun = violation.type or NOUNS[measured.count]
    relation = {"min": "< min", "exactly": "!= exactly"}.get(violation.keyword, "> max")
    return f"{value} {'folded ' * folded}{noun} {relation} {limit} ({value - limit:+d})"


def _by_type(measured: LayerCount) -> list[str]:
    rows = list(measured.by_type.items())
    shown, rest = (rows, []) if len(rows) <= TYPES else (rows[: TYPES - 1], rows[TYPES - 1 :])
    if rest:
        shown = [*shown, (f"of {len(rest)} other types", sum(number for _, number in rest))]
    return [f"{number:6d} {name}" for name, number in shown]


def _hint(measured: LayerCount, violations: Sequence[Violation], folded: bool) -> list[str]:
    over = any(violation.keyword in ("max", "types") for violation in violations)
    if over and not folded and "BatchNormalization" in measured.by_type:
        return ["to judge what is left after folding batch normalizations: folded=True"]
    return []


def _accept(violations: Sequence[Violation]) -> list[str]:
    plain = {item.keyword: item.value for item in violations if not item.type}
    types = {item.type: item.value for item in violations if item.type}
    shown = [f"{keyword}={value}" for keyword, value in plain.items()]
    return [*shown, f"types={types}"] if types else shown


# Folding


def foldable(name: str, found: Foldability, types: Sequence[str], note: str | None = None) -> str:
    """Layers that stay where they should fold, or exceptions that are stale."""
    if not found.judged:
        return _nothing_to_judge(name, types, note)
    staying = [*(refusal.layer for refusal in found.staying), *found.unexplained]
    if not staying:
        one = len(found.stale) == 1
        fact = "1 stale exception" if one else f"{len(found.stale)} stale exceptions"
        return page(headline(name, fact), *_stale(found.stale), *note_lines(note))
    return page(
        headline(name, f"{len(staying)} of {found.judged} {_kind(types)} stay"),
        *_reasons(found.staying),
        *(f"not known to the plan: {path}" for path in cut(found.unexplained, 2)),
        *_stale(found.stale),
        *note_lines(note),
        f'to accept: except_={{"{staying[0]}": "why", ...}}',
    )


def no_such_layer(close: Sequence[str]) -> str:
    """An exception for a layer that is not there."""
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"no layer of the types judged has this path{meant}"


def _nothing_to_judge(name: str, types: Sequence[str], note: str | None) -> str:
    return page(
        headline(name, f"0 {_kind(types)} to judge"),
        f"the model has no layer of type {' or '.join(types)}",
        "to assert that none is left:",
        f"    assert_layer_count(model, types={dict.fromkeys(types, 0)})",
        *note_lines(note),
    )


def _kind(types: Sequence[str]) -> str:
    if all(name.endswith("BatchNormalization") for name in types):
        return "batch norms"
    return types[0] if len(types) == 1 else "layers"


def _reasons(refusals: Sequence[Refusal]) -> list[str]:
    from pytest_layercount.folding.reasons import advice

    groups: dict[str, list[Refusal]] = {}
    for refusal in refusals:
        groups.setdefault(refusal.reason, []).append(refusal)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    lines = []
    for reason, members in ranked[:REASONS]:
        lines.append(f"{reason} ({len(members)}): {advice(reason, members[0].blocker)}")
        shown = [f"    {refusal.layer}: {refusal.message}" for refusal in members]
        lines.extend(cut(shown, 2, indent="    "))
    if len(ranked) > REASONS:
        lines.append(f"and {len(ranked) - REASONS} more reasons")
    return lines


def _stale(stale: Mapping[str, str]) -> list[str]:
    return cut([f"except_[{path!r}]: {instead}" for path, instead in stale.items()], 2)


# Equivalence


def nothing_folded(name: str, refusals: Sequence[Refusal], note: str | None = None) -> str:
    """An equivalence check that has nothing to compare."""
    return page(
        headline(name, f"0 layers fold, {len(refusals)} refused"),
        "nothing was folded, so there is nothing to compare",
        *_reasons(refusals),
        *note_lines(note),
    )


def not_equivalent(name: str, check: FoldCheck, note: str | None = None) -> str:
    """A folded model whose outputs differ from the original's."""
    result, worst = check.equivalence, check.equivalence.worst
    kind = "output" if worst in result.outputs else "layer"
    wrong = sum(not output.equivalent for output in result.outputs)
    copy = " on a copy with randomised batch-norm statistics" if check.randomised else ""
    return page(
        headline(name, f"off by {worst.difference:.1e} > limit {worst.limit:.1e}"),
        f"worst {kind}: {worst.name}, values up to {worst.magnitude:.1e}"
        f" ({wrong} of {len(result.outputs)} outputs differ)",
        f"first layer that differs: {result.first or 'not found'}",
        f"compared in {result.dtype}, seed {result.seed}{copy}",
        *note_lines(note),
        f"to look closer: pytest_layercount.fold(model).folds ({len(check.result.folds)} folds)",
        "layers that this package brings are meant to fold exactly: please report it",
    )


# Two models


def not_same_structure(found: Difference, note: str | None = None) -> str:
    """Two models that differ, and why."""
    before, after = found.explanation.before, found.explanation.after
    delta = after.total - before.total
    noun = NOUNS[before.count]
    fact = f"{before.total} -> {after.total} {noun} ({delta:+d})"
    if not delta:
        differ = _number(len(found.changed) + len(found.causes), "difference")
        fact = f"{before.total} {noun} each, {differ}"
    codes = [*(cause.code for cause in found.causes), *["changed"] * bool(found.changed)]
    return page(
        headline(after.model, fact),
        f"compared: {noun} of {before.model}, {before.keras}, with {after.model}, {after.keras}",
        *_causes(found.causes),
        *_changed(found.changed),
        *_ignored(found.ignored),
        *note_lines(note),
        "to see every layer concerned: pytest_layercount.explain(a, b).causes and .changed",
        f"to accept: ignore={tuple(dict.fromkeys(codes))}",
    )


def _causes(causes: Sequence[Cause]) -> list[str]:
    lines = []
    for cause in causes[:CAUSES]:
        lines.append(f"{cause.delta:+6d} {cause.code}: {cause.message}")
        paths = [path for path in cause.before or cause.after if path]
        lines += [f"       {_some(paths)}"] if paths else []
    rest = causes[CAUSES:]
    delta = sum(cause.delta for cause in rest)
    return [*lines, f"{delta:+6d} by {_number(len(rest), 'other cause')}"] if rest else lines


def _changed(changed: Sequence[Change]) -> list[str]:
    if not changed:
        return []
    shown = [f"       {change.after or change.type}: {_attributes(change)}" for change in changed]
    return [f"       changed: {len(changed)} in both models", *cut(shown, 3, indent=" " * 7)]


def _attributes(change: Change) -> str:
    return ", ".join(
        f"{name} {short(one)} -> {short(two)}" for name, (one, two) in change.attributes.items()
    )


def _ignored(ignored: Sequence[Cause]) -> list[str]:
    said = ", ".join(f"{cause.delta:+d} {cause.code}" for cause in ignored)
    return [f"ignored: {said}"] if said else []


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:2])
    return shown if len(paths) < 3 else f"{shown} and {len(paths) - 2} more"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number > 1)}"
