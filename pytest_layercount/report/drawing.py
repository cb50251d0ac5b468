"""Models as a picture, before and after folding or one and the other: text for Graphviz.

Models stand side by side, every chain of layers as a box with a row for each layer, and
of blocks that repeat themselves the first. Colours say what becomes of a layer; the
legend says what the colours mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_layercount.folding.plan import Plan
from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.report.boxes import COLOURS, FAINT, Mark
from pytest_layercount.report.graphviz import run_dot
from pytest_layercount.report.sides import Side
from pytest_layercount.text import number

if TYPE_CHECKING:
    from pytest_layercount.compare.explain import Explanation

LEGEND: Mapping[str, str] = {
    "folds": "folds into a neighbour",
    "refused": "stays",
    "removed": "does nothing at inference: removed",
    "absorbs": "took up what folded",
    "gone": "only in the first model",
    "new": "only in the second model",
    "changed": "configured or connected otherwise",
}
NOTHING = "nothing folds and nothing is left to fold"
SAME = "nothing differs but names"

_FONT = "Helvetica,Arial,sans-serif"


def dot_text(graph: ModelGraph, plan: Plan) -> str:
    """The picture of ``graph`` and of what ``plan`` leaves of it, for Graphviz."""
    return _picture([_before(graph, plan, "a"), _after(plan, "folded", "b")], NOTHING)


def judged_text(graph: ModelGraph, plan: Plan, *, folded: bool) -> str:
    """The picture of ``graph`` alone, or of what ``plan`` leaves of it, for Graphviz."""
    side = _after(plan, f"{graph.name}, folded", "a") if folded else _before(graph, plan, "a")
    return _picture([side], NOTHING)


def difference_text(one: ModelGraph, two: ModelGraph, explanation: Explanation) -> str:
    """The picture of two models whose difference is explained, for Graphviz.

    The rows with a colour are the layers that the causes concern, and those that changed.
    """
    gone, new = {}, {}
    for change in explanation.changed:
        note = ", ".join(change.attributes)
        gone[change.before] = new[change.after] = Mark("changed", note, note)
    for cause in explanation.causes:
        # Layers with other weights are there in both models.
        states = ("changed",) * 2 if cause.code == "other-weights" else ("gone", "new")
        gone.update(dict.fromkeys(cause.before, Mark(states[0], cause.code, cause.code)))
        new.update(dict.fromkeys(cause.after, Mark(states[1], cause.code, cause.code)))
    sides = [
        Side("a", one, _title(one.name, one), gone),
        Side("b", two, _title(two.name, two), new),
    ]
    return _picture(sides, SAME)


def svg(graph: ModelGraph, plan: Plan) -> str:
    """The picture as an ``<svg>`` element, ready for a file or a page.

    Raises:
        LayercountError: Graphviz is not installed or fails.
    """
    text = run_dot(dot_text(graph, plan), "svg").decode("utf-8")
    return text[text.index("<svg") :]


def _before(graph: ModelGraph, plan: Plan, prefix: str) -> Side:
    marks = {path: Mark("removed") for path in plan.removed}
    for fold in plan.folds:
        note = _folds_into(fold.into, fold.condition)
        marks[fold.layer] = Mark("folds", fold.condition, note)
    return Side(prefix, graph, _title(graph.name, graph), {**marks, **_refused(plan)})


def _after(plan: Plan, name: str, prefix: str) -> Side:
    marks = {path: Mark("absorbs") for fold in plan.folds for path in fold.into}
    return Side(prefix, plan.graph, _title(name, plan.graph), {**marks, **_refused(plan)})


def _refused(plan: Plan) -> dict[str, Mark]:
    return {
        refusal.layer: Mark("refused", refusal.reason, f"stays: {refusal.reason}")
        for refusal in plan.refusals
    }


def _folds_into(into: Sequence[str], condition: str) -> str:
    names = [path.rpartition("/")[2] for path in into]
    where = names[0] if len(names) == 1 else f"{len(names)} layers"
    return f"into {where}{f', if {condition}' if condition else ''}" if names else condition


def _title(name: str, graph: ModelGraph) -> str:
    return f"{name}: {number(count_graph(graph).total, 'layer')}"


def _picture(sides: Sequence[Side], nothing: str) -> str:
    used = {side.mark(node).state for side in sides for node in range(len(side.graph.nodes))}
    lines = [
        "digraph model {",
        f'graph [fontname="{_FONT}", fontsize=14, ranksep=0.3, nodesep=0.35, pad=0.3,',
        f' labelloc=t, bgcolor="white", label=<{_legend(used, nothing)}>];',
        f'node [fontname="{_FONT}", fontsize=10, shape=plain];',
        f'edge [color="{FAINT}", arrowsize=0.6];',
        *(line for side in sides for line in side.lines()),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _legend(used: set[str], nothing: str) -> str:
    cells = "".join(
        f'<td bgcolor="{background}"><font color="{colour}">{LEGEND[state]}</font></td>'
        for state, (background, colour) in COLOURS.items()
        if state in used
    )
    if not cells:
        cells = f"<td>{nothing}</td>"
    look = 'border="0" cellborder="0" cellspacing="6" cellpadding="4"'
    return f"<table {look}><tr>{cells}</tr></table>"
