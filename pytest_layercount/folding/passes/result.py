"""What every pass is and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pytest_layercount.folding.passes.kernels import Merge
from pytest_layercount.folding.search import Absorption


@dataclass(frozen=True)
class PassResult:
    """What a pass did to the graph that it edits.

    ``removed`` are the paths of layers that are gone, but for those that fold; ``steps`` what
    has to be done to the weights of others, in this order.
    """

    removed: tuple[str, ...] = ()
    steps: tuple[Absorption | Merge, ...] = ()


class Pass(Protocol):
    """One kind of change to a graph under edit that leaves the outputs at inference as they are."""

    def run(self) -> PassResult:
        """Carry out all of it that can be."""
        ...
