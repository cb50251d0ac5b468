"""Reading the file of a baseline."""

from __future__ import annotations

from pathlib import Path

from pytest_layercount import messages
from pytest_layercount.baselines.parse import Malformed
from pytest_layercount.baselines.text import Baseline, read
from pytest_layercount.baselines.write import BaselineError, why
from pytest_layercount.files import read_bytes


def load(path: Path, shown: str) -> Baseline | None:
    """The baseline at ``path``, None if there is none; ``shown`` is what errors call it.

    Raises:
        BaselineError: the file is damaged, or may not be read.
    """
    try:
        text = read_bytes(path).decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = messages.baselines.NOT_TEXT
        raise BaselineError(messages.baselines.damaged(shown, line, problem)) from None
    except OSError as error:
        raise BaselineError(messages.baselines.cannot_read(shown, why(error))) from None
    try:
        return read(text)
    except Malformed as found:
        raise BaselineError(messages.baselines.damaged(shown, found.line, found.problem)) from None
