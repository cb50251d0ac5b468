"""``layercount compare``: the models of a test suite in several TensorFlows."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pytest_layercount.cli.answer import Answer, declare

_EXAMPLES = """\
  pytest --layercount-record=records/tf-2.15.json
  layercount compare records/*.json --expect "detector: operations: not layers in Keras 3"
  layercount compare records/*.json --markdown > upgrade.md"""


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser = declare(
        commands,
        "compare",
        "the models of a test suite in several TensorFlow and Keras versions",
        _EXAMPLES,
    )
    parser.add_argument(
        "records",
        nargs="+",
        metavar="RECORD",
        help="what pytest --layercount-record=FILE wrote, the oldest version first",
    )
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="TEXT",
        help="a difference that may be, as 'model: cause: reason'; may be repeated",
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print the matrix as a markdown table"
    )
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Compare the records; what differs and was not expected is not good."""
    from pytest_layercount.kept.comparison import Cell, compare_records
    from pytest_layercount.report import matrix

    found = compare_records(*options.records, expect=options.expect)

    def cell(one: Cell) -> dict[str, Any]:
        record, pair = one.record, one.pair
        counts = {count: record.count(count) for count in ("layers", "nodes", "top")}
        return {
            **({"problem": record.problem} if record.graph is None else counts),
            "parameters": record.parameters,
            "computed": record.computed,
            "unrun": record.unrun,
            "findings": [asdict(finding) for finding in one.unexpected],
            "expected": [
                {**asdict(finding), "reason": known.reason} for finding, known in one.expected
            ],
            "outputs": [] if pair is None else [asdict(gap) for gap in pair.gaps],
        }

    write = matrix.markdown if options.markdown else matrix.matrix
    return Answer(
        write(found),
        {
            "versions": list(found.columns),
            "models": {name: [*map(cell, cells)] for name, cells in found.rows.items()},
            "stale": [asdict(one) for one in found.stale],
            "summary": dict(matrix.summary(found)),
        },
        good=found.good,
    )
