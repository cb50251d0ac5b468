"""A model while it is judged: read once, with errors a reader can act on.

The engine is imported here and only when a model is there to be judged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_layercount.checks.judgement import Facts, Growth, Judgement, Limit
from pytest_layercount.errors import ModelError, reading_needs_tensorflow, with_its_type
from pytest_layercount.model.graph import ModelGraph

if TYPE_CHECKING:
    from pytest_layercount.compare.source import Source
    from pytest_layercount.folding.plan import Plan

    Draw = Callable[[ModelGraph, Plan], tuple[str, str]]
    """Leaves drawings, of a model before and after folding and of what failed: their names."""

_NOT_DRAWN = ("", "")

FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "h5py")


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
            self._graph = read(self.model)
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
            self._plan = plan(self.model)
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
            plan = self._plan or structural_plan(self.model, graph)
            graph, plan = renamed(graph, plan, name)
            return with_plan(numbers, plan), draw(graph, plan) if draw else _NOT_DRAWN
        except Exception as error:  # noqa: BLE001 -- whatever a user's rule raises
            return replace(numbers, unplanned=with_its_type(error)), _NOT_DRAWN


def read(model: Any) -> ModelGraph:
    """The structure of ``model``."""
    __tracebackhide__ = True
    with said_plainly(model):
        from pytest_layercount.model import readers

        if not _is_live(model):
            return readers.read_graph(model)
        from pytest_layercount.folding.cache import graph_of

        return graph_of(model)


def with_closed_seen(model: Any, graph: ModelGraph) -> ModelGraph:
    """The structure, from the model loaded where its file does not tell what layers hold."""
    __tracebackhide__ = True
    if not (isinstance(model, (str, Path)) and any(layer.closed for layer in graph.every())):
        return graph
    from pytest_layercount.model import readers

    try:
        return readers.read_graph(readers.live_model(model))
    except ModelError:
        return graph  # which says itself what it does not tell


def read_source(model: Any) -> Source:
    """The structure of ``model``, and its weights where they can be read."""
    __tracebackhide__ = True
    with said_plainly(model):
        from pytest_layercount.compare.source import source_of

        return source_of(model)


def plan(model: Any) -> Plan:
    """What folds in ``model``; its values decide where the structure cannot."""
    __tracebackhide__ = True
    with said_plainly(model):
        if not _is_live(model):
            from pytest_layercount.folding import plan_fold

            return plan_fold(model, resolve=not isinstance(model, ModelGraph))
        from pytest_layercount.folding.cache import plan_of

        return plan_of(model)


def structural_plan(model: Any, graph: ModelGraph) -> Plan:
    """What folds in ``model``, which was read as ``graph``, for a report alone.

    Weights are read only where the structure cannot decide.
    """
    from pytest_layercount.folding.planner import plan_graph

    if graph.seen == "one call":
        return plan_graph(graph, passes=())
    if not _is_live(model):
        return plan_graph(graph)
    from pytest_layercount.folding.cache import structural_plan_of

    try:
        return structural_plan_of(model)
    except ModelError:  # What only counts layers must not fail for this.
        return plan_graph(graph)


def _is_live(model: object) -> bool:
    """Whether it is a Keras model, which is read once for as long as it stays as it is."""
    from pytest_layercount.model.keras.adapter import generation

    return generation(model) is not None


class said_plainly:  # noqa: N801  used as a word in a with statement
    """Turn what keeps ``model`` from being read into a failure of one sentence.

    It is a class because a failure would be shown inside ``contextlib`` otherwise, and not
    at the user's line.
    """

    def __init__(self, model: object) -> None:
        self.model = model

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        __tracebackhide__ = True
        if isinstance(error, ModelError):
            _fail(str(error))
        missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
        if missing.partition(".")[0] in FRAMEWORKS:
            _fail(reading_needs_tensorflow(self.model))


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
