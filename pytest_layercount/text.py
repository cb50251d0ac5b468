"""Text as it leaves this package: for a terminal, a page or a log.

Names come from files and from strangers' pull requests. What a terminal would obey, a
reader not see or a file not hold is shown as Python writes it, and no line is a command to
a CI that reads the log.
"""

from __future__ import annotations

import re

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
