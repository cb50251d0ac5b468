"""Print the table: ``python -m tests.faults [--seeds 20] [model ...]``."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.faults.models import NAMES, make
from tests.faults.table import Row, header, line, summary


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("models", nargs="*", default=[], metavar="model", help=", ".join(NAMES))
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    say(header())
    rows: list[Row] = []
    for name in given.models or NAMES:
        started = time.monotonic()
        rows.append(Row.of(name, make(name), given.seeds))
        say(line(rows[-1], time.monotonic() - started))
    say(summary(rows))
    return 0 if all(row.flawless for row in rows) else 1


raise SystemExit(main())
