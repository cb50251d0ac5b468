"""A model while it is judged: read once, and what there is to report of it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount import measure
from pytest_layercount.errors import with_its_type
from pytest_layercount.fixture_models import origin_of
from pytest_layercount.model.count import LayerCount, count_graph, require_parameters
from pytest_layercount.model.names import model_name, stable_paths
from pytest_layercount.report.judgement import Facts, Growth, Judgement, Limit, Outcome
from pytest_layercount.report.names import renamed
from pytest_layercount.report.pictures import leave

if TYPE_CHECKING:
    import pytest

    from pytest_layercount.compare.source import Source
    from pytest_layercount.criteria import Criteria, Violation
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.graph import ModelGraph
    from pytest_layercount.report.recorder import Shown


@dataclass
class Subject:
    """A model under judgement.

    ``limits`` and ``growth`` are for the check to set: what it judged by. So is ``folded``:
    whether it judged what is left after folding.
    """

    check: str
    model: Any
    place: str = ""
    limits: tuple[Limit, ...] = ()
    growth: Growth | None = None
    folded: bool = False
    _counted: ModelGraph | None = field(default=None, init=False)
    _graph: ModelGraph | None = field(default=None, init=False)
    _plan: Plan | None = field(default=None, init=False)

    def graph(self) -> ModelGraph:
        """Its structure."""
        __tracebackhide__ = True
        if self._graph is None:
            self._graph = measure.graph(self.model)
        return self._graph

    def source(self) -> Source:
        """Its structure, and its weights where they can be read."""
        __tracebackhide__ = True
        source = measure.source(self.model)
        self._graph = source.graph
        return source

    def plan(self) -> Plan:
        """What folds in it."""
        __tracebackhide__ = True
        self.graph()
        if self._plan is None:
            self._plan = measure.plan(self.model)
        return self._plan

    def count(self, criteria: Criteria) -> LayerCount:
        """Count its layers as ``criteria`` says, after folding if they do."""
        __tracebackhide__ = True
        self.folded = criteria.folded
        graph = self.plan().graph if criteria.folded else self.graph()
        if criteria.types and not criteria.folded:
            graph = measure.with_closed_seen(self.model, graph)
        self._counted = graph
        with measure.said_plainly(self.model):
            measured = count_graph(graph, criteria.count)
            if criteria.weighs:
                require_parameters(measured)
        return measured

    def large(self, violations: Sequence[Violation]) -> list[str]:
        """What has the most of each number that is beyond its limit, of what was counted."""
        from pytest_layercount.checks.large import large

        return large(self._counted, violations) if self._counted else []

    def draft(self, message: str, shown: Shown) -> Draft:
        """What there is to report, ``message`` being what was wrong with the model."""
        # A model that no fixture returned is called as itself, or else as what it is.
        line, name = message.partition("\n")[0], self.place or type(self.model).__name__
        if isinstance(self.model, (str, os.PathLike)):
            name = Path(self.model).name
        made = Draft(self.check, name, line, _accept(message), self.limits, identity=id(self.model))
        if self._graph is None:
            return made
        from pytest_layercount.report.facts import facts

        line = _without_name(line, self._graph.name)
        name = model_name(self._graph) or name
        numbers, drawn = facts(self._graph), Drawn()
        if self._plan or message or shown.folds:
            numbers, drawn = self._planned(numbers, name, shown.pictures, failed=bool(message))
        # The names that Keras gave depend on what was built before.
        paths = stable_paths(self._graph) if made.accept else {}
        accept = re.sub(r"[^\s;,'\"{}\[\]]+", lambda word: paths.get(word[0], word[0]), made.accept)
        return replace(
            made,
            accept=accept,
            model=name,
            message=line,
            facts=numbers,
            growth=self.growth,
            drawn=drawn,
        )

    def _planned(
        self, numbers: Facts, name: str, pictures: Path | None, *, failed: bool
    ) -> tuple[Facts, Drawn]:
        """What folds, and drawings; a fault in planning is no fault of the model."""
        from pytest_layercount.report.facts import with_plan

        graph = self.graph()
        try:
            plan = self._plan or measure.structural_plan(self.model, graph)
            graph, plan = renamed(graph, plan, name)
            drawn = self._drawn(graph, plan, pictures, failed=failed) if pictures else Drawn()
            return with_plan(numbers, plan), drawn
        except Exception as error:  # noqa: BLE001 -- whatever a user's rule raises
            return replace(numbers, unplanned=with_its_type(error)), Drawn()

    def _drawn(self, graph: ModelGraph, plan: Plan, folder: Path, *, failed: bool) -> Drawn:
        from pytest_layercount.report.drawing import dot_text, judged_text

        picture = leave(dot_text(graph, plan), folder)
        if not failed or self.check in _ABOUT_FOLDING:
            return Drawn(picture, picture)
        return Drawn(picture, leave(judged_text(graph, plan, folded=self.folded), folder))


_ABOUT_FOLDING = ("foldable", "equivalent")
"""The checks whose failure is seen in both, the model and what folding leaves of it."""


@dataclass(frozen=True)
class Drawn:
    """The names of drawings: of the model before and after folding, and of what failed."""

    picture: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Draft:
    """A judgement whose test has not ended. ``identity`` finds the model among its fixtures."""

    check: str
    model: str
    message: str
    accept: str
    limits: tuple[Limit, ...]
    facts: Facts | None = None
    growth: Growth | None = None
    drawn: Drawn = Drawn()
    identity: int = 0

    def finished(self, item: pytest.Item, *, failed: bool) -> Judgement:
        """The judgement; ``failed`` says what became of the test ``item``."""
        outcome: Outcome = "passed"
        if self.message:
            outcome = "failed" if failed else "expected"
        origin = origin_of(item, self.identity)
        return Judgement(
            test=item.nodeid,
            model=origin.name if origin else self.model,
            where=origin.where if origin else "",
            check=self.check,
            outcome=outcome,
            message=self.message,
            accept=self.accept,
            limits=self.limits,
            facts=self.facts,
            growth=self.growth,
            picture=self.drawn.picture,
            failure=self.drawn.failure,
        )


_ACCEPT = re.compile(r"to (?:accept|write it)[^:]*: (.+)")


def _accept(message: str) -> str:
    """``max=156`` of the line ``to accept: max=156``."""
    found = [match[1] for line in message.splitlines() if (match := _ACCEPT.match(line))]
    return found[-1] if found else ""


def _without_name(line: str, name: str) -> str:
    """``187 layers > max 150 (+37)`` of ``detector: 187 layers > max 150 (+37)``."""
    if line.startswith(f"{name}: "):
        return line[len(name) + 2 :]
    shortened, cut, fact = line.partition("\u2026: ")
    return fact if cut and name.startswith(shortened) else line
