"""``layercount graph``: a picture of a model before and after folding, or of two models."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount import opening
from pytest_layercount.cli.answer import Answer, counted, declare, explained
from pytest_layercount.cli.answer import planned as plan_facts
from pytest_layercount.cli.files import check_target
from pytest_layercount.cli.models import MODEL, named, planned, source
from pytest_layercount.cli.quiet import quiet
from pytest_layercount.files import replaced
from pytest_layercount.model.count import count_graph

if TYPE_CHECKING:
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.model.count import LayerCount

_EXAMPLES = """\
  layercount graph detector.keras -o detector.svg
  layercount graph trained.keras deployed.keras -o difference.svg
  layercount graph "detectors.zoo:build()" | dot -Tpdf > detector.pdf"""
_SUFFIXES = (".svg", ".png", ".pdf", ".dot")


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser = declare(
        commands,
        "graph",
        "draw a model before and after folding, or what two models differ in",
        _EXAMPLES,
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument(
        "other",
        metavar="OTHER",
        nargs="?",
        help="a model to compare with: layers of one alone, and changed ones, have a colour",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        type=Path,
        help="write the picture here: .svg, .png, .pdf or .dot; without it, print DOT",
    )
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Draw to a file, or give the text that Graphviz draws."""
    if options.out is not None:
        # A picture can be made again: only the models themselves must not be written over.
        for source in filter(None, (options.model, options.other)):
            check_target(options.out, _SUFFIXES, force=True, source=source)
    return _folded(options) if options.other is None else _difference(options)


def _folded(options: argparse.Namespace) -> Answer:
    from pytest_layercount.report.drawing import dot_text

    model = named(options.model)
    with quiet():
        graph = opening.structure(model)
    plan = planned(model, options.model)
    text = dot_text(graph, plan)
    before, after = count_graph(graph), count_graph(plan.graph)
    facts = {"before": counted(before), "after": counted(after), **plan_facts(plan)}
    return _answer(options.out, text, facts, partial(_drawn, before, after))


def _difference(options: argparse.Namespace) -> Answer:
    from pytest_layercount.compare.explain import explain_sources
    from pytest_layercount.report.drawing import difference_text

    one, two = source(options.model), source(options.other)
    explanation = explain_sources(one, two)
    text = difference_text(one.graph, two.graph, explanation)
    facts = explained(explanation)
    return _answer(options.out, text, facts, partial(_difference_drawn, explanation))


def _answer(
    out: Path | None, text: str, facts: dict[str, Any], drawn: Callable[[Path], str]
) -> Answer:
    """Write the picture, or give its text."""
    facts |= {"dot": text, "written": None if out is None else str(out)}
    if out is None:
        return Answer(text.rstrip(), facts)
    from pytest_layercount.report.graphviz import run_dot

    form = out.suffix.removeprefix(".")
    picture = text.encode() if form == "dot" else run_dot(text, form)
    with replaced(out) as path:
        path.write_bytes(picture)
    return Answer(drawn(out), facts)


def _drawn(before: LayerCount, after: LayerCount, out: Path) -> str:
    """Where the picture is."""
    return f"{before.model}: {before.total} layers, {after.total} after folding: drawn to {out}"


def _difference_drawn(explanation: Explanation, out: Path) -> str:
    """Where the picture of two models is."""
    before, after = explanation.before, explanation.after
    counted = f"{before.total} -> {after.total} layers ({explanation.delta:+d})"
    return f"{before.model} and {after.model}: {counted}: drawn to {out}"
