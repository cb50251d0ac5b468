"""From the name of a baseline to that of its file, which never leads out of the folder."""

from __future__ import annotations

import hashlib
import re

FOLDER = "__layercount__"

_LONGEST = 100
_PLAIN = re.compile(r"[^A-Za-z0-9_.=,@+\[\]-]+")
_DEVICES = {
    "aux",
    "con",
    "nul",
    "prn",
    *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789"),
}


def file_name(name: str) -> str:
    """The file for the baseline ``name``.

    What not every system takes in a file name is replaced; a digest of the whole name
    then keeps it apart from others that look the same.
    """
    plain = _PLAIN.sub("-", name)
    if plain.startswith((".", "-")) or plain.partition(".")[0].lower() in _DEVICES:
        plain = f"_{plain}"
    if plain != name or len(plain) > _LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain = f"{plain[:_LONGEST]}-{digest}"
    return f"{plain}.txt"
