"""File names: whatever a baseline is called, one file inside the folder."""

from __future__ import annotations

import hashlib

import pytest

from pytest_layercount.checks.claims import file_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_mod.test_it[a-1]", "test_mod.test_it[a-1].txt"),
        ("detector", "detector.txt"),
        ("../../etc/passwd", "_..-..-etc-passwd-HASH.txt"),
        ("a/b", "a-b-HASH.txt"),
        ("a-b", "a-b.txt"),
        ("NUL", "_NUL-HASH.txt"),
        ("nul.x", "_nul.x-HASH.txt"),
        ("com1", "_com1-HASH.txt"),
        ("x" * 100, "x" * 100 + ".txt"),
        ("x" * 101, "x" * 100 + "-HASH.txt"),
    ],
)
def test_file_names(name, expected):
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    assert file_name(name) == expected.replace("HASH", digest)


def test_different_names_have_different_files():
    names = ["a/b", "a\\b", "a:b", "a b", "a-b", "a\nb", "a\x00b", "a\udcffb", "aéb", "ae\u0301b"]
    names += ["x" * length for length in range(90, 300)]
    found = {file_name(name).casefold() for name in names}
    assert len(found) == len(names)
    assert all("/" not in name and "\\" not in name and name.isascii() for name in found)
