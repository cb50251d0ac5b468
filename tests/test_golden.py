"""Every text that users read is the one in ``tests/golden``.

Not every sentence is here, but every kind: moving code moves no word unless it is meant
to. ``python -m tests.golden`` writes the files anew.
"""

from __future__ import annotations

import sys

import pytest

from tests.golden.texts import FOLDER, texts


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse writes help otherwise")
def test_every_text_is_as_it_was(compiled):
    """One test: workers of xdist that share several would each run the whole suite."""
    printed = texts()
    files = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}
    assert printed.keys() == files.keys()
    for name, text in printed.items():
        assert text == files[name], f"{name}.txt"
