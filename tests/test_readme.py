"""Every block of README.rst is run, and what it shows is compared.

A ``python`` block with a name is the file of this name; one without is run as it
stands. A ``yaml`` block is read, and the options in it have to exist. A ``console``
block runs the commands after its ``$`` on the files above it: pytest, or ``layercount``.
In what it shows, ``...`` stands for anything, and on a line of its own for any number of
lines. A ``console`` block with a name is what that commit of the example repository
shows (see examples/test_pull_request.py).
"""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from pytest_layercount.cli import BAD, GOOD, main
from tests.conftest import ROOT, needs_keras

README = (ROOT / "README.rst").read_text(encoding="utf-8")
WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"
DIRECTIVE = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?:    :name: (?P<name>\S+)\n)?\n"
    r"(?P<text>(?:(?:    .*)?\n)+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    language: str
    name: str | None
    text: str


BLOCKS = [
    Block(found["language"], found["name"], re.sub("(?m)^    ", "", found["text"]).strip() + "\n")
    for found in DIRECTIVE.finditer(README)
]
CONSOLES = [block.text for block in BLOCKS if block.language == "console" and not block.name]
COMMITS = {block.name: block.text for block in BLOCKS if block.language == "console" and block.name}
EXAMPLES = [text for text in CONSOLES if text.startswith("$ pytest ")]
COMMANDS = [text for text in CONSOLES if text.startswith("$ layercount ")]
SAVED = ROOT / "tests" / "model" / "data"


def test_every_block_is_of_a_kind_that_is_run():
    assert {block.language for block in BLOCKS} == {"python", "console", "yaml"}
    assert len(BLOCKS) == README.count(".. code-block::")
    assert len(EXAMPLES) + len(COMMANDS) == len(CONSOLES)
    assert all((ROOT / folder).is_dir() for folder in COMMITS)


def write_files(folder):
    for block in BLOCKS:
        if block.name is not None and block.language == "python":
            (folder / block.name).write_text(block.text, encoding="utf-8")


@needs_keras
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.partition("\n")[0])
def test_pytest_shows_what_the_readme_shows(suite, example):
    write_files(suite.path)
    command, _, shown = example.partition("\n")
    # In a process of its own, because TensorFlow cannot be imported twice in one.
    # Warnings are Keras's about NumPy and itself, and depend on their versions.
    arguments = shlex.split(command.removeprefix("$ pytest "))
    result = suite.runpytest_subprocess("-W", "ignore", *arguments)
    assert matches(shown.splitlines(), [line.rstrip() for line in result.outlines])


@needs_keras
def test_the_command_shows_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    import keras

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(sys.modules, "nets", None)
    del sys.modules["nets"]
    write_files(tmp_path)
    for packed in SAVED.glob("*.json.gz"):
        (tmp_path / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    for example in re.split(r"(?m)^\$ layercount ", "".join(COMMANDS))[1:]:
        command, _, shown = example.strip().partition("\n")
        if command.startswith("graph ") and not shutil.which("dot"):
            continue
        # In this process, which has imported TensorFlow already; names begin anew.
        keras.backend.clear_session()
        assert main(shlex.split(command)) in (GOOD, BAD), command
        printed = capsys.readouterr().out
        assert matches(shown.splitlines(), printed.splitlines()), f"{command}\n{printed}"
    if shutil.which("dot"):
        assert words(tmp_path / "lean.svg") == words(ROOT / "tests" / "examples" / "lean.svg")


def words(picture):
    """What stands in a picture."""
    return [text for element in ET.parse(picture).iter() if (text := element.text)]


@needs_keras
@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "python" and block.name is None]
)
def test_python_runs_as_it_stands(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, "README.rst", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(block.text, id=block.name) for block in BLOCKS if block.language == "yaml"),
        pytest.param(WORKFLOW.read_text(encoding="utf-8") if WORKFLOW.exists() else "", id="own"),
    ],
)
def test_a_workflow_can_be_read_and_its_options_exist(pytester, text):
    yaml = pytest.importorskip("yaml")
    if not text:
        pytest.skip("the workflow is not part of a source distribution")
    jobs = yaml.safe_load(text)
    steps = [step for job in jobs.get("jobs", jobs).values() for step in job.get("steps", ())]
    assert steps or jobs["models"]["script"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    known = pytester.runpytest("--help").stdout.str()
    options = set(re.findall(r"--layercount[\w-]*", text))
    assert options
    assert all(option in known for option in options)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ([], [], True),
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (["a"], ["a", "b"], False),
        (["..."], ["a", "b"], True),
        (["...", "b", "..."], ["a", "b"], True),
        (["...", "c", "..."], ["a", "b"], False),
        (["a ... b"], ["a [1] b"], True),
        (["[1] ..."], ["[1] x"], True),
    ],
)
def test_what_matches(shown, printed, same):
    assert matches(shown, printed) is same


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines ``printed`` are those ``shown``, ``...`` being anything."""
    if not shown:
        return not printed
    first, *rest = shown
    if first == "...":
        return any(matches(rest, printed[start:]) for start in range(len(printed) + 1))
    if not printed:
        return False
    pattern = first.replace("[", "[[]").replace("?", "[?]").replace("...", "*")
    return fnmatchcase(printed[0], pattern) and matches(rest, printed[1:])


def test_every_reason_is_explained():
    from pytest_layercount.folding.reasons import REASONS, advice, sentence

    for code in REASONS:
        assert f"\n``{code}``\n    {_capital(sentence(code, 'X'))}.\n    *" in README
        assert _capital(advice(code, "X")) in README


def test_every_cause_is_named():
    from pytest_layercount.compare.causes import CODES

    shown = {code for code in CODES if f"``{code}``" in README or f" {code}: " in README}
    assert shown == set(CODES)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
