"""The models that fixtures return: looked at when they are set up, judged where they are used.

A model is looked at once, as its fixture returned it, before a test can change it. What is
wrong with it fails every test that uses the fixture, directly or through another, before
the body of the test runs. A failure in the fixture itself would be reported as an error,
and only of the test that happened to come first.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import pytest

from pytest_layercount import carrier
from pytest_layercount.checks.layercount import Limits, check_limits
from pytest_layercount.checks.subject import Subject
from pytest_layercount.failure import Failed, Failure, Verdict, fail, skips_itself
from pytest_layercount.fixture_models import (
    FixtureModel,
    Place,
    models_in,
    place_of,
    test_of,
    used_fixtures,
)
from pytest_layercount.marker import NAME
from pytest_layercount.report.judging import judged
from pytest_layercount.settings import settings

OF_THE_SUITE = "a limit of the whole suite; a mark on the test replaces it"


class Judge(Protocol):
    """Who has an opinion of models."""

    def look(self, model: FixtureModel, place: Place) -> Verdict:
        """Look at a model that was set up."""

    def miss(self, place: Place, error: BaseException) -> None:
        """Note that a fixture could not be set up."""


class Models:
    """The models of a process, and what is wrong with them."""

    def __init__(self, config: pytest.Config) -> None:
        asked = settings(config)
        self.judges: list[Judge] = []
        if asked.auto:
            if not asked.limits:
                raise pytest.UsageError(
                    "layercount_auto: no limit to judge by; give one, like layercount_max=150"
                )
            self.judges.append(_BySuite(config))
        if asked.record is not None or asked.against is not None:
            from pytest_layercount.session.records import ByRecord

            self.judges.append(ByRecord(config))
        self._verdicts: WeakKeyDictionary[Any, list[Verdict]] = WeakKeyDictionary()

    def look(
        self, definition: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Look for models in what a fixture returns."""
        __tracebackhide__ = True
        try:
            value = yield
        except (Exception, pytest.skip.Exception) as error:
            for judge in self.judges:
                judge.miss(place_of(test_of(request), definition), error)
            raise
        found = models_in(definition.argname, value)
        if found:
            places = [place_of(test_of(request), definition, model) for model in found]
            self._verdicts[definition] = [
                judge.look(model, place)
                for judge in self.judges
                for model, place in zip(found, places, strict=True)
            ]
        return value

    def forget(self, definition: pytest.FixtureDef[Any]) -> None:
        """Forget what a fixture returned, as pytest does."""
        self._verdicts.pop(definition, None)

    def judge(self, item: pytest.Item, failures: Sequence[str]) -> Generator[None, object, object]:
        """Fail a test that uses a model which is not as it should be, also one of its body's.

        ``failures`` are those that its marks found.
        """
        __tracebackhide__ = True
        if skips_itself(item):
            return (yield)
        used = used_fixtures(item)
        fail(item, [*failures, *self._failures(item, used)])
        result = yield
        late = [definition for definition in used_fixtures(item) if definition not in used]
        fail(item, self._failures(item, late))
        return result

    def _failures(
        self, item: pytest.Item, definitions: Sequence[pytest.FixtureDef[Any]]
    ) -> list[str]:
        verdicts = [verdict for one in definitions for verdict in self._verdicts.get(one, ())]
        failures = [failure for verdict in verdicts if (failure := verdict(item))]
        failures.sort(key=lambda failure: failure.again)
        return [failure.text for failure in failures]


class _BySuite:
    """``layercount_auto``: judges by the limits of the suite, as if each test had the mark.

    A test with a mark of its own is judged by that.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._limits = Limits.of(settings(config).limits)
        self._config = config

    def look(self, model: FixtureModel, place: Place) -> Verdict:  # noqa: ARG002
        """Count its layers."""
        subject = Subject(NAME, model.model, model.place)
        text = ""
        try:
            check_limits(subject, self._limits, OF_THE_SUITE)
        except Failed as error:
            text = str(error)
        parcel = judged(self._config, subject, text)

        def verdict(item: pytest.Item) -> Failure | None:
            if item.get_closest_marker(NAME) is not None:
                return None
            carrier.send(self._config, "reports", parcel)
            return Failure(text) if text else None

        return verdict

    def miss(self, place: Place, error: BaseException) -> None:
        """Say nothing: the fixture's failure is its own."""
