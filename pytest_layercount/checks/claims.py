"""Which test uses which baseline, and what it would write.

Tests write nothing themselves: under pytest-xdist many run at once, and only the
controller sees whether two of them mean the same file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import carrier
from pytest_layercount.carrier import FOLDER

_LONGEST = 100
_PLAIN = re.compile(r"[^A-Za-z0-9_.=,@+\[\]-]+")
_DEVICES = {
    "aux",
    "con",
    "nul",
    "prn",
    *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789"),
}


@dataclass
class Claim:
    """A test's claim to the baseline ``name`` in the file ``path``.

    ``shown`` is the file as users see it, from the root of the suite. ``arguments`` run the
    test again. ``text`` is what is to be written, None if nothing; ``drifted`` says that the
    model differs from the baseline within what is allowed, and ``partial`` that the baseline
    is of the old format.
    """

    path: str
    shown: str
    name: str
    test: str
    arguments: list[str]
    text: str | None = None
    drifted: bool = False
    partial: bool = False

    def packed(self, item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:  # noqa: ARG002
        """It as plain data."""
        return asdict(self)

    def command(self, update: str = "") -> str:
        """The command that writes the baseline as the model is now."""
        return update_command([self], update)


def update_command(claims: Sequence[Claim], update: str = "") -> str:
    """The command that writes these baselines as the models are now, and no others."""
    from pytest_layercount import rerun

    options = claims[0].arguments[:-1]
    option = f"--layercount-update={update}" if update else "--layercount-update"
    return rerun.command([*options, *(made.arguments[-1] for made in claims), option])


def claim_of(item: pytest.Item, name: str) -> Claim | None:
    """Note that ``item`` uses the baseline ``name``; None if it already does."""
    claims = carrier.sent(item.config, "baselines")
    if any(isinstance(made, Claim) and made.name == name for made in claims):
        return None
    from pytest_layercount import rerun

    path = item.path.parent / FOLDER / file_name(name)
    made = Claim(str(path), shown(path, item.config), name, item.nodeid, rerun.arguments(item))
    carrier.send(item.config, "baselines", made)
    return made


def shown(path: Path, config: pytest.Config) -> str:
    """``path`` from the root of the suite."""
    try:
        return path.relative_to(config.rootpath).as_posix()
    except ValueError:
        return str(path)


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
