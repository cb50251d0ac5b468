"""Pictures of the models, for a report that shows them and beside tests that fail.

The process that has the model leaves a drawing in Graphviz's language in a folder that
all processes share, under the name of its content. Only those that the report shows
are laid out, once, when all tests have run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_layercount.errors import LayercountError
from pytest_layercount.files import beside
from pytest_layercount.report import words

if TYPE_CHECKING:
    from pytest_layercount.checks.judgement import Judgement
    from pytest_layercount.checks.subject import Subject
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.graph import ModelGraph

MOST = 24
"""The models that a report shows a picture of, those that failed first."""

BYTES = 4_000_000
"""What the pictures of a report may add up to."""


_ABOUT_FOLDING = ("foldable", "equivalent")
"""The checks whose failure is seen in both, the model and what folding leaves of it."""


def draw(
    graph: ModelGraph, plan: Plan, subject: Subject, folder: Path, *, failed: bool
) -> tuple[str, str]:
    """Leave drawings of the model before and after folding, and of what failed; their names."""
    from pytest_layercount.report.drawing import dot_text, judged_text

    picture = leave(dot_text(graph, plan), folder)
    if not failed or subject.check in _ABOUT_FOLDING:
        return picture, picture
    return picture, leave(judged_text(graph, plan, folded=subject.folded), folder)


def leave(text: str, folder: Path) -> str:
    """Leave the drawing ``text`` in ``folder`` and return its name."""
    name = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
    if not (folder / name).exists():
        with beside(folder / name) as made:
            made.write_text(text, encoding="utf-8", errors="replace")
    return name


def laid_out(names: Iterable[str], folder: Path) -> dict[str, tuple[bytes, str]]:
    """For the drawing ``names``, each picture as SVG, or empty and why there is none."""
    from pytest_layercount.report.graphviz import run_dot

    found: dict[str, tuple[bytes, str]] = {}
    room = BYTES
    for number, name in enumerate(dict.fromkeys(names)):
        if number >= MOST or room <= 0:
            found[name] = (b"", f"No picture: the page shows those of the first {number} models.")
            continue
        try:
            svg = run_dot((folder / name).read_text(encoding="utf-8"), "svg")
        except LayercountError as error:
            found[name] = (b"", str(error))
            continue
        found[name] = (
            (svg, "")
            if len(svg) <= room
            else (b"", "No picture: it would make the page too large.")
        )
        room -= len(found[name][0])
    return found


def pictures_of_failures(
    judgements: Iterable[Judgement], drawings: Path, folder: Path
) -> Iterator[str]:
    """Write a picture of each model that failed; yield where it is, or why there is none."""
    from pytest_layercount.report.graphviz import run_dot

    for judgement in judgements:
        if judgement.outcome != "failed" or not judgement.failure:
            continue
        file = folder / _file_name(judgement)
        try:
            svg = run_dot((drawings / judgement.failure).read_text(encoding="utf-8"), "svg")
            folder.mkdir(parents=True, exist_ok=True)
            with beside(file) as made:
                made.write_bytes(svg)
        except LayercountError as error:
            yield str(error)
        except OSError as error:
            yield words.could_not_write(file, error)
        else:
            yield str(file)


def _file_name(judgement: Judgement) -> str:
    """Readable, the same in every run, and another one for every test, subtest and model."""
    name = f"{judgement.tested_in}-{judgement.model}"
    readable = re.sub(r"[^\w.]+", "-", f"{judgement.test}-{judgement.model}")[-100:].strip("-.")
    return f"{readable}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:6]}.svg"
