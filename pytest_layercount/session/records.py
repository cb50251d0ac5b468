"""Records the models of a run, and compares them with those of another TensorFlow.

What a fixture returns is recorded when it is set up, before a test can change it. The
records travel to the controller on the reports of the tests, as JSON; models stay
where they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import carrier
from pytest_layercount.checks.record import Reference, read_reference, stale
from pytest_layercount.errors import LayercountError, ModelError, with_its_type
from pytest_layercount.failure import Failure, Verdict
from pytest_layercount.files import no_place
from pytest_layercount.fixture_models import FixtureModel, Place
from pytest_layercount.kept.record import ModelRecord, Record, by_name
from pytest_layercount.kept.record_file import model_data, model_from, write_record
from pytest_layercount.report.files import check_place
from pytest_layercount.settings import settings
from pytest_layercount.text import cut, number, printable, some


@dataclass
class _Judged:
    """A model that was compared with its record, and the first test that told of it."""

    name: str
    failure: str = ""
    told: str = ""


@dataclass(frozen=True)
class _Noted:
    """What was recorded of a model."""

    data: Mapping[str, Any]

    def packed(self, item: pytest.Item, report: pytest.TestReport) -> Mapping[str, Any]:  # noqa: ARG002
        """It as plain data."""
        return self.data


class ByRecord:
    """Records models, and compares them with a record; each place of models once."""

    def __init__(self, config: pytest.Config) -> None:
        asked = settings(config)
        self._config = config
        self._own_weights = asked.weights == "own"
        self._keep = asked.record is not None
        self._reference = _reference(config)
        self._judged: dict[Place, _Judged] = {}

    def look(self, model: FixtureModel, place: Place) -> Verdict:
        """Record a model, and compare it with its record if it has one."""
        if place not in self._judged:
            self._judged[place] = self._compared(model.model, place)
        return partial(_told, self._judged[place])

    def miss(self, place: Place, error: BaseException) -> None:
        """Let the record say why a model is missing from it."""
        self._note(place.name, ModelRecord(problem=with_its_type(error), where=place.where))

    def _compared(self, model: Any, place: Place) -> _Judged:
        made = replace(_recorded(model, self._own_weights), where=place.where)
        verdict = None if self._reference is None else self._reference.judge(place.name, made)
        if verdict is None:
            self._note(place.name, made)
            return _Judged(place.name)
        differs = bool(verdict.failure)
        self._note(place.name, made, compared=True, differs=differs, met=verdict.met)
        return _Judged(place.name, verdict.failure)

    def _note(self, name: str, made: ModelRecord, **facts: Any) -> None:
        from pytest_layercount.kept.recording import tensorflow_version

        data = model_data(made) if self._keep else {"problem": made.problem}
        noted = {"name": name, "where": made.where, "model": data, **facts}
        carrier.send(self._config, "records", _Noted({**noted, "tensorflow": tensorflow_version()}))


class Records:
    """Writes the record at the end, and says what was compared."""

    def __init__(self, config: pytest.Config) -> None:
        self.asked = settings(config)
        self.reference = _reference(config)
        self.found: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.lines: list[str] = []
        if file := self.asked.record:
            check_place("record", file, no_place(Path(file)))

    def take(self, report: pytest.TestReport, noted: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002
        """Take what was recorded, of each model the first that is no problem."""
        for one in noted:
            key = (one["name"], one["where"])
            if key not in self.found or self.found[key]["model"].get("problem"):
                self.found[key] = one

    def finish(self, session: pytest.Session) -> bool:  # noqa: ARG002
        """Write the record. A run that found no model fails."""
        return all([self._written(), self._compared()])

    def show(self, terminal: pytest.TerminalReporter) -> None:
        """Say what was recorded and compared."""
        if self.lines:
            terminal.section("layercount records")
            for line in self.lines:
                terminal.write_line(printable(line))

    def _written(self) -> bool:
        file = self.asked.record
        if file is None:
            return True
        found = {
            key: model_from(noted["model"], key[0]) for key, noted in sorted(self.found.items())
        }
        models = by_name([(name, one) for (name, _), one in found.items()])
        record = Record(
            models=models,
            tensorflow=max((str(noted["tensorflow"]) for noted in self.found.values()), default=""),
            own_weights=self.asked.weights == "own",
        )
        there = [one for one in models.values() if one.graph is not None]
        if not there:
            self.lines.append(f"no fixture returned a model, so {file} was not written")
            return False
        try:
            write_record(record, file)
        except LayercountError as error:
            self.lines.append(str(error))
            return False
        said = {
            name: one.problem or (one.unrun if one.weights else "") for name, one in models.items()
        }
        problems = [f"{name}: {problem}" for name, problem in said.items() if problem]
        models_there = number(len(there), "model")
        self.lines.append(f"recorded {models_there} in {file} ({record.label})")
        self.lines += cut([f"   {problem}" for problem in problems], 5, "   ")
        return True

    def _compared(self) -> bool:
        reference = self.reference
        if reference is None:
            return True
        compared = [noted for noted in self.found.values() if noted.get("compared")]
        if not compared:
            self.lines.append(
                f"no fixture returned a model that is in {reference.file}, so nothing was compared"
            )
            return False
        met = {one for noted in compared for one in noted["met"]}
        differ = sum(noted["differs"] for noted in compared)
        known = sum(bool(noted["met"]) and not noted["differs"] for noted in compared)
        same = len(compared) - differ - known
        self.lines.append(
            f"{number(len(compared), 'model')} compared with {reference.file}: {same} the "
            f"same, {known} as expected, {differ} differ"
        )
        record = reference.record
        there = {record.find_name(*key) for key in self.found}
        gone = [name for name, one in record.models.items() if one.graph and name not in there]
        new = [noted["name"] for key, noted in self.found.items() if not record.find_name(*key)]
        for names, where in ((gone, reference.file), (new, "this run")):
            self.lines += [f"only in {where}: {some(names, 3)}"] if names else []
        if not gone:
            self.lines += [stale(one) for one in reference.expected if str(one) not in met]
        return True


def _told(judged: _Judged, item: pytest.Item) -> Failure | None:
    """The failure, whole in the first test that uses the model."""
    if not judged.failure:
        return None
    judged.told = judged.told or item.nodeid
    if judged.told == item.nodeid:
        return Failure(judged.failure)
    again = f"{judged.name}: differs from its record, as {judged.told} says"
    return Failure(again, again=True)


def _recorded(model: Any, own_weights: bool) -> ModelRecord:
    from pytest_layercount.kept.recording import record_model

    try:
        return record_model(model, own_weights=own_weights)
    except ModelError as error:
        return ModelRecord(problem=str(error))
    except Exception as error:  # noqa: BLE001 -- a suite runs as it would without us
        return ModelRecord(problem=f"could not be recorded ({with_its_type(error)})")


_REFERENCE = pytest.StashKey[Reference | None]()


def _reference(config: pytest.Config) -> Reference | None:
    """The record that ``--layercount-against`` names, read once."""
    if _REFERENCE not in config.stash:
        asked, known = settings(config), None
        try:
            if asked.against is not None:
                known = read_reference(
                    asked.against,
                    asked.expected_differences,
                    own_weights=asked.weights == "own",
                )
        except LayercountError as error:
            raise pytest.UsageError(str(error)) from None
        config.stash[_REFERENCE] = known
    return config.stash[_REFERENCE]
