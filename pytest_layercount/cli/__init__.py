"""The command ``layercount``: count, fold, explain and draw models without pytest.

A subcommand is a module with ``add``, which declares it, and ``run``, which answers
with what was found. To add one, name its module in :data:`COMMANDS`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from pytest_layercount import __version__
from pytest_layercount.checks.arguments import ArgumentError
from pytest_layercount.cli import compare, count, explain, fold, graph
from pytest_layercount.cli.answer import Answer
from pytest_layercount.errors import LayercountError
from pytest_layercount.model.keras.load import trusting_stored_code
from pytest_layercount.text import json_text, printable

COMMANDS = (count, fold, explain, graph, compare)

GOOD, BAD, USAGE, INTERRUPTED = 0, 1, 2, 130
"""The exit codes. ``BAD``: the models differ, or one does not keep its limits."""

_SCHEMA = 1
"""The version of what ``--json`` prints: raised when a key changes its meaning or goes."""


_EPILOG = """\
A MODEL is a saved model, or code that makes one, its arguments being literals:
  detector.keras
  "keras.applications:MobileNetV2(weights=None)"
  detectors.zoo:build

exit codes: 0 good, 1 the models differ or a limit is not kept, 2 wrong usage or no such model"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        with trusting_stored_code(options.trust_stored_code):
            answer: Answer = options.run(options)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except ArgumentError as error:
        return _complain(str(error.of(options.command)), USAGE)
    except LayercountError as error:
        return _complain(str(error), USAGE)
    except Exception as error:
        if options.traceback:
            raise
        said = (str(error).strip() or "nothing said").splitlines()[0]
        where = "layercount --traceback shows where"
        return _complain(f"{type(error).__name__}: {said} ({where})", USAGE)
    _print(_as_json(options.command, answer) if options.json else printable(answer.text))
    return GOOD if answer.good else BAD


class _Parser(argparse.ArgumentParser):
    """What argparse says repeats what was given."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable(message), file)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="layercount",
        description="Count, fold, explain and draw Keras models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show where an unexpected error comes from"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        made = command.add(commands)
        made.formatter_class = argparse.RawDescriptionHelpFormatter
        made.add_argument("--json", action="store_true", help="print JSON instead of text")
        made.set_defaults(run=command.run, trust_stored_code=False)
        if command is not compare:
            made.add_argument(
                "--trust-stored-code",
                action="store_true",
                help="load a model file even if Python code is stored in it, which runs that code",
            )
    return parser


def _as_json(command: str, answer: Answer) -> str:
    facts = {"schema": _SCHEMA, "command": command, **answer.facts}
    return json_text(json.dumps(facts, indent=2, default=str))  # a configuration may hold anything


def _print(text: str) -> None:
    """Print ``text`` all at once; whoever reads it may have gone."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # it may not take all letters
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try once more when it ends, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"layercount: {printable(sentence)}\n")
    return code
