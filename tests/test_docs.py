"""Every block of README.rst and of docs/*.rst is run, and what it shows is compared.

A page is a folder of files. A ``python`` block with a name (``:name:``, or in docs/
``:caption:``, which Sphinx shows) is the file of this name; one without is run as it stands.
A page has the files of its own blocks, and takes one of another page by saying so, which
tells the reader as well: "``nets.py`` of :doc:`explain`". A ``yaml`` or ``ini`` block is read,
and the options in it have to exist. A ``console`` block runs the commands after its ``$`` on
the files of its page: pytest, or ``layercount``. In what it shows, ``...`` stands for anything,
and on a line of its own for any number of lines. A ``console`` block with a name is what that
commit of the example repository shows (see examples/test_pull_request.py).
"""

from __future__ import annotations

import configparser
import gzip
import re
import shlex
import shutil
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import pytest

from pytest_layercount.cli import BAD, GOOD, main
from pytest_layercount.settings import KEYS
from tests.conftest import ROOT, needs_keras

WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"
SAVED = ROOT / "tests" / "model" / "data"
DIRECTIVE = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?:    :(?:name|caption): (?P<name>\S+)\n)?\n"
    r"(?P<text>(?:(?:    .*)?\n)+)",
    re.MULTILINE,
)
TAKEN = re.compile(r"``(\S+\.py)``\s+of\s+:doc:`([\w-]+)`")


@dataclass(frozen=True)
class Block:
    language: str
    name: str | None
    text: str


@dataclass(frozen=True)
class Page:
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [
            Block(
                found["language"],
                found["name"],
                re.sub("(?m)^    ", "", found["text"]).strip() + "\n",
            )
            for found in DIRECTIVE.finditer(self.text)
        ]

    @cached_property
    def consoles(self) -> list[str]:
        return [b.text for b in self.blocks if b.language == "console" and not b.name]

    @cached_property
    def own_files(self) -> dict[str, str]:
        return {b.name: b.text for b in self.blocks if b.language == "python" and b.name}

    @cached_property
    def files(self) -> dict[str, str]:
        taken = {name: PAGES[page].own_files[name] for name, page in TAKEN.findall(self.text)}
        return taken | self.own_files

    def write_files(self, folder: Path) -> None:
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


PATHS = [ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))]
PAGES = {path.stem: Page(path) for path in PATHS}
BLOCKS = [
    pytest.param(page, block, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, block in enumerate(page.blocks, 1)
]
COMMITS = [
    pytest.param(Path(block.name), block.text, id=f"{name}-{Path(block.name).name}")
    for name, page in PAGES.items()
    for block in page.blocks
    if block.language == "console" and block.name
]


def blocks_of(language, named=True):
    """The blocks in a language, with their pages."""
    return [
        found
        for found in BLOCKS
        if found.values[1].language == language and (named or not found.values[1].name)
    ]


def commands(program):
    """The console blocks whose commands are a program's, with their pages."""
    return [
        pytest.param(page, text, id=f"{name}: {text.partition(chr(10))[0]}")
        for name, page in PAGES.items()
        for text in page.consoles
        if text.startswith(f"$ {program} ")
    ]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_block_is_of_a_kind_that_is_run(page):
    assert {block.language for block in page.blocks} <= {"python", "console", "yaml", "ini"}
    assert len(page.blocks) == page.text.count(".. code-block::")
    assert all(text.startswith(("$ pytest ", "$ layercount ")) for text in page.consoles)
    assert set(page.own_files) <= set(page.files)


def test_the_commits_shown_are_there():
    assert COMMITS
    assert all((ROOT / found.values[0]).is_dir() for found in COMMITS)


@needs_keras
@pytest.mark.parametrize(("page", "example"), commands("pytest"))
def test_pytest_shows_what_a_page_shows(suite, page, example):
    page.write_files(suite.path)
    command, _, shown = example.partition("\n")
    # In a process of its own, because TensorFlow cannot be imported twice in one.
    # Warnings are Keras's about NumPy and itself, and depend on their versions.
    arguments = shlex.split(command.removeprefix("$ pytest "))
    result = suite.runpytest_subprocess("-W", "ignore", *arguments)
    assert matches(shown.splitlines(), [line.rstrip() for line in result.outlines])


@needs_keras
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES.values() if any(text.startswith("$ lay") for text in page.consoles)],
    ids=lambda page: page.path.stem,
)
def test_the_command_shows_what_a_page_shows(page, tmp_path, monkeypatch, capsys):
    import keras

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in page.files:
        monkeypatch.setitem(sys.modules, Path(name).stem, None)
        del sys.modules[Path(name).stem]
    page.write_files(tmp_path)
    for packed in SAVED.glob("*.json.gz"):
        (tmp_path / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    texts = "".join(text for text in page.consoles if text.startswith("$ layercount "))
    for example in re.split(r"(?m)^\$ layercount ", texts)[1:]:
        command, _, shown = example.strip().partition("\n")
        if command.startswith("graph ") and not shutil.which("dot"):
            continue
        # In this process, which has imported TensorFlow already; names begin anew.
        keras.backend.clear_session()
        assert main(shlex.split(command)) in (GOOD, BAD), command
        printed = capsys.readouterr().out
        assert matches(shown.splitlines(), printed.splitlines()), f"{command}\n{printed}"
        if command.startswith("graph "):
            assert words(tmp_path / "lean.svg") == words(ROOT / "docs" / "lean.svg")


def words(picture):
    """What stands in a picture."""
    return [text for element in ET.parse(picture).iter() if (text := element.text)]


@needs_keras
@pytest.mark.parametrize(("page", "block"), blocks_of("python", named=False))
def test_python_runs_as_it_stands(page, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, page.path.name, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(found.values[1].text, id=found.id) for found in blocks_of("yaml")),
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


@pytest.mark.parametrize(("page", "block"), blocks_of("ini"))
def test_a_configuration_can_be_read(page, block):
    configparser.ConfigParser().read_string(block.text)


def test_every_option_and_key_that_a_page_names_exists(pytester):
    known = pytester.runpytest("--help").stdout.str()
    pattern = r"--(?:no-)?layercount[\w-]*|\blayercount_\w+"
    named = {name for page in PAGES.values() for name in re.findall(pattern, page.text)}
    assert sorted(name for name in named if name not in known) == []
    in_table = re.findall(pattern, PAGES["settings"].text)
    assert {name.strip("-").replace("-", "_") for name in in_table} >= {
        f"layercount_{name}" for name in KEYS
    }


@pytest.mark.parametrize("command", ["count", "fold", "explain", "graph", "compare"])
def test_every_option_of_the_command_that_a_page_names_exists(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    known = capsys.readouterr().out
    text = "\n".join(page.text for page in PAGES.values())
    uses = re.findall(rf"``layercount {command}\b[^`]*``|\$ layercount {command}\b.*", text)
    assert uses
    named = {option for use in uses for option in re.findall(r"--[\w-]+", use)}
    assert sorted(option for option in named if option not in known) == []


def test_the_front_page_is_short_and_stands_alone():
    """PyPI shows it, where there are no other pages and no folder of pictures."""
    text = PAGES["README"].text
    assert len(text.splitlines()) <= 180
    assert not re.search(r":\w+:`|\.\. (?:image|figure|include|contents)::", text)
    assert not re.search(r"`[^`]+<(?!https://)[^`]*>`_", text)


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

    text = PAGES["reasons"].text
    for code in REASONS:
        assert f"\n``{code}``\n    {_capital(sentence(code, 'X'))}.\n    *" in text
        assert _capital(advice(code, "X")) in text


def test_every_cause_is_named():
    from pytest_layercount.compare.causes import CODES

    text = PAGES["explain"].text
    shown = {code for code in CODES if f"``{code}``" in text or f" {code}: " in text}
    assert shown == set(CODES)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
