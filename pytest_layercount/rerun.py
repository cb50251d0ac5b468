"""The command that runs a test again, to be pasted where pytest was started."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest


def node_id(item: pytest.Item) -> str:
    """The node id of a test, without the group that pytest-xdist adds to it.

    It does so under ``--dist=loadgroup``, with pytest 8.
    """
    before, name, _group = item.nodeid.rpartition(item.name)
    return before + name if name else item.nodeid


def names(item: pytest.Item) -> list[str]:
    """``["TestDeployed", "test_small[3]"]``: what the node id has after the file."""
    return node_id(item).split("::")[1:]


def arguments(item: pytest.Item) -> list[str]:
    """What to give to pytest: where the settings are, if it would not find them, and the test."""
    config = item.config
    start = config.invocation_params.dir
    path = _from(start, item.path)
    root, file = config.getoption("rootdir", None), config.inipath
    options = [f"--rootdir={root}"] if root else []
    told = config.getoption("inifilename", None)
    if file is not None and (told or file.parent not in item.path.parents):
        options += ["-c", _from(start, file)]
    return [*options, "::".join([path, *names(item)])]


def command(arguments: list[str]) -> str:
    """``pytest 'tests/test_a.py::test_it[a b]'``."""
    return shlex.join(["pytest", *arguments])


def _from(start: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # another drive
        return str(path)
