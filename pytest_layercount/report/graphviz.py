"""Run Graphviz, a program that lays out graphs. It is no Python package."""

from __future__ import annotations

import shutil
import subprocess

from pytest_layercount.errors import LayercountError

SECONDS = 60

NO_GRAPHVIZ = (
    "drawing needs Graphviz, and its program dot is not on the PATH: "
    "apt install graphviz, brew install graphviz, or see graphviz.org/download"
)


def run_dot(text: str, form: str) -> bytes:
    """What ``dot`` makes of ``text`` in the format ``form``.

    Raises:
        LayercountError: there is no ``dot``, or it fails or takes too long.
    """
    program = shutil.which("dot")
    if program is None:
        raise LayercountError(NO_GRAPHVIZ)
    try:
        done = subprocess.run(  # noqa: S603  no shell, and the text goes to its input
            [program, f"-T{form}"],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LayercountError(
            f"Graphviz did not lay out the model within {SECONDS} seconds"
        ) from None
    except OSError as error:
        raise LayercountError(_failed(str(error))) from None
    if done.returncode or not done.stdout:
        raise LayercountError(_failed(done.stderr.decode("utf-8", "replace")))
    return done.stdout


def _failed(said: str) -> str:
    first = (said.strip() or "nothing said").splitlines()[0]
    return f"Graphviz failed: {first}"
