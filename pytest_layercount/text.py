"""Text as it leaves this package: for a terminal, a page or a log.

A message has a first line that says it all, and one page at most.

Names come from files and from strangers' pull requests. What a terminal would obey, a
reader not see or a file not hold is shown as Python writes it, and no line is a command to
a CI that reads the log.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Collection, Sequence

HEADLINE = 45
"""The numbers stand within so many characters: a CI summary shows no more."""

PAGE = 25
"""The lines a message has at most."""

NAME = 8
"""The characters of a name that are kept however long the rest is."""

_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
"""GitHub obeys ``::error::`` at the start of a line."""

_OLD_COMMAND = re.compile(r"#(?=#\w*\[)")
"""Azure, TeamCity and older GitHub obey ``##vso[`` wherever it stands."""


def printable(text: str) -> str:
    """``text`` with nothing in it but what can be printed, over as many lines."""
    if not text.isprintable():
        text = "".join(map(_spelled, text))
    if "::" in text or "##" in text:
        text = _OLD_COMMAND.sub(r"\\x23", _COMMAND.sub(r"\1\\x3a", text))
    return text


def _spelled(sign: str) -> str:
    return sign if _plain(sign) else sign.encode("unicode_escape").decode("ascii")


def json_text(text: str) -> str:
    """JSON that can be written as UTF-8, and that no log takes for a command.

    In JSON all these stand in strings, where they can be written as numbers.
    """
    text = _OLD_COMMAND.sub(r"\\u0023", text)
    return "".join(sign if _plain(sign) else _number(sign) for sign in text)


def _plain(sign: str) -> bool:
    return sign.isprintable() or sign in "\n\t"


def _number(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


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


def joined(texts: Sequence[str]) -> str:
    """The first text whole, and the first line of each other one."""
    first, *others = texts
    lines = [text.partition("\n")[0] for text in others]
    return page(first, *(f"also: {line}" for line in cut(lines, 4)))


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


def instead(name: object, known: Collection[str]) -> str:
    """``; did you mean 'max'?``: the name that was meant, or else all that are ``known``."""
    import difflib

    close = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def some(names: Sequence[str], most: int) -> str:
    """``a, b and 3 more``: the first ``most`` of ``names``."""
    shown, left = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {left} more" if left > 0 else shown


def aligned(cells: Sequence[str], widths: Sequence[int], right: Collection[int] = ()) -> str:
    """A line of a table: cells as wide as their columns, numbers (``right``) to the right."""
    return "  ".join(
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
