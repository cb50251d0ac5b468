"""What stands in a picture of a model, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_layercount.text import number

if TYPE_CHECKING:
    from pytest_layercount.model.count import LayerCount

FOLDED = "folded"
OUTPUT = "output"
NOTHING = "nothing folds and nothing is left to fold"
SAME = "nothing differs but names"
LEGEND: Mapping[str, str] = {
    "folds": "folds into a neighbour",
    "refused": "stays",
    "removed": "does nothing at inference: removed",
    "absorbs": "took up what folded",
    "gone": "only in the first model",
    "new": "only in the second model",
    "changed": "configured or connected otherwise",
}

NO_GRAPHVIZ = (
    "drawing needs Graphviz, and its program dot is not on the PATH: "
    "apt install graphviz, brew install graphviz, or see graphviz.org/download"
)


def too_slow(seconds: int) -> str:
    """A layout that takes too long."""
    return f"Graphviz did not lay out the model within {seconds} seconds"


def graphviz_failed(said: str) -> str:
    """A layout that failed."""
    first = (said.strip() or "nothing said").splitlines()[0]
    return f"Graphviz failed: {first}"


def title(name: str, counted: LayerCount) -> str:
    """What stands above a model."""
    return f"{name}: {number(counted.total, 'layer')}"


def folds_into(into: Sequence[str], condition: str) -> str:
    """Where a layer goes."""
    names = [path.rpartition("/")[2] for path in into]
    where = names[0] if len(names) == 1 else f"{len(names)} layers"
    return f"into {where}{f', if {condition}' if condition else ''}" if names else condition


def stays(reason: str) -> str:
    """Why a layer stays."""
    return f"stays: {reason}"


def again(more: int, size: int) -> str:
    """Rows that stand there again."""
    rows = "this layer" if size == 1 else f"these {size} layers"
    return f"⋮ {rows} {more} more times"
