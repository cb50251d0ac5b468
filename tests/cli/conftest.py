"""A folder with a module of models, to run the command in."""

from __future__ import annotations

import json

import pytest

from pytest_layercount.cli import main

ZOO = """
from dataclasses import replace
from tests.graphs import chain, of_size

small = chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", name="small")
lean = chain("InputLayer", "Conv2D", "Activation", name="lean")
last = chain("InputLayer", "Activation", "BatchNormalization", "Activation", name="last")

def fails():
    raise ValueError("no weights")

def chatty():
    import os, sys
    print("printed")
    sys.stderr.write("complained\\n")
    os.write(2, b"I0000 00:00:1795346732.1 23728 port.cc:153] oneDNN is on\\n")
    os.write(2, b"2026-11-22 11:30:00.123456: W tensorflow/core/x.cc:1] noise\\n")
    os.write(2, b"native complaint\\n")
    return small

def interrupts():
    raise KeyboardInterrupt

class Odd:
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "command_zoo.py").write_text(ZOO)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Run the command: its exit code, and what it printed."""

    def run(*arguments):
        try:
            code = main(arguments)
        except SystemExit as left:  # argparse
            code = left.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def run_json(run):
    """Run the command with --json: its exit code, and what it found."""

    def run_json(*arguments):
        code, out, err = run(*arguments, "--json")
        assert err == ""
        return code, json.loads(out)

    return run_json
