"""``layercount explain``: why two models count differently."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pytest_layercount.checks.structure import (
    Difference,
    all_differences,
    check_codes,
    compared,
    difference,
    fact,
)
from pytest_layercount.cli.answer import Answer, declare, explained
from pytest_layercount.cli.models import HOW, MODEL, source
from pytest_layercount.model.count import COUNTS

_EXAMPLES = """\
  layercount explain trained.keras deployed.keras --ignore batch-norms-folded
  layercount explain old.h5 "detectors.zoo:build()" --count top"""


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser = declare(commands, "explain", "why two models count differently", _EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("other", metavar="OTHER", help="the model to compare with")
    parser.add_argument("--count", choices=COUNTS, default="layers", help=HOW)
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="CAUSE",
        help="the code of a cause that may make a difference; may be repeated",
    )
    parser.add_argument("--all", action="store_true", help="list every layer concerned")
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Explain the difference, which is not good unless everything that differs is ignored."""
    codes = check_codes(options.ignore)
    from pytest_layercount.compare.explain import explain_sources

    explanation = explain_sources(source(options.model), source(options.other), options.count)
    found = difference(explanation, codes)
    return Answer(
        _text(found, whole=options.all),
        {
            **explained(explanation),
            "causes": [asdict(cause) for cause in found.causes],
            "changed": [asdict(change) for change in found.changed],
            "ignored": [asdict(cause) for cause in found.ignored],
        },
        good=found.good,
    )


def _text(found: Difference, *, whole: bool) -> str:
    """How two models differ."""
    codes = [*(cause.code for cause in found.causes), *["changed"] * bool(found.changed)]
    accept = " ".join(f"--ignore {code}" for code in dict.fromkeys(codes))
    return "\n".join(
        [
            f"{found.explanation.after.model}: {fact(found)}",
            compared(found),
            *all_differences(found, whole=whole),
            *([f"to accept: {accept}"] if accept else []),
        ]
    )
