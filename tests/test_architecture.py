"""The page for people who change the package names only what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_layercount.report.words import CHECKS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/architecture.rst").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"``([\w./]+(?:/|\.py|\.toml))``", PAGE)))


def parents(place: str) -> list[Path]:
    """Where a place may lie: the root, the package, or the folder that its entry is about."""
    folders = re.findall(r"^``([\w./]+/)``", PAGE, re.MULTILINE)
    return [ROOT, ROOT / "pytest_layercount", *(ROOT / folder for folder in folders)]


def test_there_is_something_to_check() -> None:
    assert len(PLACES) > 40


@pytest.mark.parametrize("place", PLACES)
def test_it_names_what_there_is(place: str) -> None:
    assert any((parent / place).exists() for parent in parents(place))


def test_every_folder_of_the_core_is_named() -> None:
    package = ROOT / "pytest_layercount"
    made = {
        f"{folder.relative_to(ROOT).as_posix()}/"
        for core in ("model", "folding")
        for folder in (package / core, *(package / core).rglob("*/"))
        if folder.is_dir() and folder.name != "__pycache__"
    }
    assert made <= set(PLACES)


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_is_one_file(check: str) -> None:
    assert (ROOT / f"pytest_layercount/checks/{check}.py").is_file()
