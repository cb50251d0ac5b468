"""Writing the file of a baseline, in one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pytest_layercount import messages
from pytest_layercount.errors import LayercountError

_MODE = 0o644
"""For everybody to read: a temporary file is its owner's alone."""


class BaselineError(LayercountError):
    """A baseline that cannot be read or written."""


def save(path: Path, shown: str, text: str) -> None:
    """Write a baseline so that no reader ever finds half of it.

    Raises:
        BaselineError: the file or its folder may not be written.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            Path(name).chmod(_MODE)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BaselineError(messages.baselines.cannot_write(shown, why(error))) from None


def why(error: OSError) -> str:
    """What the system says."""
    return error.strerror or type(error).__name__
