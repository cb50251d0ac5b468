"""From a check to the report of its test, on which a judgement travels.

What a check finds out about a model is noted in the process that runs the test. When
pytest makes the report of the test (or of its set-up or tear-down), what was judged
since the last one is put on it, and pytest-xdist takes it to the controller like any
attribute of a report.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_layercount.failure import Failed
from pytest_layercount.settings import settings
from pytest_layercount.text import printable

if TYPE_CHECKING:
    from pytest_layercount.checks.judgement import Judgement
    from pytest_layercount.checks.subject import Subject

ATTRIBUTE = "layercount"
"""The attribute of a report that holds judgements, as plain data."""


@dataclass(frozen=True)
class Shown:
    """What a run shows of the models that pass as well.

    ``folds`` says that it is what folds in them. ``pictures`` is the folder for drawings.
    """

    folds: bool = False
    pictures: Path | None = None


class Noted(NamedTuple):
    """A judgement whose test has not ended; ``identity`` finds the model among its fixtures."""

    judgement: Judgement
    identity: int


def _of_test(noted: Noted, item: pytest.Item, *, failed: bool) -> Judgement:
    """The judgement of the test ``item``, which ``failed`` or not."""
    from pytest_layercount.fixture_models import origin_of

    judgement, origin = noted.judgement, origin_of(item, noted.identity)
    if origin:
        judgement = replace(judgement, model=origin.name, where=origin.where)
    if judgement.message:
        judgement = replace(judgement, outcome="failed" if failed else "expected")
    return replace(judgement, test=item.nodeid)


class Recorder:
    """What was judged in this process and is on no report yet."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self._noted: list[Noted] = []

    def judging(self, check: str, model: Any, place: str = "") -> _Judging:
        """Judge ``model`` inside: a failure raised there is what was wrong with it.

        ``place`` names a model that has no name of its own.
        """
        from pytest_layercount.checks.subject import Subject

        return _Judging(self, Subject(check, model, place))

    def note(self, noted: Noted) -> None:
        """Let it be a judgement of the test that runs."""
        self._noted.append(noted)

    def noted(self, subject: Subject, message: str) -> Noted:
        """What there is to report of ``subject``, ``message`` being what was wrong with it."""
        drawn = None
        if folder := self.shown.pictures:
            from pytest_layercount.report.pictures import draw

            drawn = partial(draw, subject=subject, folder=folder, failed=bool(message))
        judgement = subject.judgement(message, planned=self.shown.folds, draw=drawn)
        return Noted(judgement, id(subject.model))

    def attach(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Put what was judged since the last time on ``report``."""
        noted, self._noted = self._noted, []
        judgements = [_of_test(one, item, failed=report.failed) for one in noted]
        if judgements:
            from pytest_layercount.report.extra import add_extra

            setattr(report, ATTRIBUTE, [judgement.as_data() for judgement in judgements])
            item.user_properties += properties(judgements, item.user_properties)
            report.user_properties = list(item.user_properties)
            add_extra(item, report, judgements)


class _Judging:
    """Notes what became of a subject.

    It is a class because a failure would be shown inside ``contextlib`` otherwise, and not
    at the user's line.
    """

    def __init__(self, recorder: Recorder, subject: Subject) -> None:
        self._recorder, self._subject = recorder, subject

    def __enter__(self) -> Subject:
        return self._subject

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None or isinstance(error, Failed):
            text = "" if error is None else str(error)
            self._recorder.note(self._recorder.noted(self._subject, text))


def properties(
    judgements: Iterable[Judgement], known: Iterable[tuple[str, object]] = ()
) -> list[tuple[str, object]]:
    """The numbers of each model as properties of the test, which JUnit files show."""
    found = {
        printable(f"layercount.{judgement.model}.{name}"): getattr(judgement.facts, name)
        for judgement in judgements
        if judgement.facts is not None
        for name in ("layers", "nodes", "parameters", "folded_layers")
        if getattr(judgement.facts, name) is not None
    }
    there = dict(known)
    return [(name, value) for name, value in found.items() if name not in there]


PICTURES = "layercount_pictures"
"""What a worker is told: the folder for drawings of the models."""

_STASH = pytest.StashKey[Recorder]()


def record(config: pytest.Config, pictures: Path | None) -> None:
    """Begin to record in this process, leaving drawings in the folder ``pictures``."""
    config.stash[_STASH] = Recorder(Shown(_shows_folds(config) or pictures is not None, pictures))


def _shows_folds(config: pytest.Config) -> bool:
    """Whether the run shows of every model what folds, which takes long to find out.

    Of a model that fails it is always shown, and so it need not be planned for a run in
    which all models pass.
    """
    pages = (config.getoption(name, None) for name in ("htmlpath", "xmlpath"))
    return bool(
        config.get_verbosity() > 0
        or settings(config).report
        or os.environ.get("GITHUB_STEP_SUMMARY")
        or any(pages)
    )


def recorder(config: pytest.Config) -> Recorder:
    """The recorder of this process."""
    return config.stash[_STASH]
