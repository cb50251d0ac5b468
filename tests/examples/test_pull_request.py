"""A repository in three commits: clean, grown, accepted. The pages show what each shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_docs import COMMITS, matches

HERE = Path(__file__).parent / "pull_request"

OUTER = ("GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")
"""What the run of this test is told, and those in the repository are not."""

# One process for all of them, because importing TensorFlow takes longest.
RUN = """
import shutil, sys
import pytest

sys.dont_write_bytecode = True
for commit in sys.argv[1:]:
    shutil.copytree(commit, ".", dirs_exist_ok=True)
    for module in ("detector", "test_detector"):
        sys.modules.pop(module, None)
    print("commit", flush=True)
    pytest.main(["-W", "ignore", "-p", "no:cacheprovider", "-o", "addopts="])
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What pytest prints at each commit."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = . {ROOT}\n")
    commits = sorted(str(path) for path in HERE.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", RUN, *commits],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in OUTER},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    printed = re.split("^commit\n", done.stdout, flags=re.MULTILINE)[1:]
    return {Path(commit).name: text for commit, text in zip(commits, printed, strict=True)}


@pytest.mark.parametrize(("commit", "block"), COMMITS)
def test_a_commit_shows_what_a_page_shows(shown, commit, block):
    command, _, text = block.partition("\n")
    assert command == "$ pytest"
    printed = shown[commit.name]
    lines = [line.rstrip() for line in printed.splitlines()]
    assert matches(text.splitlines(), lines), printed


def test_every_commit_is_shown():
    assert {found.values[0].name for found in COMMITS} == {path.name for path in HERE.iterdir()}
