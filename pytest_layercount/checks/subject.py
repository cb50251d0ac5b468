"""A model while it is judged: read once, with errors a reader can act on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_layercount import opening
from pytest_layercount.checks.judgement import Facts, Growth, Judgement, Limit
from pytest_layercount.errors import ModelError, with_its_type
from pytest_layercount.opening import framework_for

if TYPE_CHECKING:
    from pytest_layercount.compare.source import Source
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.graph import ModelGraph

    Draw = Callable[[ModelGraph, Plan], tuple[str, str]]
    """Leaves drawings, of a model before and after folding and of what failed: their names."""

_NOT_DRAWN = ("", "")


@dataclass
class Subject:
    """A model under judgement.

    ``place`` names a model that has no name of its own. ``limits`` and ``growth`` are for the
    check to set: what it judged by. So is ``folded``: whether it judged what is left after folding.
    """

    check: str
    model: Any
    place: str = ""
    limits: tuple[Limit, ...] = ()
    growth: Growth | None = None
    folded: bool = False
    _graph: ModelGraph | None = field(default=None, init=False)
    _plan: Plan | None = field(default=None, init=False)

    def graph(self) -> ModelGraph:
        """Its structure."""
        __tracebackhide__ = True
        if self._graph is None:
            with said_plainly(self.model):
                self._graph = opening.structure(self.model)
        return self._graph

    def source(self) -> Source:
        """Its structure, and its weights where they can be read."""
        __tracebackhide__ = True
        source = read_source(self.model)
        self._graph = source.graph
        return source

    def plan(self) -> Plan:
        """What folds in it."""
        __tracebackhide__ = True
        self.graph()
        if self._plan is None:
            with said_plainly(self.model):
                self._plan = opening.plan(self.model)
        return self._plan

    def fail(self, text: str) -> NoReturn:
        """Say what is wrong with it."""
        __tracebackhide__ = True
        _fail(text)

    def judgement(
        self, message: str, *, planned: bool = False, draw: Draw | None = None
    ) -> Judgement:
        """What there is to report, ``message`` being what was wrong with the model.

        What folds is told of a model that failed, and with ``planned`` of every other.
        """
        # A model that no fixture returned is called as itself, or else as what it is.
        line, name = message.partition("\n")[0], self.place or type(self.model).__name__
        if isinstance(self.model, (str, os.PathLike)):
            name = Path(self.model).name
        accept = _accept(message)
        made = Judgement("", name, "", self.check, "passed", line, accept, self.limits)
        if self._graph is None:
            return made
        from pytest_layercount.checks.facts import facts
        from pytest_layercount.model.names import model_name, stable_paths

        name = model_name(self._graph) or name
        numbers, drawn = facts(self._graph), _NOT_DRAWN
        if self._plan or message or planned:
            numbers, drawn = self._planned(self._graph, numbers, name, draw)
        # The names that Keras gave depend on what was built before.
        paths = stable_paths(self._graph) if accept else {}
        accept = re.sub(r"[^\s;,'\"{}\[\]]+", lambda word: paths.get(word[0], word[0]), accept)
        return replace(
            made,
            accept=accept,
            model=name,
            message=_without_name(line, self._graph.name),
            facts=numbers,
            growth=self.growth,
            picture=drawn[0],
            failure=drawn[1],
        )

    def _planned(
        self, graph: ModelGraph, numbers: Facts, name: str, draw: Draw | None
    ) -> tuple[Facts, tuple[str, str]]:
        """What folds, and the drawing of it; a fault in planning is no fault of the model."""
        from pytest_layercount.checks.facts import renamed, with_plan

        try:
            plan = self._plan or opening.structural_plan(self.model, graph)
            graph, plan = renamed(graph, plan, name)
            return with_plan(numbers, plan), draw(graph, plan) if draw else _NOT_DRAWN
        except Exception as error:  # noqa: BLE001 -- whatever a user's rule raises
            return replace(numbers, unplanned=with_its_type(error)), _NOT_DRAWN


def read_source(model: Any) -> Source:
    """The structure of ``model``, and its weights where they can be read."""
    __tracebackhide__ = True
    with said_plainly(model):
        return opening.source(model)


class said_plainly:  # noqa: N801  used as a word in a with statement
    """Turn what keeps ``model`` from being read into a failure of one sentence.

    It is a class because a failure would be shown inside ``contextlib`` otherwise, and not
    at the user's line.
    """

    def __init__(self, model: object) -> None:
        self._needs = framework_for(model)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        __tracebackhide__ = True
        try:
            self._needs.__exit__(kind, error, trace)
        except ModelError as missing:
            error = missing
        if isinstance(error, ModelError):
            _fail(str(error))


def _fail(text: str) -> NoReturn:
    """Fail a test; the command, which counts and explains as well, does without pytest."""
    __tracebackhide__ = True
    from pytest_layercount.failure import Failed

    raise Failed(text) from None


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
