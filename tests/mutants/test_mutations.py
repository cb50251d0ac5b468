"""The changes that a mutation run makes, on a small file."""

import textwrap

import pytest

from tests.mutants.mutations import executed_at_import, imports, mutants

SOURCE = textwrap.dedent('''
    """A docstring with numbers: 3."""
    from __future__ import annotations
    from typing import TYPE_CHECKING

    from package import part

    if TYPE_CHECKING:
        LIMIT = 3

    MOST = 4
    __all__ = ["use"]

    def use(one: "int", two: int = 0) -> "bool":
        """Another."""
        if one is None:
            raise ValueError(f"no {one}, not {two + 1}")
        value = part.add(one, two) - 1
        note(value, strict=True)
        return not value < MOST and bool(two)
''').encode()


@pytest.fixture
def found():
    return mutants("use.py", SOURCE)


def test_each_is_a_small_change_that_compiles(found):
    for mutant in found:
        changed = mutant.applied(SOURCE)
        compile(changed, "use.py", "exec")
        assert changed != SOURCE
        assert changed.splitlines()[: mutant.line - 1] == SOURCE.splitlines()[: mutant.line - 1]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("comparison", "if one is not None:"),
        ("removed guard", "if False:"),
        ("removed raise", "pass"),
        ("removed call", "pass"),
        ("swapped arguments", "value = part.add(two, one) - 1"),
        ("arithmetic", "value = part.add(one, two) + 1"),
        ("constant", "value = part.add(one, two) - 2"),
        ("constant", "MOST = 5"),
        ("comparison", "return not value <= MOST and bool(two)"),
        ("and/or", "return not value < MOST or bool(two)"),
        ("removed not", "return (value < MOST) and bool(two)"),
        ("returned None", "return None"),
    ],
)
def test_of_every_kind(found, kind, line):
    changed = {
        (mutant.kind, mutant.applied(SOURCE).splitlines()[mutant.line - 1].decode().strip())
        for mutant in found
    }
    assert (kind, line) in changed


@pytest.mark.parametrize("line", [2, 3, 4, 6, 9, 12, 15])
def test_what_only_people_or_type_checkers_read_stays(found, line):
    assert not [mutant for mutant in found if mutant.line == line]
    assert not [mutant for mutant in found if "strict" in mutant.difference(SOURCE).split("+")[1]]


def test_lines_of_modules_are_told_from_those_of_functions():
    lines = executed_at_import(SOURCE)
    assert {11, 12, 14} <= lines
    assert not lines & set(range(15, 21))


def test_what_a_file_imports():
    assert set(imports(SOURCE)) >= {"package", "package.part"}
