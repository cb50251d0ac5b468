"""Files: only regular ones are read, and they are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pytest_layercount.errors import LayercountError

NOT_REGULAR = "not a regular file"


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A regular file, open for reading: a pipe or a device may never end.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    _check_regular(Path(path).stat(), path)  # before it is opened, which a device may notice
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    with os.fdopen(descriptor, "rb") as stream:
        _check_regular(os.fstat(descriptor), path)
        yield stream


_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def without_waiting(path: str, flags: int) -> int:
    """Open a file as ``open`` does, but not wait for somebody to read a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it cannot be read, or is something else.
    """
    with opened(path) as stream:
        return stream.read()


def irregular(folder: Path) -> Path | None:
    """Something in ``folder`` that is neither a regular file nor a folder, links followed."""
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(here, name)
            if path.exists() and not (path.is_file() or path.is_dir()):
                return path
    return None


def _check_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR, os.fspath(path))


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` to be written to, which then takes its place.

    Raises:
        OSError: the folder cannot be written to, or ``path`` is a pipe or a device.
    """
    if path.exists() and not path.is_dir():
        _check_regular(path.stat(), path)
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
        raise LayercountError(not_written(path, error)) from error


def no_place(file: Path) -> str:
    """Why ``file`` cannot be written, found out before it is there; empty if it can.

    Its folder is made.
    """
    if file.is_dir():
        return "it is a folder"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return reason(error)
    return no_room(file.parent)


def no_room(folder: Path) -> str:
    """Why no file can be written into ``folder``, which may have to be made; empty if one can."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return reason(error)


def not_written(path: Path, error: OSError) -> str:
    """A file that cannot be written."""
    return f"{path}: cannot be written ({reason(error)})"


def reason(error: OSError) -> str:
    """What the system says of it."""
    return error.strerror or type(error).__name__
