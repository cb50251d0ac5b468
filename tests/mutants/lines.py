"""Which tests execute which lines, found once and kept in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.mutants.mutations import Mutant, executed_at_import, imports
from tests.mutants.running import ROOT

READING = (
    "tests/model/keras/test_names.py",
    "tests/test_architecture.py",
    "tests/test_known_names.py",
)
"""Tests of the text of the package."""


def test_files(places: list[str]) -> list[str]:
    """The test files below ``places``, relative to the repository."""
    found: dict[str, None] = {}
    for place in places:
        path = ROOT / place
        files = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        found |= {file.relative_to(ROOT).as_posix(): None for file in files}
    return list(found)


def fingerprint(files: list[str]) -> str:
    """What the map was made of: it holds for no other sources."""
    made = hashlib.sha256()
    for file in sorted([*ROOT.glob("pytest_layercount/**/*.py"), *(ROOT / one for one in files)]):
        made.update(file.read_bytes())
    return made.hexdigest()


@dataclass
class Lines:
    """What was found, by test file; ``folder`` keeps a pair of files for each."""

    folder: Path
    files: list[str]
    notes: dict[str, Any] = field(default_factory=dict)
    _known: dict[str, list[dict[int, list[str]]]] = field(default_factory=dict)

    def data(self, file: str) -> Path:
        return self.folder / (file.replace("/", "+") + ".coverage")

    def note(self, file: str) -> Path:
        return self.folder / (file.replace("/", "+") + ".json")

    def missing(self) -> list[str]:
        return [file for file in self.files if not self.note(file).exists()]

    def load(self) -> None:
        for file in self.files:
            self.notes[file] = json.loads(self.note(file).read_text(encoding="utf-8"))

    @cached_property
    def seconds(self) -> dict[str, float]:
        return {
            test: took for note in self.notes.values() for test, took in note["seconds"].items()
        }

    @cached_property
    def unusable(self) -> set[str]:
        """Tests that fail as it is."""
        return {test for note in self.notes.values() for test in note["failed"]}

    @cached_property
    def starting(self) -> set[str]:
        """Tests that start processes, or read the package's own text, where no line is seen."""
        reading = {
            test for file in READING if file in self.notes for test in self.notes[file]["seconds"]
        }
        return reading | {test for note in self.notes.values() for test in note["starting"]}

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """The files that import from each file of the package."""
        found: dict[str, set[str]] = {}
        for file in ROOT.glob("pytest_layercount/**/*.py"):
            for name in imports(file.read_bytes()):
                home = ROOT / name.replace(".", "/")
                for target in (home.with_suffix(".py"), home / "__init__.py"):
                    if target.exists():
                        path = target.relative_to(ROOT).as_posix()
                        found.setdefault(path, set()).add(file.relative_to(ROOT).as_posix())
        return found

    def tests_of(self, mutant: Mutant) -> set[str]:
        """The tests that execute the line of a mutant.

        A line that runs when its module is imported belongs to no test: then those that
        execute anything in the module, or in one that imports from it.
        """
        source = (ROOT / mutant.path).read_bytes()
        if mutant.line in executed_at_import(source):
            paths = {mutant.path, *self.importers.get(mutant.path, ())}
            return self._usable(test for path in paths for test in self._executing(path, None))
        return self._usable(self._executing(mutant.path, mutant.line))

    def _usable(self, tests: Iterator[str]) -> set[str]:
        return {test for test in tests if test in self.seconds} - self.unusable

    def _executing(self, path: str, line: int | None) -> Iterator[str]:
        for found in self._contexts(path):
            if line is None:
                yield from (test for tests in found.values() for test in tests if test)
            else:
                yield from found.get(line, ())

    @cached_property
    def _traces(self) -> list[tuple[Any, dict[str, str]]]:
        """Of each test file: its trace, and what it calls the files of the package."""
        import coverage

        traces = []
        for file in self.files:
            trace = coverage.CoverageData(str(self.data(file)))
            trace.read()
            names = {name[name.rindex("pytest_layercount/") :]: name for name in _measured(trace)}
            traces.append((trace, names))
        return traces

    def _contexts(self, path: str) -> list[dict[int, list[str]]]:
        """Of each test file: the tests that execute each line of ``path``."""
        if path not in self._known:
            self._known[path] = [
                trace.contexts_by_lineno(names[path])
                for trace, names in self._traces
                if path in names
            ]
        return self._known[path]


def _measured(trace: Any) -> list[str]:
    return [name for name in trace.measured_files() if "pytest_layercount/" in name]
