"""``@pytest.mark.layercount``: its schema, whose word counts, and its verdict."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_layercount.checks.arguments import (
    CHECKS,
    ArgumentError,
    check_keyword,
    checked,
    guess_keyword,
)
from pytest_layercount.checks.layercount import (
    LIMITS,
    NO_LIMIT,
    Limits,
    check_limits,
    limited,
)
from pytest_layercount.checks.subject import Subject
from pytest_layercount.failure import Failed, skips_itself
from pytest_layercount.fixture_models import FixtureModel, find_models
from pytest_layercount.report.judging import judging
from pytest_layercount.settings import settings
from pytest_layercount.text import cut, joined, page, printable, short

if TYPE_CHECKING:
    from _pytest.nodes import Node

NAME = "layercount"


@dataclass(frozen=True)
class Rule:
    """What the marks of one test add up to."""

    limits: Limits
    model: str | None = None
    reason: str | None = None


def read_rule(item: pytest.Item) -> Rule | None:
    """The rule that the marks of ``item`` add up to.

    Each keyword is the closest mark's; of several marks on the same thing, the
    one applied last is the closest. Bounds on the total go together: a mark
    that gives ``exactly`` drops an inherited ``max`` and ``min``, and the other
    way around. ``None`` drops what was inherited; when that leaves no limit at
    all, the test is exempt. The limits of the whole suite are inherited by all.
    """
    marks = [_keywords(mark) for node in item.listchain() for mark in _marks(node)]
    if not marks:
        return None
    suite = settings(item.config).limits
    merged = dict(suite)
    for given in marks:
        merged = _override(merged, given)
    if not limited(merged):
        # ``max=None`` asks for no limit, whether or not there is one to be dropped.
        if suite or any(limit in given for given in marks for limit in LIMITS):
            return None
        raise ArgumentError(_given(merged), NO_LIMIT)
    model, reason = merged.pop("model", None), merged.pop("reason", None)
    try:
        return Rule(Limits.of(merged), model, reason)
    except ArgumentError as error:
        inherited = [name for name in error.arguments if not any(name in given for given in marks)]
        if not set(inherited) & suite.keys():
            raise
        name = inherited[0]
        keys = f"--layercount-{name.replace('_', '-')}, layercount_{name}"
        problem = (
            f"{error.problem}; {name} is a limit of the whole suite ({keys}): "
            f"give the mark a {name} of its own, or {name}=None"
        )
        raise ArgumentError(error.arguments, problem) from None


def report_problems(collector: pytest.Collector, report: pytest.CollectReport) -> None:
    """Let ``report`` say what is wrong with the marks of what was collected, if anything is."""
    problems = _problems(collector, report.result)
    if problems:
        report.outcome = "failed"
        report.longrepr = printable(page(*cut(problems, 10)))
        report.result = []


def _problems(collector: pytest.Collector, children: Iterable[object]) -> list[str]:
    """What is wrong with the marks of ``collector`` and of the tests directly in it."""
    try:
        for mark in _marks(collector):
            _keywords(mark)
    except ArgumentError as error:
        return [_located(error, collector)]
    found = (_problem(child) for child in children if isinstance(child, pytest.Item))
    return list(dict.fromkeys(problem for problem in found if problem))


def set_up(item: pytest.Item) -> Generator[None, object, object]:
    """Have pytest set up the fixture that ``model=`` names, like those that the test requests."""
    __tracebackhide__ = True
    fixture = _request_model(item)
    try:
        return (yield)
    except pytest.FixtureLookupError as error:
        if fixture is None or error.argname != fixture:
            raise
        _fail_without(fixture)


def _fail_without(fixture: str) -> NoReturn:
    # Its frame is not hidden: pytest would say below our sentence that all frames are.
    raise Failed(
        f"layercount(model={fixture!r}): no fixture of this name here; "
        "`pytest --fixtures` lists those there are",
        pytrace=False,
    ) from None


def _request_model(item: pytest.Item) -> str | None:
    """Have pytest set up the fixture that ``model=`` names, and return the name."""
    if item.get_closest_marker(NAME) is None or not isinstance(item, pytest.Function):
        return None
    try:
        rule = read_rule(item)
    except ArgumentError:
        return None  # A mark added after collection: failures() will say what is wrong.
    if rule is None or rule.model is None:
        return None
    if rule.model not in item.fixturenames:
        # A new list, because all parameters of a test function share the old one.
        item.fixturenames = [*item.fixturenames, rule.model]
    return rule.model


def failures(item: pytest.Item) -> list[str]:
    """Say which models of ``item`` do not keep the limits of its marks, and how."""
    try:
        rule = read_rule(item)
    except ArgumentError as error:
        raise Failed(_located(error, item), pytrace=False) from None
    if rule is None or skips_itself(item):
        return []
    models = find_models(item, rule.model)
    return [text for found in models if (text := _verdict(item, found, rule))]


def _verdict(item: pytest.Item, found: FixtureModel, rule: Rule) -> str:
    try:
        with judging(item.config, NAME, found.model, found.place) as subject:
            try:
                _judge(item, subject, rule)
            except ArgumentError as error:  # a type that only the models could tell is none
                raise Failed(_located(error, item)) from None
    except Failed as error:
        return str(error)
    return ""


def _judge(item: pytest.Item, subject: Subject, rule: Rule) -> None:
    """Hold a model against its limits, and its baseline even where it breaks them."""
    failures = []
    for check in (_judge_limits, _judge_growth):
        try:
            check(item, subject, rule)
        except Failed as error:
            failures.append(str(error))
    if failures:
        raise Failed(joined(failures))


def _judge_limits(_item: pytest.Item, subject: Subject, rule: Rule) -> None:
    check_limits(subject, rule.limits, rule.reason)


def _judge_growth(item: pytest.Item, subject: Subject, rule: Rule) -> None:
    asked = rule.limits
    if asked.max_growth is not None:
        from pytest_layercount.checks.baseline import Asked, check_baseline, default_name

        what = Asked((asked.count,), asked.max_growth, folded=asked.folded)
        check_baseline(
            item,
            subject,
            what,
            default_name(item, subject.place),
            rule.reason,
            update=settings(item.config).update,
        )


def _marks(node: Node) -> list[pytest.Mark]:
    return [mark for mark in node.own_markers if mark.name == NAME]


def _keywords(mark: pytest.Mark) -> dict[str, Any]:
    if mark.args:
        value = mark.args[0]
        meant = f"{guess_keyword(value)}={short(value)}"
        raise ArgumentError({"": value}, f"takes keywords only; did you mean {meant}?")
    for name, value in mark.kwargs.items():
        check_keyword(name, value, CHECKS)
    return checked(mark.kwargs)


def _override(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    dropped: set[str] = set()
    if inner.get("exactly") is not None:
        dropped |= {"max", "min"}
    if inner.get("max") is not None or inner.get("min") is not None:
        dropped |= {"exactly"}
    return {name: value for name, value in outer.items() if name not in dropped} | dict(inner)


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _problem(item: pytest.Item) -> str:
    try:
        read_rule(item)
    except ArgumentError as error:
        return _located(error, item)
    return ""


def _located(error: ArgumentError, node: Node) -> str:
    file, _, name = node.nodeid.partition("::")
    line = None
    if isinstance(node, (pytest.Function, pytest.Class)):
        line = node.reportinfo()[1]
    place = file if line is None else f"{file}:{line + 1}"  # pytest counts from zero
    return f"{error.of(NAME)}\n{place}{f': {name}' if name else ''}"
