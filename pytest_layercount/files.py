"""Files that are written whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_layercount import messages
from pytest_layercount.errors import LayercountError


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` to be written to, which then takes its place."""
    with tempfile.TemporaryDirectory(prefix=".layercount-", dir=path.absolute().parent) as room:
        made = Path(room, path.name)
        yield made
        made.replace(path)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """The same, for a file that a user has named.

    Raises:
        LayercountError: the folder cannot be written to.
    """
    try:
        with beside(path) as made:
            yield made
    except OSError as error:
        raise LayercountError(messages.commands.not_written(path, error)) from error
