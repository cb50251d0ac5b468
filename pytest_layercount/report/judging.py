"""From a check to the report of its test: what was judged of a model, on its way.

What a check finds out about a model is sent in the process that runs the test. Which
fixture the model came from, and whether the test failed, is known when pytest makes the
report of the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount import carrier, rerun

if TYPE_CHECKING:
    import pytest

    from pytest_layercount.checks.judgement import Judgement
    from pytest_layercount.checks.subject import Subject


@dataclass(frozen=True)
class Judged:
    """A judgement whose test has not ended; ``identity`` finds the model among its fixtures."""

    judgement: Judgement
    identity: int

    def packed(self, item: pytest.Item, report: pytest.TestReport) -> Mapping[str, Any]:
        """The judgement of the test ``item``, as plain data."""
        from pytest_layercount.fixture_models import origin_of

        judgement, origin = self.judgement, origin_of(item, self.identity)
        if origin:
            judgement = replace(judgement, model=origin.name, where=origin.where)
        if judgement.message:
            judgement = replace(judgement, outcome="failed" if report.failed else "expected")
        return replace(judgement, test=rerun.node_id(item)).as_data()


def judged(config: pytest.Config, subject: Subject, message: str) -> Judged:
    """What there is to report of ``subject``, ``message`` being what was wrong with it."""
    told, drawn = carrier.told(config), None
    if folder := told.get("pictures"):
        from pytest_layercount.report.pictures import draw

        drawn = partial(draw, subject=subject, folder=Path(folder), failed=bool(message))
    judgement = subject.judgement(message, planned=told.get("folds", False), draw=drawn)
    return Judged(judgement, id(subject.model))


class judging:  # noqa: N801  used as a word in a with statement
    """Judge ``model`` inside: a failure raised there is what was wrong with it.

    ``place`` names a model that has no name of its own. It is a class because a failure would be
    shown inside ``contextlib`` otherwise, and not at the user's line.
    """

    def __init__(self, config: pytest.Config, check: str, model: Any, place: str = "") -> None:
        from pytest_layercount.checks.subject import Subject

        self._config, self._subject = config, Subject(check, model, place)

    def __enter__(self) -> Subject:
        return self._subject

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        from pytest_layercount.failure import Failed

        if error is None or isinstance(error, Failed):
            text = "" if error is None else str(error)
            carrier.send(self._config, "reports", judged(self._config, self._subject, text))
