"""Every text that users read is the one in ``tests/golden``.

Not every sentence is here, but every kind: moving code moves no word unless it is meant
to. ``python -m tests.golden`` writes the files anew.
"""

from __future__ import annotations

import sys

import pytest

from tests.golden.texts import FOLDER, texts

NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.fixture(scope="module")
def printed():
    return texts()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse writes help otherwise")
@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_as_it_was(printed, name):
    assert printed[name] == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_every_text_has_a_file(printed):
    assert sorted(printed) == NAMES
