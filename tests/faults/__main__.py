"""Print the table: ``python -m tests.faults [--seeds 20] [--state FILE] [model ...]``.

It takes a while. With ``--state`` what was found is kept in a file, seed by seed, and a
run that was stopped is taken up where it stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from pytest_layercount.files import beside
from tests.faults.kinds import lines
from tests.faults.models import NAMES, make
from tests.faults.subject import Subject
from tests.faults.table import Row, header, line, summary


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--state", type=Path)
    parser.add_argument("models", nargs="*", default=[], metavar="model", help=", ".join(NAMES))
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rows: dict[str, Row] = {}
    if given.state and given.state.exists():
        rows = {name: Row(**row) for name, row in json.loads(given.state.read_text()).items()}
    names = given.models or NAMES
    say(header())
    for name in names:
        row = rows.setdefault(name, Row(name))
        subject = Subject(make(name)) if row.seeds < given.seeds else None
        while subject is not None and row.seeds < given.seeds:
            row.add(subject, row.seeds)
            if given.state:
                found = {name: asdict(row) for name, row in rows.items() if row.seeds}
                with beside(given.state) as new:
                    new.write_text(json.dumps(found, indent=1))
        say(line(row))
    say(summary([rows[name] for name in names]))
    if given.models:
        return 0 if all(rows[name].flawless for name in names) else 1
    said, flawless = lines(given.seeds)
    say("\n".join(["", *said]))
    return 0 if flawless and all(rows[name].flawless for name in names) else 1


raise SystemExit(main())
