"""What a plan says of each affine layer, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fold:
    """An affine layer that disappears.

    ``layer`` is its path and ``type`` its class name; ``into`` are the paths of
    the layers that absorb it (several below a Concatenate). ``rule`` says how:
    ``"after"`` when they stand before it, ``"before"`` when it stands before
    them. ``condition`` is empty, or says what its values must satisfy.
    """

    layer: str
    type: str
    into: tuple[str, ...]
    rule: str
    condition: str = ""


@dataclass(frozen=True)
class Refusal:
    """An affine layer left in place, and why.

    ``reason`` is a stable code (see :mod:`pytest_layercount.folding.reasons`),
    ``blocker`` the path of the layer that stopped it and ``message`` the
    sentence that says how.
    """

    layer: str
    type: str
    reason: str
    blocker: str
    message: str
