"""Writing the file of a baseline, in one step."""

from __future__ import annotations

from pathlib import Path

from pytest_layercount import messages
from pytest_layercount.errors import LayercountError
from pytest_layercount.files import beside


class BaselineError(LayercountError):
    """A baseline that cannot be read or written."""


def save(path: Path, shown: str, text: str) -> None:
    """Write a baseline so that no reader ever finds half of it.

    Raises:
        BaselineError: the file or its folder may not be written.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        with beside(path) as made:
            made.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise BaselineError(messages.baselines.cannot_write(shown, why(error))) from None


def why(error: OSError) -> str:
    """What the system says."""
    return error.strerror or type(error).__name__
