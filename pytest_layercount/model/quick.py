"""The switch for all that is done only because it is quicker.

Each shortcut stands beside the plain way and gives what that gives, bit for bit. With them a
fold of ResNet50 takes 0.47 of its time, one of MobileNetV2 0.70 (Keras 3.15). They go deepest
into Keras: where a new version breaks something, :func:`plainly` tells whether it is one of
these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_plain = 0
"""How many callers want the plain way."""


def quick() -> bool:
    """Whether shortcuts are taken."""
    return not _plain


@contextmanager
def plainly() -> Iterator[None]:
    """Do everything the plain way inside a ``with`` block."""
    global _plain  # noqa: PLW0603  it is the state of a switch
    _plain += 1
    try:
        yield
    finally:
        _plain -= 1
