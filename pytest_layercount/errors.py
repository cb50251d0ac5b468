"""The errors this package raises: each is one sentence a user can act on."""

from __future__ import annotations

import re

from pytest_layercount.text import printable, short

INSTALL = 'pip install "pytest-layercount[tensorflow]"'

_LAYOUT = re.compile(r"\x1b\[\d*m")
_PREAMBLE = re.compile(
    r"(Exception encountered when calling (\S*\.call\(\)|layer [^\n]*)\.\s*)?"
    r"(Could not automatically infer the output shape .*?Error encountered:\s*)?",
    re.DOTALL,
)
_USER_CODE = re.compile(r"in user code:.*\n[ ]+\w+: ([^\n]*).*", re.DOTALL)  # Keras 2


class LayercountError(Exception):
    """The base of every error raised on purpose; its text is meant for users."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ModelError(LayercountError):
    """The object given as a model cannot be read, copied or run as one."""


def needs_tensorflow(what: str) -> str:
    """Say that ``what`` needs TensorFlow where it is not installed."""
    return f"{what} needs TensorFlow, which is not installed: {INSTALL}"


def reading_needs_tensorflow(model: object) -> str:
    """Say the same of reading ``model``."""
    return needs_tensorflow(f"reading {short(model)}")


def with_its_type(error: BaseException) -> str:
    """Say in one line what an error of somebody else's is: ``KeyError: 'axis'``."""
    name, line = type(error).__name__, first_line(error)
    return line if line == name else f"{name}: {line}"


def first_line(error: BaseException) -> str:
    """The first line of what ``error`` says, without Keras's bold type and preambles."""
    said = _PREAMBLE.sub("", _LAYOUT.sub("", str(error)).strip(), count=1)
    said = _USER_CODE.sub(r"\1", said)
    return (said.strip() or type(error).__name__).splitlines()[0]
