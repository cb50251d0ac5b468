"""Where a command may write: over nothing by mistake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_layercount.errors import LayercountError


def check_target(path: Path, suffixes: Sequence[str], *, force: bool, source: str) -> None:
    """Refuse to write to ``path`` before any work is done for it.

    Raises:
        LayercountError: it is of another format, it is the model itself, it is there
            already and ``force`` is not given, or its folder is not there.
    """
    problem = None
    if path.suffix not in suffixes:
        problem = f"must end with {', '.join(suffixes[:-1])} or {suffixes[-1]}"
    elif path.exists() and Path(source).exists() and path.samefile(source):
        problem = "this is the model itself; name another file"
    elif path.is_dir():
        problem = "is a folder"
    elif path.exists() and not force:
        problem = "is there already; --force writes over it"
    elif not path.absolute().parent.is_dir():
        problem = "its folder is not there"
    if problem is not None:
        raise LayercountError(f"{path}: {problem}")
