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

from pytest_layercount.checks.layercount import Limits, check_limits
from pytest_layercount.checks.subject import Subject
from pytest_layercount.failure import Failed, fail, skips_itself
from pytest_layercount.fixture_models import FixtureModel, models_in, used_fixtures
from pytest_layercount.marker import NAME
from pytest_layercount.report.recorder import Noted, recorder
from pytest_layercount.settings import settings
from pytest_layercount.text import joined

OF_THE_SUITE = "a limit of the whole suite; a mark on the test replaces it"


class Auto:
    """The verdicts on the models of each fixture that is set up."""

    def __init__(self, config: pytest.Config) -> None:
        self._limits = Limits.of(settings(config).limits)
        self._recorder = recorder(config)
        self._verdicts: WeakKeyDictionary[Any, list[tuple[str, Noted]]] = WeakKeyDictionary()

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

    def _verdict(self, found: FixtureModel) -> tuple[str, Noted]:
        subject = Subject(NAME, found.model, found.place)
        text = ""
        try:
            check_limits(subject, self._limits, OF_THE_SUITE)
        except Failed as error:
            text = str(error)
        return text, self._recorder.noted(subject, text)

    def _judge(self, item: pytest.Item, known: set[int]) -> set[int]:
        """Judge ``item`` by its fixtures but for those ``known``; return those judged now."""
        used = {id(definition): definition for definition in used_fixtures(item)}
        fresh = [self._verdicts.get(used[key], []) for key in used if key not in known]
        verdicts = [verdict for several in fresh for verdict in several]
        for _, noted in verdicts:
            self._recorder.note(noted)
        failures = [text for text, _ in verdicts if text]
        if failures:
            fail(item, joined(failures))
        return set(used)


def start(config: pytest.Config) -> None:
    """Judge all models."""
    if not settings(config).limits:
        raise pytest.UsageError(
            "layercount_auto: no limit to judge by; give one, like layercount_max=150"
        )
    config.pluginmanager.register(Auto(config), "layercount-auto")
