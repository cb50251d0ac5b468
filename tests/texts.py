"""Texts whole, as a user reads them."""

from __future__ import annotations

from textwrap import dedent

from pytest_layercount.text import PAGE


def same(text: str, expected: str) -> None:
    assert text == dedent(expected).strip("\n")
    assert len(text.splitlines()) <= PAGE
