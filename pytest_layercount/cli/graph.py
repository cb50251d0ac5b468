"""``layercount graph``: a picture of a model before and after folding."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pytest_layercount import messages
from pytest_layercount.cli.answer import Answer, counted
from pytest_layercount.cli.answer import planned as plan_facts
from pytest_layercount.cli.files import check_target
from pytest_layercount.cli.models import framework_for, named, planned
from pytest_layercount.cli.quiet import quiet
from pytest_layercount.files import replaced
from pytest_layercount.model.count import count_graph

_WORDS = messages.commands.GRAPH
_SUFFIXES = (".svg", ".png", ".pdf", ".dot")


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser("graph", **_WORDS.about)
    parser.add_argument("model", metavar="MODEL", help=messages.commands.MODEL)
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, help=_WORDS.options["out"])
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Draw the model to a file, or give the text that Graphviz draws."""
    from pytest_layercount.model.readers import read_graph
    from pytest_layercount.report.drawing import dot_text, picture

    out = options.out
    if out is not None:
        # A picture can be made again: only the model itself must not be written over.
        check_target(out, _SUFFIXES, force=True, source=options.model)
    model = named(options.model)
    with quiet(), framework_for(options.model):
        graph = read_graph(model)
    plan = planned(model, options.model)
    text = dot_text(graph, plan)
    if out is not None:
        form = out.suffix.removeprefix(".")
        drawn = text.encode() if form == "dot" else picture(graph, plan, form)
        with replaced(out) as path:
            path.write_bytes(drawn)
    before, after = count_graph(graph), count_graph(plan.graph)
    facts = {"before": counted(before), "after": counted(after), **plan_facts(plan)}
    return Answer(
        text.rstrip() if out is None else messages.commands.drawn(before, after, out),
        {**facts, "dot": text, "written": None if out is None else str(out)},
    )
