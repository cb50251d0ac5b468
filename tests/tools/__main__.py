"""``python -m tests.tools``: each installed tool on each case of the matrix with a batch norm.

A case is *foldable* where some batch norm can go without changing outputs, by the
matrix, which checks that numerically. All layers compute in float32 and the statistics
are moderate, so that a fold that is right changes no output by more than rounding,
and one that is wrong by more than ``WRONG`` of the largest.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import pkgutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

import tests.folding
from tests.folding.harness import (
    Case,
    Kit,
    inputs_for,
    outputs_of,
    parts,
    randomise,
    skip_unless,
    snapshot,
    unchanged,
)
from tests.kerases import computing_in
from tests.tools.folders import FOLDERS, Folder

WRONG = 1e-3
SECONDS = 60
COLUMNS = ("foldable", "folded", "in part", "left", "wrong", "crashed", "model changed")


def cases() -> Iterator[Case]:
    """Every case of the matrix, once."""
    seen = set()
    for module in pkgutil.iter_modules(tests.folding.__path__, "tests.folding."):
        if "test_matrix" not in module.name:
            continue
        for name, group in sorted(vars(importlib.import_module(module.name)).items()):
            for case in group if name.isupper() and isinstance(group, list) else ():
                if isinstance(case, Case) and (module.name, case.name) not in seen:
                    seen.add((module.name, case.name))
                    yield replace(case, floatx="float32", variances=(0.1, 2.0))


def batch_norms(model: Any) -> list[str]:
    """By name; one in a wrapper is known by the wrapper's."""
    layers = list(parts(model))
    outer = {id(layer.layer): layer for layer in layers if hasattr(layer, "layer")}
    found = [layer for layer in layers if type(layer).__name__ == "BatchNormalization"]
    return [outer.get(id(layer), layer).name for layer in found]


def folding(case: Case, names: list[str]) -> int:
    """How many of these batch norms the matrix folds."""
    folds = [word.partition(">")[0] for word in case.expected.split() if ">" in word]
    return sum(path.rpartition("/")[2] in names for path in folds)


def outcomes(case: Case, folder: Folder, kit: Kit) -> list[str]:
    """The columns that this tool scores in with this case."""
    kit.keras.backend.clear_session()
    model = case.build(kit)
    randomise(model, case.seed, case.variances)
    names = batch_norms(model)
    if not names:
        pytest.skip("no batch norm")
    inputs = inputs_for(model, case.seed)
    expected, before = outputs_of(model, inputs, case), snapshot(model)
    sound = folding(case, names)
    found = ["foldable"] if sound else []
    try:
        with limited(SECONDS):
            folded = folder(model)
            given = outputs_of(folded, inputs, case)
            gone = len(names) - len(batch_norms(folded))
    except ImportError:
        raise
    except (Exception, SystemExit):  # noqa: BLE001 - whatever a tool does on its way out
        return [*found, "crashed"]
    with contextlib.suppress(Exception):
        found += [] if unchanged(before, snapshot(model)) else ["model changed"]
    if not same(expected, given, max(WRONG, case.tolerance)):
        return [*found, "wrong"]
    if not gone:
        return [*found, "left"] if sound else found
    return [*found, "folded" if gone >= sound else "in part"]


def same(expected: list[Any], given: list[Any], limit: float) -> bool:
    if [one.shape for one in expected] != [one.shape for one in given]:
        return False
    pairs = zip(expected, given, strict=True)
    return all(abs(one - other).max() <= limit * abs(one).max() for one, other in pairs)


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools", description=__doc__)
    parser.add_argument("--tool", choices=FOLDERS, action="append", help="only these")
    parser.add_argument("-v", action="store_true", dest="each", help="say each case")
    asked = parser.parse_args()
    kit = Kit()
    print(f"Keras {kit.keras.__version__}")
    for name in asked.tool or FOLDERS:
        try:
            label = f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
        counts = tally(FOLDERS[name], kit, each=asked.each)
        print(f"{label:36}", *(f"{column} {counts[column]:3}" for column in ("cases", *COLUMNS)))


def tally(folder: Folder, kit: Kit, *, each: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    for case in cases():
        try:
            skip_unless(case, kit)
            with quiet(), computing_in("float32"):
                found = outcomes(case, folder, kit)
        except pytest.skip.Exception:
            continue
        except ImportError:
            traceback.print_exc()
            sys.exit(1)
        counts.update(["cases", *found])
        if each:
            print(f"    {case.name}: {', '.join(found)}", flush=True)
    return counts


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Tools print, log and leave files where they are run."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


if __name__ == "__main__":
    main()
