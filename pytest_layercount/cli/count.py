"""``layercount count``: how many layers a model has, and whether it keeps its limits."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pytest_layercount import messages
from pytest_layercount.checks.arguments import checked, from_text
from pytest_layercount.checks.judgement import Limit
from pytest_layercount.checks.layercount import (
    Limits,
    check_folded,
    in_order,
    large,
    limited,
)
from pytest_layercount.checks.measures import MEASURES
from pytest_layercount.cli.answer import Answer, counted
from pytest_layercount.cli.models import named, planned, structure
from pytest_layercount.messages.commands import option
from pytest_layercount.model.count import COUNTS, count_graph, require_parameters, rows

_WORDS = messages.commands.COUNT


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser("count", **_WORDS.about)
    parser.add_argument("model", metavar="MODEL", help=messages.commands.MODEL)
    parser.add_argument("--count", choices=COUNTS, default="layers", help=messages.commands.HOW)
    parser.add_argument("--folded", action="store_true", help=_WORDS.options["folded"])
    for name in ("max", "min", "exactly"):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=_WORDS.options[name])
    for measure in MEASURES.values():
        parser.add_argument(option(measure.keyword), metavar="N", help=measure.help)
    parser.add_argument(
        "--type", action="append", type=_limit, metavar="TYPE=N", help=_WORDS.options["type"]
    )
    parser.add_argument("--list", action="store_true", help=_WORDS.options["list"])
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Count, and judge the count if there is a limit."""
    limits = _limits(options)
    if options.folded:
        graph = planned(named(options.model), options.model).graph
    else:
        graph = structure(options.model)
    measured = count_graph(graph, options.count)
    if limits.of_weights:
        require_parameters(measured)
    broken = in_order(limits.judge(measured))
    facts = {
        "model": counted(measured),
        "folded": options.folded,
        "violations": [_violation(limit) for limit in broken],
    }
    listed = rows(graph) if options.list else []
    if listed:
        facts["layers"] = [asdict(row) for row in listed]
    text = messages.commands.count(
        measured, broken, large(graph, broken), listed, folded=options.folded
    )
    return Answer(text, facts, good=not broken)


def _violation(limit: Limit) -> dict[str, Any]:
    """A limit that is broken, as JSON."""
    type_ = limit.of if limit.name == "types" else ""
    return {"keyword": limit.name, "value": limit.value, "limit": limit.limit, "type": type_}


def _limits(options: argparse.Namespace) -> Limits:
    given = {
        "max": options.max,
        "min": options.min,
        "exactly": options.exactly,
        "types": dict(options.type) if options.type else None,
        **{keyword: _given(options, keyword) for keyword in MEASURES},
        "count": options.count,
        "folded": options.folded,
    }
    arguments = checked(given)
    if limited(arguments):
        return Limits.of(arguments)
    check_folded(folded=options.folded, count=options.count)
    return Limits(count=options.count, folded=options.folded)


def _given(options: argparse.Namespace, keyword: str) -> str | int | None:
    text = getattr(options, keyword)
    return None if text is None else from_text(text)


def _limit(text: str) -> tuple[str, int]:
    name, _, most = text.partition("=")
    if not (name and most.isdecimal()):
        raise argparse.ArgumentTypeError(messages.commands.not_a_type_limit(text))
    return name, int(most)
