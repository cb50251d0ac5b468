"""Every block of README.rst is run, and what it shows is compared.

A ``python`` block with a name is the file of this name; one without is run as
it stands. A ``console`` block runs the pytest command after its ``$`` on the
files above it. In what it shows, ``...`` stands for anything, and on a line of
its own for any number of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from tests.conftest import ROOT, needs_keras

README = (ROOT / "README.rst").read_text(encoding="utf-8")
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
EXAMPLES = [block for block in BLOCKS if block.language == "console"]


def test_every_block_is_of_a_kind_that_is_run():
    assert {block.language for block in BLOCKS} == {"python", "console"}
    assert len(BLOCKS) == README.count(".. code-block::")
    assert all(re.match(r"\$ pytest \S+", block.text) for block in EXAMPLES)


@needs_keras
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda block: block.text.partition("\n")[0])
def test_pytest_shows_what_the_readme_shows(suite, example):
    for block in BLOCKS:
        if block.name is not None:
            (suite.path / block.name).write_text(block.text, encoding="utf-8")
    command, _, shown = example.text.partition("\n")
    # In a process of its own, because TensorFlow cannot be imported twice in one.
    # Warnings are Keras's about NumPy and itself, and depend on their versions.
    files = command.removeprefix("$ pytest ").split()
    result = suite.runpytest_subprocess("-W", "ignore", *files)
    assert matches(shown.splitlines(), [line.rstrip() for line in result.outlines])


@needs_keras
@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "python" and block.name is None]
)
def test_python_runs_as_it_stands(block):
    exec(compile(block.text, "README.rst", "exec"), {"__name__": "readme"})


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


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
