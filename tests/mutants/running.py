"""Run tests on a copy of this repository, in processes forked from one with TensorFlow.

Importing TensorFlow takes longer than most tests. What imports it forks before any of its
operations has run, and before this package is imported, so that each child imports the
copy's. The copy is on disk, because tests start processes of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
COPIED = (
    "pytest_layercount",
    "tests",
    "docs",
    "pyproject.toml",
    "README.rst",
    "CHANGELOG.rst",
    "tox.ini",
)
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly")


def make_copy() -> Path:
    """A copy of the repository in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def import_frameworks() -> None:
    """What takes long to import; a copy must find none of this package imported."""
    for name in ("numpy", "h5py", "hypothesis", "tensorflow", "keras", "tf_keras"):
        with contextlib.suppress(ImportError):
            __import__(name)


@dataclass
class Child:
    """A forked process."""

    pid: int
    ends: float
    status: int | None = None

    def poll(self) -> bool:
        """Whether it has ended; one that takes too long is ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > self.ends:
                os.killpg(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self.status = TOO_LONG
        return self.status is not None


TOO_LONG, NOTHING = 124, int(pytest.ExitCode.NO_TESTS_COLLECTED)


def fork(copy: Path, work: Callable[[], int], seconds: float) -> Child:
    """Start ``work`` in a child that has ``copy`` for its repository."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return Child(pid, time.monotonic() + seconds)
    status = 3
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        _enter(copy)
        status = int(work())
    finally:
        os._exit(status)


def _enter(copy: Path) -> None:
    log = os.open(copy / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    root = str(ROOT)
    sys.path[:] = [str(copy), *(p for p in sys.path if p not in {"", root})]
    for name in list(sys.modules):
        if name.partition(".")[0] in {"tests", "pytest_layercount"}:
            del sys.modules[name]


@dataclass(eq=False)
class Chosen:
    """A pytest plugin that runs some tests only, and notes the first that fails."""

    wanted: Collection[str] | None
    failed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    starting: set[str] = field(default_factory=set)
    switch: Callable[[str], None] | None = None
    current: str = ""
    collected: bool = False

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        self.collected = True
        if self.wanted is not None:
            items[:] = [item for item in items if item.nodeid in self.wanted]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[Any]:
        self.current = item.nodeid
        if self.switch is not None:
            self.switch(item.nodeid)
        start = time.monotonic()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.monotonic() - start
            if self.switch is not None:
                self.switch("")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def run_tests(files: Sequence[str], wanted: Collection[str], verdict: Path) -> int:
    """Run the ``wanted`` tests of ``files`` until one fails, and write which did."""
    chosen = Chosen(set(wanted))
    status = pytest.main(["-x", "-q", "--no-header", *PLUGINS, *files], [chosen])
    verdict.write_text(json.dumps(chosen.failed), encoding="utf-8")
    return int(status)


def trace(file: str, data: Path, notes: Path) -> int:
    """Run all tests of ``file``, and write which lines each executes and how long it takes."""
    import coverage

    made = coverage.Coverage(
        data_file=str(data), source=[str(Path.cwd() / "pytest_layercount")], config_file=False
    )
    chosen = Chosen(None, switch=made.switch_context)
    begin = subprocess.Popen.__init__

    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        chosen.starting.add(chosen.current)
        begin(self, *args, **kwargs)

    subprocess.Popen.__init__ = noted  # type: ignore[method-assign]
    made.start()
    pytest.main(["-q", "--no-header", *PLUGINS, file], [chosen])
    made.stop()
    made.save()
    if not chosen.seconds and not chosen.collected:
        return 4
    notes.write_text(
        json.dumps(
            {
                "seconds": chosen.seconds,
                "failed": sorted(set(chosen.failed)),
                "starting": sorted(chosen.starting - {""}),
            }
        ),
        encoding="utf-8",
    )
    return 0
