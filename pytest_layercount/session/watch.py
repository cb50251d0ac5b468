"""Looks at what fixtures return, in the process that runs the tests."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pytest_layercount import messages
from pytest_layercount.errors import ModelError
from pytest_layercount.failure import fail, skips_itself
from pytest_layercount.fixture_models import Place, models_in, place_of, test_of, used_fixtures
from pytest_layercount.kept.record import ModelRecord
from pytest_layercount.kept.record_file import model_data
from pytest_layercount.session.reference import Reference
from pytest_layercount.settings import Settings
from pytest_layercount.text import joined

ATTRIBUTE = "layercount_records"
"""The attribute of a report that holds what was recorded, as JSON."""


@dataclass
class _Judged:
    """A model that differs from its record, and the first test that said so."""

    name: str
    failure: str
    told: str = ""


class Watch:
    """A plugin that records and compares."""

    def __init__(self, asked: Settings, reference: Reference | None) -> None:
        self.own_weights = asked.weights == "own"
        self.keep = asked.record is not None
        self.reference = reference
        self.seen: dict[Place, list[_Judged]] = {}
        self.pending: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Look for models in what a fixture returns."""
        place = place_of(test_of(request), fixturedef)
        try:
            value = yield
        except (Exception, pytest.skip.Exception) as error:
            problem = messages.records.not_set_up(error)
            self._note(place.name, ModelRecord(problem=problem, where=place.where))
            raise
        if place not in self.seen:
            found = models_in(place.name, value)
            self.seen[place] = [self._look(place, one.place, one.model) for one in found]
        return value

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test that uses a model which differs from its record."""
        failed = [judged for judged in self._used(item) if judged.failure]
        if failed and not skips_itself(item):
            failed.sort(key=lambda judged: judged.told not in ("", item.nodeid))
            texts = [self._told(judged, item) for judged in failed]
            fail(item, joined(texts))
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send along what was recorded since the last report."""
        report = yield
        if self.pending:
            setattr(report, ATTRIBUTE, self.pending)
            self.pending = []
        return report

    def _used(self, item: pytest.Item) -> Iterator[_Judged]:
        for definition in used_fixtures(item):
            yield from self.seen.get(place_of(item, definition), ())

    def _told(self, judged: _Judged, item: pytest.Item) -> str:
        """The failure, whole in the first test that uses the model."""
        judged.told = judged.told or item.nodeid
        if judged.told == item.nodeid:
            return judged.failure
        return messages.records.again(judged.name, judged.told)

    def _look(self, place: Place, name: str, model: Any) -> _Judged:
        made = replace(_recorded(model, self.own_weights), where=place.where)
        verdict = None if self.reference is None else self.reference.judge(name, made)
        if verdict is None:
            self._note(name, made)
            return _Judged(name, "")
        self._note(name, made, compared=True, differs=bool(verdict.failure), met=verdict.met)
        return _Judged(name, verdict.failure)

    def _note(self, name: str, made: ModelRecord, **facts: Any) -> None:
        from pytest_layercount.kept.recording import tensorflow_version

        data = model_data(made) if self.keep else {"problem": made.problem}
        noted = {"name": name, "where": made.where, "model": data, **facts}
        self.pending.append(json.dumps({**noted, "tensorflow": tensorflow_version()}))


def _recorded(model: Any, own_weights: bool) -> ModelRecord:
    from pytest_layercount.kept.recording import record_model

    try:
        return record_model(model, own_weights=own_weights)
    except ModelError as error:
        return ModelRecord(problem=str(error))
    except Exception as error:  # noqa: BLE001 -- a suite runs as it would without us
        return ModelRecord(problem=messages.records.not_recorded(error))
