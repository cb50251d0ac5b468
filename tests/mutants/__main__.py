"""Change the package a little, and see whether a test fails: ``python -m tests.mutants``.

A mutant counts as killed when a test that executes its line fails, or runs without end.
First it is found out, once, which tests execute which lines; a mutant is then given the
tests that do, the quickest first, and at last the tests that start processes, where
lines are not seen. No other test can tell the mutant from what it was. All is kept in the
folder ``--state``, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.lines import Lines, fingerprint, test_files
from tests.mutants.mutations import Mutant, mutants
from tests.mutants.running import (
    NOTHING,
    ROOT,
    TOO_LONG,
    Child,
    fork,
    import_frameworks,
    make_copy,
    run_tests,
    trace,
)

PLACES = (
    "folding",
    "model",
    "compare",
    "kept",
    "checks",
    "marker.py",
    "fixtures.py",
)
"""What is changed: the engine, and the checks."""

TESTS = ("tests", "tests/report", "tests/session")
OWN = ("tests/mutants/", "tests/test_startup.py")
"""Tests of no use here: of the mutants themselves, and of how long something takes."""

QUICK = 10.0
"""The seconds of tests that a mutant is given first."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=300, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--most", type=float, default=math.inf, help="seconds of tests that a mutant is given"
    )
    parser.add_argument("--state", type=Path, default=Path(".mutants"))
    parser.add_argument("--under", nargs="*", default=PLACES, help="files of the package")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="files of tests")
    given = parser.parse_args()
    files = [file for file in test_files(list(given.tests)) if not file.startswith(OWN)]
    lines = Lines(given.state / "lines", files)
    state = _state(given.state, fingerprint(files))
    lines.folder.mkdir(parents=True, exist_ok=True)
    sample = _sample(given.under, given.number, given.seed)
    import_frameworks()
    copies = [make_copy() for _ in range(given.workers)]
    try:
        _map(lines, copies)
        lines.load()
        _say_unusable(lines)
        results = json.loads(state.read_text(encoding="utf-8"))["results"]
        pending = [mutant for mutant in sample if mutant.key not in results]
        for key, result in _judged(pending, lines, copies, given.most):
            results[key] = result
            written = json.loads(state.read_text(encoding="utf-8")) | {"results": results}
            state.write_text(json.dumps(written, indent=1), encoding="utf-8")
    finally:
        for copy in copies:
            shutil.rmtree(copy, ignore_errors=True)
    return _summary(sample, results)


def _state(folder: Path, made_of: str) -> Path:
    """The file of results, begun anew where the sources are others."""
    state = folder / "results.json"
    if state.exists() and json.loads(state.read_text(encoding="utf-8"))["of"] == made_of:
        return state
    shutil.rmtree(folder / "lines", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    state.write_text(json.dumps({"of": made_of, "results": {}}), encoding="utf-8")
    return state


def _sample(under: list[str], number: int, seed: int) -> list[Mutant]:
    found: list[Mutant] = []
    for place in under:
        path = ROOT / "pytest_layercount" / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found += mutants(file.relative_to(ROOT).as_posix(), file.read_bytes())
    return random.Random(seed).sample(found, min(number, len(found)))


def _map(lines: Lines, copies: list[Path]) -> None:
    """Find out which tests execute which lines, a file of tests at a time."""
    missing = lines.missing()
    say(f"{len(lines.files)} files of tests, {len(missing)} of them to be traced")
    running: dict[Path, tuple[str, Child]] = {}
    folder = lines.folder.absolute()
    while missing or running:
        for copy in copies:
            if copy in running and running[copy][1].poll():
                file, child = running.pop(copy)
                if child.status or not lines.note(file).exists():
                    said = (copy / "output.txt").read_text(errors="replace")[-2000:]
                    raise SystemExit(f"{file}: cannot be traced: {said}")
            if copy not in running and missing:
                file = missing.pop(0)
                data, note = folder / lines.data(file).name, folder / lines.note(file).name
                data.unlink(missing_ok=True)

                def work(file: str = file, data: Path = data, note: Path = note) -> int:
                    return trace(file, data, note)

                running[copy] = (file, fork(copy, work, 3600))
        time.sleep(0.05)


def _say_unusable(lines: Lines) -> None:
    say(f"{len(lines.seconds)} tests take {sum(lines.seconds.values()):,.0f} s")
    for test in sorted(lines.unusable):
        say(f"   fails as it is, so it is left out: {test}")


@dataclass
class Job:
    """A mutant in a copy, given one group of tests after the other."""

    mutant: Mutant
    copy: Path
    groups: list[list[str]]
    lines: Lines
    child: Child | None = None
    began: float = 0.0

    def start(self) -> None:
        source = (ROOT / self.mutant.path).read_bytes()
        (self.copy / self.mutant.path).write_bytes(self.mutant.applied(source))
        self.began = time.monotonic()

    def end(self) -> None:
        shutil.copy(ROOT / self.mutant.path, self.copy / self.mutant.path)

    @property
    def verdict(self) -> Path:
        return self.copy / "verdict.json"

    def step(self) -> dict[str, Any] | None:
        """Go on; the result once it is known."""
        if self.child is not None:
            if not self.child.poll():
                return None
            if self.child.status not in {0, NOTHING}:
                return self._result(*self._killed(self.child.status))
        if not self.groups:
            return self._result("survived", "")
        tests = self.groups.pop(0)
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        expected = sum(self.lines.seconds[test] for test in tests)
        self.verdict.unlink(missing_ok=True)
        self.child = fork(
            self.copy, lambda: run_tests(files, tests, self.verdict), 60 + 5 * expected
        )
        return None

    def _killed(self, status: int) -> tuple[str, str]:
        if status == TOO_LONG:
            return "timeout", ""
        failed = json.loads(self.verdict.read_text()) if self.verdict.exists() else []
        return "killed", failed[0] if failed else f"pytest ended with {status}"

    def _result(self, outcome: str, test: str) -> dict[str, Any]:
        took = round(time.monotonic() - self.began, 1)
        return {"outcome": outcome, "test": test, "seconds": took}


def _judged(
    pending: list[Mutant], lines: Lines, copies: list[Path], most: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The result of each mutant, as it comes."""
    running: dict[Path, Job] = {}
    while pending or running:
        for copy in copies:
            if copy not in running and pending:
                mutant = pending.pop(0)
                running[copy] = Job(mutant, copy, _groups(mutant, lines, most), lines)
                running[copy].start()
            result = running[copy].step() if copy in running else None
            if result is not None:
                job = running.pop(copy)
                job.end()
                say(f"{result['outcome']:9}{result['seconds']:6.1f} s  {result['test']}")
                yield job.mutant.key, result
        time.sleep(0.02)


def _groups(mutant: Mutant, lines: Lines, most: float) -> list[list[str]]:
    """The tests a mutant is given: quick ones, others, and those that start processes.

    No more than take ``most`` seconds: of each file its quickest, then the second of each, and
    so on, for the tests of a file look at much the same.
    """
    tests = _in_turn(sorted(lines.tests_of(mutant), key=lines.seconds.__getitem__))
    rest = sorted(lines.starting - {*tests} - lines.unusable, key=lines.seconds.__getitem__)
    groups: list[list[str]] = [[], [], []]
    spent = 0.0
    for test in (*tests, *rest):
        spent += lines.seconds[test]
        if spent <= most:
            groups[(1 if spent > QUICK else 0) if test in tests else 2].append(test)
    return [group for group in groups if group]


def _in_turn(tests: list[str]) -> list[str]:
    """The first test of each file, then the second of each."""
    turns: Counter[str] = Counter()
    order = []
    for place, test in enumerate(tests):
        file = test.partition("::")[0]
        order.append((turns[file], place, test))
        turns[file] += 1
    return [test for _, _, test in sorted(order)]


def _summary(sample: list[Mutant], results: dict[str, Any]) -> int:
    outcomes = Counter(results[mutant.key]["outcome"] for mutant in sample)
    for mutant in sample:
        if results[mutant.key]["outcome"] == "survived":
            say(mutant.difference((ROOT / mutant.path).read_bytes()))
    dead = outcomes["killed"] + outcomes["timeout"]
    say(
        f"{len(sample)} mutants: {outcomes['killed']} killed, {outcomes['timeout']} timeouts, "
        f"{outcomes['survived']} survived: {dead / max(len(sample), 1):.1%} noticed"
    )
    return 0 if dead >= 0.95 * len(sample) else 1


raise SystemExit(main())
