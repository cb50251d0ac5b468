"""Keep what TensorFlow says of itself away from what a user asked for.

Its native code writes to the file descriptor of standard error, past Python. Those
lines are held back and dropped; every other line is passed on, so that nothing that
a user's own code says is lost. What is printed to standard output goes to standard
error: the output belongs to the answer.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import BinaryIO

_NOISE = re.compile(
    rb"[IWE]\d{4} \d\d:|WARNING: All log messages before absl|"
    rb"\d{4}-\d\d-\d\d [\d:.]+: [IWE] |To enable the following instructions|"
    rb"TF-TRT Warning"
)


@contextmanager
def quiet() -> Iterator[None]:
    """Run the body without TensorFlow's own lines."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryFile() as held, warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        errors = os.dup(2)
        try:
            with open(errors, "w", buffering=1, closefd=False, encoding="utf-8") as stream:
                os.dup2(held.fileno(), 2)
                with redirect_stdout(stream), redirect_stderr(stream):
                    yield
        finally:
            os.dup2(errors, 2)
            os.close(errors)
            _pass_on(held)


def _pass_on(held: BinaryIO) -> None:
    held.seek(0)
    for line in held:
        if not _NOISE.match(line):
            os.write(2, line)
