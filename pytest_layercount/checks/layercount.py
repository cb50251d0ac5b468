"""How many layers a model may have, and what else it may cost: limits, kept or broken, and why."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_layercount.checks.arguments import Allowance, ArgumentError, check_known
from pytest_layercount.checks.judgement import Limit
from pytest_layercount.checks.subject import Subject, said_plainly
from pytest_layercount.measures import MEASURES, NOUNS
from pytest_layercount.model.count import (
    Count,
    count_graph,
    largest,
    longest_way,
    require_parameters,
)
from pytest_layercount.opening import with_closed_seen
from pytest_layercount.text import cut, headline, note_lines, number, page, some

if TYPE_CHECKING:
    from pytest_layercount.model.count import LayerCount
    from pytest_layercount.model.graph import ModelGraph

LIMITS = ("max", "min", "exactly", "types", *MEASURES, "max_growth")
"""The keywords that can fail a model; the others say what to count."""

KEYWORDS = (*LIMITS, "count", "folded")
"""What :class:`Limits` are made of."""

TYPES = 8
"""How many rows a table of layer types has at most."""

LARGEST = 5
"""How many of the largest layers are named."""

WAY = 3
"""How many layers of the longest way are named at either end."""

_KEEPS = {"exactly": operator.eq, "max": operator.le, "min": operator.ge}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits a model has to keep, and how its layers are counted.

    ``measures`` are those on other numbers than that of layers, by keyword.
    """

    max: int | None = None
    min: int | None = None
    exactly: int | None = None
    count: Count = "layers"
    folded: bool = False
    types: Mapping[str, int] = field(default_factory=dict)
    measures: Mapping[str, int] = field(default_factory=dict)
    max_growth: Allowance | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Limits:
        """Make limits of checked ``arguments``, which must be able to fail a model.

        Raises:
            ArgumentError: they are not, or contradict each other.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        if not limited(given):
            raise ArgumentError(given, NO_LIMIT)
        low, high = given.get("min"), given.get("max")
        if low is not None and high is not None and low > high:
            raise ArgumentError(
                {"min": low, "max": high}, "min is greater than max, so no model can pass"
            )
        if "exactly" in given and (low is not None or high is not None):
            clash: dict[str, object] = {
                name: given[name] for name in ("exactly", "min", "max") if name in given
            }
            raise ArgumentError(clash, "exactly already is both bounds; drop min and max")
        check_folded(folded=given.get("folded", False), count=given.get("count", "layers"))
        measures = {keyword: given.pop(keyword) for keyword in MEASURES if keyword in given}
        return cls(**given, measures=measures)

    def count_in(self, graph: ModelGraph) -> LayerCount:
        """Count what they are about.

        Raises:
            ModelError: they are about weights, and those of some layers are not known.
        """
        measured = count_graph(graph, self.count)
        if any(MEASURES[keyword].of_weights for keyword in self.measures):
            require_parameters(measured)
        return measured

    def judge(self, measured: LayerCount) -> tuple[Limit, ...]:
        """Every limit, with what ``measured`` has, kept or not.

        Raises:
            ArgumentError: a limit on a type that does not exist.
        """
        check_known(self.types, {*measured.by_type, *measured.by_base}, measured.count)
        return tuple(self._judged(measured))

    def _judged(self, measured: LayerCount) -> Iterator[Limit]:
        for name, keeps in _KEEPS.items():
            limit, total = getattr(self, name), measured.total
            if limit is not None:
                kept = keeps(total, limit)
                yield Limit(name, measured.count, limit, total, kept, self.folded)
        # What is not known is not within a limit.
        for name, limit in self.measures.items():
            measure = MEASURES[name]
            value = getattr(measured, measure.attribute)
            kept = value <= limit and not measure.unknown_of(measured)
            yield Limit(name, measure.attribute, limit, value, kept, self.folded)
        for type_, limit in self.types.items():
            value = measured.number_of(type_)
            kept = value <= limit and not measured.hidden_from(type_)
            yield Limit("types", type_, limit, value, kept, self.folded)


NO_LIMIT = "sets no limit; give one, like max=150"


def limited(arguments: Mapping[str, object]) -> bool:
    """Whether one of ``arguments`` can fail a model."""
    return any(arguments.get(limit) is not None for limit in LIMITS)


def check_folded(*, folded: bool, count: Count) -> None:
    """Refuse to count what nobody has: the top level of a folded model.

    Raises:
        ArgumentError: both are asked for.
    """
    if folded and count == "top":
        problem = "a folded model is counted opened; use count='layers' or 'nodes'"
        raise ArgumentError({"folded": True, "count": "top"}, problem)


def check_limits(
    subject: Subject, limits: Limits, note: str | None = None, *, options: bool = False
) -> LayerCount:
    """Fail unless a model keeps ``limits``; return what was counted.

    ``note`` is what the user wants said; ``options`` says that options set the limits.
    """
    __tracebackhide__ = True
    subject.folded = limits.folded
    graph = subject.plan().graph if limits.folded else subject.graph()
    if limits.types and not limits.folded:
        graph = with_closed_seen(subject.model, graph)
    with said_plainly(subject.model):
        measured = limits.count_in(graph)
    subject.limits = limits.judge(measured)
    broken = not_kept(subject.limits)
    if broken:
        what = "" if options else subject.place
        lines = [*large(graph, broken), *note_lines(note)]
        subject.fail(failure_text(measured, broken, what, lines, options=options))
    return measured


def not_kept(limits: Sequence[Limit]) -> list[Limit]:
    """The limits that are broken, the most telling first."""
    return sorted(
        (limit for limit in limits if not limit.kept), key=lambda limit: limit.name in MEASURES
    )


def failure_text(
    measured: LayerCount,
    broken: Sequence[Limit],
    place: str = "",
    more: Sequence[str] = (),
    *,
    options: bool = False,
) -> str:
    """A model that does not keep its limits; ``more`` are lines besides the numbers."""
    first, *others = (fact(limit, measured) for limit in broken)
    # A fixture that returns one model; ``models['teacher']`` says itself what it is of.
    where = f"fixture {place}" if place.isidentifier() else place or measured.model
    after = " after folding" if broken[0].folded else ""
    return page(
        headline(measured.model, first),
        *(f"and {other}" for other in cut(others, 4)),
        f"counted: {NOUNS[measured.count]} of {where}{after}, {measured.keras}",
        *_by_type(measured),
        *held(measured, broken),
        *_unknown(measured, broken),
        *more,
        *([] if options else _hint(measured, broken)),
        *_accepted(_options(broken) if options else _arguments(measured, broken)),
    )


def fact(limit: Limit, measured: LayerCount) -> str:
    """What was counted, the limit, and by how much."""
    value, most = limit.value, limit.limit
    if measure := MEASURES.get(limit.name):
        if unknown := measure.unknown_of(measured):
            return f"{number(len(unknown), 'layer')} without a known number of {measure.noun}"
        written, bound, more = map(measure.written, (value, most, value - most))
        return f"{written} {measure.noun} > max {bound} (+{more})"
    if limit.name == "types" and value <= most:
        return f"{number(len(measured.hidden_from(limit.of)), 'layer')} may hold {limit.of}"
    noun = NOUNS.get(limit.of, limit.of)
    relation = {"min": "< min", "exactly": "!= exactly"}.get(limit.name, "> max")
    return f"{value} {'folded ' * limit.folded}{noun} {relation} {most} ({value - most:+d})"


def large(graph: ModelGraph, broken: Sequence[Limit]) -> list[str]:
    """A line for each number that is beyond its limit: what in ``graph`` has the most of it."""
    lines = []
    for measure in (MEASURES[limit.name] for limit in broken if limit.name in MEASURES):
        if measure.attribute == "depth":
            way = [layer.path for layer in longest_way(graph)]
            shown = way if len(way) <= 2 * WAY else [*way[:WAY], "...", *way[-WAY:]]
            lines.append(f"{measure.most}: {' > '.join(shown)}")
        elif measure.most and (shares := largest(graph, measure.attribute)):
            parts = [f"{measure.written(share)} {layer.path}" for layer, share in shares]
            lines.append(f"{measure.most}: {some(parts, LARGEST)}")
    return lines


def held(measured: LayerCount, broken: Sequence[Limit]) -> list[str]:
    """Where the layers of types judged are that do not stand in the model themselves."""
    lines = []
    for type_ in (limit.of for limit in broken if limit.name == "types"):
        paths = [layer.path for layer in measured.held if type_ in layer.types]
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


def _unknown(measured: LayerCount, broken: Sequence[Limit]) -> list[str]:
    """The layers of which a number beyond its limit is not known, and why."""
    measures = (MEASURES[limit.name] for limit in broken if limit.name in MEASURES)
    unknown = [pair for measure in measures for pair in measure.unknown_of(measured).items()]
    return cut([f"not known: {path}: {why}" for path, why in unknown], 4)


def _by_type(measured: LayerCount) -> list[str]:
    rows = list(measured.by_type.items())
    shown, rest = (rows, []) if len(rows) <= TYPES else (rows[: TYPES - 1], rows[TYPES - 1 :])
    if rest:
        shown = [*shown, (f"of {len(rest)} other types", sum(number for _, number in rest))]
    return [f"{number:6d} {name}" for name, number in shown]


def _hint(measured: LayerCount, broken: Sequence[Limit]) -> list[str]:
    over = any(limit.name in ("max", "types") and limit.value > limit.limit for limit in broken)
    if over and not broken[0].folded and measured.number_of("BatchNormalization"):
        return ["to judge what is left after folding batch normalizations: folded=True"]
    return []


def _accepted(how: str) -> list[str]:
    return [f"to accept: {how}"] if how else []


def _arguments(measured: LayerCount, broken: Sequence[Limit]) -> str:
    """The arguments that the model would keep."""
    plain: dict[str, int | None] = {}
    for limit in (limit for limit in broken if limit.name != "types"):
        measure = MEASURES.get(limit.name)
        unknown = measure and measure.unknown_of(measured)
        plain[limit.name] = None if unknown else limit.value
    over = [limit for limit in broken if limit.name == "types" and limit.value > limit.limit]
    types = {limit.of: limit.value for limit in over}
    shown = [f"{keyword}={value}" for keyword, value in plain.items()]
    return ", ".join([*shown, f"types={types}"] if types else shown)


def _options(broken: Sequence[Limit]) -> str:
    names = ((limit.name.replace("_", "-"), limit.value) for limit in broken)
    return " ".join(f"--layercount-{name}={value}" for name, value in names)
