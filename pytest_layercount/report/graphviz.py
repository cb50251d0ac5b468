"""Run Graphviz, a program that lays out graphs. It is no Python package."""

from __future__ import annotations

import shutil
import subprocess

from pytest_layercount.errors import LayercountError
from pytest_layercount.messages import pictures

SECONDS = 60


def run_dot(text: str, form: str) -> bytes:
    """What ``dot`` makes of ``text`` in the format ``form``.

    Raises:
        LayercountError: there is no ``dot``, or it fails or takes too long.
    """
    program = shutil.which("dot")
    if program is None:
        raise LayercountError(pictures.NO_GRAPHVIZ)
    try:
        done = subprocess.run(  # noqa: S603  no shell, and the text goes to its input
            [program, f"-T{form}"],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LayercountError(pictures.too_slow(SECONDS)) from None
    except OSError as error:
        raise LayercountError(pictures.graphviz_failed(str(error))) from None
    if done.returncode or not done.stdout:
        raise LayercountError(pictures.graphviz_failed(done.stderr.decode("utf-8", "replace")))
    return done.stdout
