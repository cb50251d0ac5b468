"""A count that is out of its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_layercount.checks.measures import MEASURES
from pytest_layercount.text import cut, headline, note_lines, number, page, some

if TYPE_CHECKING:
    from pytest_layercount.criteria import Violation
    from pytest_layercount.model.count import LayerCount

TYPES = 8
"""How many rows a table of layer types has at most."""

NOUNS = {"layers": "layers", "nodes": "nodes", "top": "top-level layers"}


def layer_count(
    measured: LayerCount,
    violations: Sequence[Violation],
    *,
    folded: bool = False,
    place: str | None = None,
    note: str | None = None,
    options: bool = False,
    large: Sequence[str] = (),
) -> str:
    """A model that does not keep its limits; ``options`` says that options set them.

    ``large`` are lines about what is large in the model.
    """
    first, *others = (fact(violation, measured, folded) for violation in violations)
    # A fixture that returns one model; ``models['teacher']`` says itself what it is of.
    where = f"fixture {place}" if place and place.isidentifier() else place or measured.model
    after = " after folding" if folded else ""
    return page(
        headline(measured.model, first),
        *(f"and {other}" for other in cut(others, 4)),
        f"counted: {NOUNS[measured.count]} of {where}{after}, {measured.keras}",
        *_by_type(measured),
        *held(measured, violations),
        *_uncounted(measured, violations),
        *large,
        *note_lines(note),
        *([] if options else _hint(measured, violations, folded)),
        *_accepted(_options(violations) if options else _accept(measured, violations)),
    )


def joined(texts: Sequence[str]) -> str:
    """The first text whole, and the first line of each other one."""
    first, *others = texts
    lines = [text.partition("\n")[0] for text in others]
    return page(first, *(f"also: {line}" for line in cut(lines, 4)))


def fact(violation: Violation, measured: LayerCount, folded: bool) -> str:
    """What was counted, the limit, and by how much."""
    value, limit = violation.value, violation.limit
    if violation.keyword in MEASURES:
        return _cost(violation, measured)
    if violation.type and value <= limit:
        unknown = len(measured.hidden_from(violation.type))
        return f"{number(unknown, 'layer')} may hold {violation.type}"
    noun = violation.type or NOUNS[measured.count]
    relation = {"min": "< min", "exactly": "!= exactly"}.get(violation.keyword, "> max")
    return f"{value} {'folded ' * folded}{noun} {relation} {limit} ({value - limit:+d})"


def _cost(violation: Violation, measured: LayerCount) -> str:
    measure, value, limit = MEASURES[violation.keyword], violation.value, violation.limit
    if violation.keyword == "max_macs" and measured.uncounted:
        return f"{number(len(measured.uncounted), 'layer')} without a known number of MACs"
    more = measure.written(value - limit)
    return f"{measure.written(value)} {measure.noun} > max {measure.written(limit)} (+{more})"


def _uncounted(measured: LayerCount, violations: Sequence[Violation]) -> list[str]:
    if not any(violation.keyword == "max_macs" for violation in violations):
        return []
    return cut([f"not known: {path}: {why}" for path, why in measured.uncounted.items()], 4)


def held(measured: LayerCount, violations: Sequence[Violation]) -> list[str]:
    """Where the layers of types judged are that do not stand in the model themselves."""
    types = [violation.type for violation in violations if violation.type]
    lines = []
    for type_ in types:
        paths = [one.path for one in measured.held if type_ in one.types]
        if paths:
            where = f"{len(paths)} {type_} inside layers that stay whole"
            lines.append(f"{where}: {some(paths, 3)}")
        lines += unseen(measured.hidden_from(type_))
    if measured.held and not lines:
        lines = [f"of these, {len(measured.held)} inside layers that stay whole"]
    return cut(list(dict.fromkeys(lines)), 4)


def unseen(paths: Sequence[str]) -> list[str]:
    """Layers that are read without what is inside."""
    if not paths:
        return []
    advice = "judge the model that was saved, not its file"
    return [f"what is inside cannot be seen: {some(paths, 3)}; {advice}"]


def _by_type(measured: LayerCount) -> list[str]:
    rows = list(measured.by_type.items())
    shown, rest = (rows, []) if len(rows) <= TYPES else (rows[: TYPES - 1], rows[TYPES - 1 :])
    if rest:
        shown = [*shown, (f"of {len(rest)} other types", sum(number for _, number in rest))]
    return [f"{number:6d} {name}" for name, number in shown]


def _hint(measured: LayerCount, violations: Sequence[Violation], folded: bool) -> list[str]:
    over = any(one.keyword in ("max", "types") and one.value > one.limit for one in violations)
    if over and not folded and measured.number_of("BatchNormalization"):
        return ["to judge what is left after folding batch normalizations: folded=True"]
    return []


def _accepted(how: str) -> list[str]:
    return [f"to accept: {how}"] if how else []


def _accept(measured: LayerCount, violations: Sequence[Violation]) -> str:
    plain: dict[str, int | None] = {
        item.keyword: item.value for item in violations if not item.type
    }
    if measured.uncounted and "max_macs" in plain:
        plain["max_macs"] = None
    types = {item.type: item.value for item in violations if item.type and item.value > item.limit}
    shown = [f"{keyword}={value}" for keyword, value in plain.items()]
    return ", ".join([*shown, f"types={types}"] if types else shown)


def _options(violations: Sequence[Violation]) -> str:
    names = ((item.keyword.replace("_", "-"), item.value) for item in violations)
    return " ".join(f"--layercount-{name}={value}" for name, value in names)
