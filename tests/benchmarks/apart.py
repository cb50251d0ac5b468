"""Rows that need a process of their own: start-up, memory, reading a file."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.models import TEN, application
from tests.benchmarks.rows import Row

SUITE = "import pytest\n\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): pass\n"

CHECKS = """
import time
import pytest
from tests.benchmarks.models import application

TIMES = {}

@pytest.fixture(scope="session")
def net():
    return application("ResNet50")

@pytest.fixture(scope="session", autouse=True)
def times():
    yield
    print("times", *("%.3f" % (1e3 * spent / 200) for spent in TIMES.values()))

@pytest.fixture(scope="class", autouse=True)
def timed(net, request):
    start = time.process_time()
    yield
    if not request.cls.__name__.startswith("TestFirst"):
        TIMES[request.cls.__name__] = time.process_time() - start

many = pytest.mark.parametrize("n", range(200))

class Plain:
    @many
    def test_it(self, net, n): pass

@pytest.mark.layercount(max=200)
class TestFirst:
    def test_it(self, net): pass

class TestPlain(Plain): pass

@pytest.mark.layercount(max=200)
class TestMark(Plain): pass

class TestFixture:
    @many
    def test_it(self, net, n, assert_layer_count): assert_layer_count(net, max=200)

class TestFoldable:
    @many
    def test_it(self, net, n, assert_foldable): assert_foldable(net)
"""
"""Many tests of one model, and as many that only ask for it."""

READING = """
import sys, time
started = time.process_time()
from pytest_layercount import count_layers
imported = time.process_time()
count_layers(sys.argv[1])
print(time.process_time() - imported, time.process_time(), "tensorflow" in sys.modules)
"""

MEMORY = """
import ctypes, gc, sys
from tests.benchmarks.models import application
from tests.kerases import load_keras
from pytest_layercount import fold

def kilobytes(what):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(what))

def cloned(model):
    copy = load_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy

copied = {"fold": lambda model: fold(model).model, "clone": cloned}[sys.argv[2]]
copied(application("MobileNetV2"))  # what is loaded and cached once
model = application(sys.argv[1])
gc.collect()
ctypes.CDLL(None).malloc_trim(0)  # else what was freed is used first, and not seen
open("/proc/self/clear_refs", "w").write("5")  # the peak starts from here
before = kilobytes("VmRSS")
copy = copied(model)
print((kilobytes("VmHWM") - before) * 1024, sum(w.numpy().nbytes for w in copy.weights))
"""


def start_up() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_suite.py").write_text(SUITE)
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        collect = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", folder]
        ways: dict[str, list[float]] = {"with": [], "without": []}
        _cpu_of(collect, folder)  # compiles what is not compiled yet
        for _ in range(20):
            ways["with"].append(_cpu_of(collect, folder))
            ways["without"].append(_cpu_of([*collect, "-p", "no:layercount"], folder))
    added = statistics.median(ways["with"]) - statistics.median(ways["without"])
    yield Row("start-up: added to pytest --collect-only", 1e3 * added, "ms of CPU", 10.0)


def checks() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_suite.py").write_text(CHECKS)
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        shown = _run(["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", folder])
    plain, mark, fixture, foldable = map(float, re.findall(r"times (.*)", shown)[0].split())
    detail = f"{plain:.2f} ms more for a test that asks for it alone"
    yield Row("mark on ResNet50, judged before", mark - plain, "ms of CPU", 1.5, detail)
    yield Row("assert_layer_count, judged before", fixture - plain, "ms of CPU", 1.5)
    yield Row("assert_foldable, judged before", foldable - plain, "ms of CPU")


def memory() -> Iterator[Row]:
    for name in TEN:
        (peak, weights), (cloning, cloned) = (
            map(int, _run(["-c", MEMORY, name, how]).split()[-2:]) for how in ("fold", "clone")
        )
        detail = f"{peak / 2**20:.0f} MiB; clone + set {cloning / cloned:.2f} of its own"
        yield Row(f"memory while folding {name}", peak / weights, "of its weights", 1.3, detail)


def reading() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.keras"))
        application("ResNet50").save(path)
        runs = [_run(["-c", READING, path]).split() for _ in range(5)]
    assert all(run[2] == "False" for run in runs)
    yield Row("read ResNet50's .keras file", min(1e3 * float(run[0]) for run in runs), "ms", 100.0)
    yield Row("the same, the whole process", min(float(run[1]) for run in runs), "s of CPU", 0.5)


def _cpu_of(arguments: list[str], folder: str) -> float:
    process = subprocess.Popen([sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def _run(arguments: list[str]) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout
