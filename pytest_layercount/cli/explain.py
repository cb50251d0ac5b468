"""``layercount explain``: why two models count differently."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pytest_layercount import messages
from pytest_layercount.cli.answer import Answer, explained
from pytest_layercount.cli.models import source
from pytest_layercount.model.count import COUNTS

_WORDS = messages.commands.EXPLAIN


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser("explain", **_WORDS.about)
    parser.add_argument("model", metavar="MODEL", help=messages.commands.MODEL)
    parser.add_argument("other", metavar="OTHER", help=_WORDS.options["other"])
    parser.add_argument("--count", choices=COUNTS, default="layers", help=messages.commands.HOW)
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="CAUSE", help=_WORDS.options["ignore"]
    )
    parser.add_argument("--all", action="store_true", help=_WORDS.options["all"])
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Explain the difference, which is not good unless everything that differs is ignored."""
    from pytest_layercount.checks.structure import check_codes, difference

    codes = check_codes(options.ignore)
    from pytest_layercount.compare.explain import explain_sources

    explanation = explain_sources(source(options.model), source(options.other), options.count)
    found = difference(explanation, codes)
    return Answer(
        messages.commands.explanation(found, whole=options.all),
        {
            **explained(explanation),
            "causes": [asdict(cause) for cause in found.causes],
            "changed": [asdict(change) for change in found.changed],
            "ignored": [asdict(cause) for cause in found.ignored],
        },
        good=found.good,
    )
