"""Every sentence a user reads, as functions from facts to text: a file for each subject.

How they are laid out, and how long they may be, is :mod:`pytest_layercount.text`.
A file is imported when its first sentence is needed: most test runs need none.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_layercount.messages import (
        records,
    )

__all__ = [
    "records",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
