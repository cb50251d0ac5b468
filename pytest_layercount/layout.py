"""How a message is laid out: a first line that says it all, and one page at most."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence

HEADLINE = 45
"""The numbers stand within so many characters: a CI summary shows no more."""

PAGE = 25
"""The lines a message has at most."""

NAME = 8
"""The characters of a name that are kept however long the rest is."""


def headline(name: str, fact: str) -> str:
    """``name: fact``, the name cut where the fact would not fit."""
    room = max(HEADLINE - len(fact) - len(": "), NAME)
    return f"{name if len(name) <= room else name[: room - 1] + '…'}: {fact}"


def page(*lines: str) -> str:
    """Join ``lines``, some of which may have several of their own."""
    split = [part for line in lines for part in line.splitlines()]
    if len(split) > PAGE:
        split = [*split[: PAGE - 1], f"({len(split)} lines in all)"]
    return "\n".join(split)


def cut(lines: Sequence[str], most: int, indent: str = "") -> list[str]:
    """Keep ``most`` lines, and say in one more how many there are besides."""
    if len(lines) <= most + 1:
        return list(lines)
    return [*lines[:most], f"{indent}and {len(lines) - most} more"]


def note_lines(note: str | None) -> list[str]:
    """What the user wants said with the failure."""
    return [f"note: {note}"] if note else []


def short(value: object) -> str:
    """``repr(value)``, abridged."""
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = 60
    return shortener.repr(value)


def size(number: int, sign: str = "") -> str:
    """``5M`` or ``1.25k`` where two decimals say it exactly, ``5,000,001`` elsewhere."""
    for unit, scale in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= scale and number * 100 % scale == 0:
            return f"{sign}{number / scale:.10g}{unit}"
    return f"{sign}{number:,}"


def rounded(number: int) -> str:
    """``14.2M``: a number of which the last digits do not matter."""
    for unit, scale in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= 10 * scale or (unit != "k" and number >= scale):
            return f"{number / scale:.4g}{unit}"
    return f"{number:,}"


def number(count: int, noun: str) -> str:
    """``3 layers``, ``1 layer``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def some(names: Sequence[str], most: int) -> str:
    """``a, b and 3 more``: the first ``most`` of ``names``."""
    shown, left = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {left} more" if left > 0 else shown
