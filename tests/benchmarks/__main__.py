"""Print the table: ``python -m tests.benchmarks [--json FILE] [part ...]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.benchmarks import apart, live
from tests.benchmarks.others import others
from tests.benchmarks.rows import HEADER, Row
from tests.kerases import load_keras

PARTS: Mapping[str, Callable[[], Iterator[Row]]] = {
    "start-up": apart.start_up,
    "checks": apart.checks,
    "counting": live.counting,
    "folding": live.folding,
    "memory": apart.memory,
    "growth": live.growth,
    "comparing": live.comparing,
    "explaining": live.explaining,
    "reading": apart.reading,
    "others": others,
}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled once, not each time
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    versions = _versions()
    say(f"{versions}\n\n{HEADER}")
    rows = []
    for part in given.parts or PARTS:
        for row in PARTS[part]():
            rows.append(row)
            say(row.line())
    found = {"versions": versions, "rows": [row.as_json() for row in rows]}
    given.json.write_text(json.dumps(found, indent=2) + "\n")
    missed = [row for row in rows if row.met is False]
    say(f"\n{len(missed)} of {sum(row.goal is not None for row in rows)} goals not met")
    return 0


def _versions() -> str:
    import tensorflow as tf

    keras = f"Keras {load_keras().__version__}"
    return f"Python {platform.python_version()}, TensorFlow {tf.__version__}, {keras}"


raise SystemExit(main())
