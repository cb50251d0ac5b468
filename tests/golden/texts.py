"""Run the suite and the commands, and take what is ours of what they print.

Each run is a process of its own in a fresh folder, as users have it. What pytest itself
writes around a failure depends on its version and is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDER = Path(__file__).parent

RUNS: Mapping[str, tuple[str, ...]] = {
    "failures": ("test_limits.py", "test_checks.py", "-v"),
    "limits_of_the_suite": (
        "test_fixtures.py",
        "--layercount-auto",
        "--layercount-max=3",
        "--layercount-max-parameters=15",
    ),
    "quiet": ("test_limits.py", "-q"),
    "mistakes": ("test_mistakes.py",),
    "named": ("test_fixtures.py", "-v", "--layercount-model=zoo:small", "--layercount-max=2"),
    "named_badly": ("test_fixtures.py", "--layercount-model=zoo:gone"),
    "baselines_written": ("test_baselines.py", "--layercount-update"),
    "baselines_grown": ("test_baselines.py", "--grown", "--layercount-strict-baselines"),
    "record": ("test_fixtures.py", "--layercount-record=before.json"),
    "compared": ("test_fixtures.py", "--grown", "--layercount-against=before.json"),
    "reports": (
        "test_limits.py",
        "test_checks.py",
        "--layercount-report=report.md",
        "--layercount-report=report.json",
        "--layercount-report=report.html",
    ),
    "bad_option": ("--layercount-max=many",),
    "bad_report": ("--layercount-report=report.pdf",),
}
"""The runs of pytest, one after the other in the same folder."""

SHOWN = {
    "baselines_written": ("__layercount__/*.txt",),
    "record": ("before.json",),
    "reports": ("report.md", "report.json"),
}
"""The files that a run writes and that are kept, too."""

COMMANDS = (
    "--help",
    "count --help",
    "fold --help",
    "explain --help",
    "graph --help",
    "compare --help",
    "count zoo:small",
    "count zoo:small --json",
    "count zoo:small --max=3 --folded",
    "count zoo:small --max=2",
    "count zoo:small --type BatchNorm=0",
    "count zoo:small --max=2 --max-parameters 10 --max-depth 2 --max-bytes=70B --max-macs=1k",
    "count zoo:grown --list",
    "count zoo:nested --list",
    "count zoo:gone",
    "count nothing.keras",
    "count zoo:fails",
    "fold zoo:small",
    "fold zoo:last",
    "fold zoo:last --json",
    "explain zoo:small zoo:lean",
    "explain zoo:small zoo:lean --json",
    "explain zoo:small zoo:last",
    "explain zoo:small zoo:lean --ignore batch-norms-folded",
    "explain zoo:small zoo:lean --ignore nonsense",
    "graph zoo:small zoo:lean -o difference.dot",
    "graph zoo:small",
    "compare before.json before.json",
    "compare before.json nothing.json",
)


def texts() -> dict[str, str]:
    """Each text by the name of its file."""
    with tempfile.TemporaryDirectory(prefix="golden-") as name:
        folder = Path(name)
        shutil.copytree(FOLDER / "suite", folder, dirs_exist_ok=True)
        found = {run: _run(folder, run) for run in RUNS}
        return found | {"commands": "".join(_commands(folder)), "options": _options(folder)}


def _run(folder: Path, run: str) -> str:
    done = _process(folder, "-m", "pytest", *RUNS[run])
    noted = folder / "noted.txt"
    text = f"$ pytest {' '.join(RUNS[run])}\nexit code {done.returncode}\n\n"
    text += noted.read_text(encoding="utf-8") if noted.exists() else ""
    text += _ours(done.stdout) + done.stderr
    noted.unlink(missing_ok=True)
    for pattern in SHOWN.get(run, ()):
        for file in sorted(folder.glob(pattern)):
            text += f"\n--- {file.relative_to(folder)}\n{_clean(file.read_text(), folder)}"
    return _clean(text, folder)


def _ours(printed: str) -> str:
    """The sections of a terminal that are about us, and the lines that begin with our name."""
    sections = re.split(r"(?m)^(?==+ .* =+$)", printed)
    head = re.findall(r"(?m)^layercount.*$", sections[0])
    about_us = re.compile(
        r"=+ layercount|=+ ERRORS =+\n_+ ERROR collecting layercount|=+ FAILURES =+\n_+ \w+ of zoo:"
    )
    ours = [text for text in sections[1:] if about_us.match(text)]
    return "\n".join(["", *head, *ours]) + "\n"


def _commands(folder: Path) -> Iterator[str]:
    for command in COMMANDS:
        done = _process(folder, "-m", "pytest_layercount", *command.split())
        yield f"$ layercount {command}\n{_clean(done.stdout + done.stderr, folder)}"
        yield f"exit code {done.returncode}\n\n"


def _options(folder: Path) -> str:
    """What ``pytest --help`` says of us."""
    shown = _process(folder, "-m", "pytest", "--help").stdout
    options = re.search(r"(?ms)^structure of Keras models:\n.*?(?=^\S)", shown)
    keys = re.findall(r"(?m)^  layercount_\w+ .*\n(?:   .*\n)*", shown)
    marks = _process(folder, "-m", "pytest", "--markers").stdout
    fixtures = _process(folder, "-m", "pytest", "--fixtures", "-q").stdout
    text = "".join(
        [
            options[0] if options else "",
            *keys,
            "\n",
            *re.findall(r"(?m)^@pytest\.mark\.layercount.*\n(?:.+\n)*", marks),
            "\n",
            *re.findall(r"(?m)^assert_\w+ .*\n(?:    .*\n|\n(?=    ))*", fixtures),
        ]
    )
    return _clean(text, folder)


def _process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"CI", "BUILD_NUMBER", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS"}
        and not name.startswith("PYTEST_XDIST")
    }
    given = {"COLUMNS": "100", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept | given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def _clean(text: str, folder: Path) -> str:
    """``text`` without what another machine, moment or version would write."""
    text = text.replace(str(folder.resolve()), "FOLDER").replace(str(folder), "FOLDER")
    text = re.sub(r'("?(?:pytest-layercount|python|pytest|numpy)"?:? "?)\d[\w.+]*', r"\1N", text)
    text = text.replace("(string | int)", "(string)")  # as pytest 8 writes it
    text = re.sub(r"# pytest-layercount \S+", "# pytest-layercount N", text)
    text = re.sub(r"\S+/pytest_layercount/(\w+\.py):\d+", r"\1", text)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
