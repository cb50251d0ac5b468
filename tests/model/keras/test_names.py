"""What Keras keeps private is named in one folder only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest_layercount

PACKAGE = Path(pytest_layercount.__file__).parent
PYTESTS = {"fixture_models.py"}
"""The file that looks into pytest, where fixtures' values are."""

NAMED_TUPLES = {"_fields", "_replace"}
"""What is public of named tuples, in spite of its name."""


ASKING = {"getattr", "hasattr", "setattr", "delattr"}


def private_names(tree: ast.Module) -> Iterator[str]:
    """The private attributes that a file names and does not define itself."""
    own = {
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            own.add(node.attr)
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ASKING:
            argument = node.args[1]
            name = str(argument.value) if isinstance(argument, ast.Constant) else ""
        if name.startswith("_") and not name.startswith("__") and name not in own:
            yield name


def test_no_other_file_names_what_keras_keeps_private() -> None:
    named = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith("model/keras/") or place in PYTESTS:
            continue
        names = set(private_names(ast.parse(path.read_text("utf-8")))) - NAMED_TUPLES
        if names:
            named[place] = names
    assert not named


def test_private_names_are_found_in_every_form() -> None:
    text = (
        "layer._graph\ngetattr(layer, '_layers', None)\nlayer._own\nclass A:\n def _own(self): ..."
    )
    assert sorted(private_names(ast.parse(text))) == ["_graph", "_layers"]
