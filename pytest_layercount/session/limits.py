"""``layercount_auto``: judge every model that a fixture returns by the limits of the suite.

A model is judged as its fixture returned it, once. What was wrong with it fails every
test that uses the fixture, directly or through another, before the body of the test
runs: as if each had the mark. A failure in the fixture itself would be reported as an
error, and only of the test that happened to come first. A test with a mark of its own
is judged by that.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from pytest_layercount import messages
from pytest_layercount.criteria import criteria
from pytest_layercount.failure import Failed, fail, skips_itself
from pytest_layercount.fixture_models import FixtureModel, models_in, used_fixtures
from pytest_layercount.marker import NAME, Rule, judge_limits
from pytest_layercount.report.recorder import recorder
from pytest_layercount.report.subject import Draft, Subject
from pytest_layercount.settings import settings

OF_THE_SUITE = "a limit of the whole suite; a mark on the test replaces it"


class Auto:
    """The verdicts on the models of each fixture that is set up."""

    def __init__(self, config: pytest.Config) -> None:
        self._rule = Rule(criteria(settings(config).limits), reason=OF_THE_SUITE)
        self._recorder = recorder(config)
        self._verdicts: WeakKeyDictionary[Any, list[tuple[str, Draft]]] = WeakKeyDictionary()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Judge the models among what a fixture returns."""
        value = yield
        found = models_in(fixturedef.argname, value)
        if found:
            self._verdicts[fixturedef] = [self._verdict(model) for model in found]
        return value

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Forget what a fixture returned, as pytest does."""
        self._verdicts.pop(fixturedef, None)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test that uses a model beyond the limits, also one it asks for in its body."""
        if item.get_closest_marker(NAME) is not None or skips_itself(item):
            return (yield)
        known = self._judge(item, set())
        result = yield
        self._judge(item, known)
        return result

    def _verdict(self, found: FixtureModel) -> tuple[str, Draft]:
        subject = Subject(NAME, found.model, found.place)
        text = ""
        try:
            judge_limits(subject, self._rule)
        except Failed as error:
            text = str(error)
        return text, subject.draft(text, self._recorder.shown)

    def _judge(self, item: pytest.Item, known: set[int]) -> set[int]:
        """Judge ``item`` by its fixtures but for those ``known``; return those judged now."""
        used = {id(definition): definition for definition in used_fixtures(item)}
        fresh = [self._verdicts.get(used[key], []) for key in used if key not in known]
        verdicts = [verdict for several in fresh for verdict in several]
        for _, draft in verdicts:
            self._recorder.note(draft)
        failures = [text for text, _ in verdicts if text]
        if failures:
            fail(item, messages.counts.joined(failures))
        return set(used)


def start(config: pytest.Config) -> None:
    """Judge all models."""
    if not settings(config).limits:
        raise pytest.UsageError(
            "layercount_auto: no limit to judge by; give one, like layercount_max=150"
        )
    config.pluginmanager.register(Auto(config), "layercount-auto")
