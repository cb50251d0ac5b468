"""A random model as plain data: what hypothesis shrinks, prints and can be given again.

Values are numbered in one row: first the inputs, then what each step makes. The
``repr`` of a recipe is Python, so a failure can be pasted into ``test_found.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

Shape = tuple[int, ...]
Config = Mapping[str, Any]


class Short:
    """Prints only the fields that differ from their defaults."""

    def __repr__(self) -> str:
        shown = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(self)  # type: ignore[arg-type]
            if getattr(self, each.name) != _default(each)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # else hypothesis would spell out the defaults


@dataclass(frozen=True, repr=False)
class Step(Short):
    """One call: of a new layer, or of the layer of step number ``again`` once more.

    ``kind`` is a class in ``keras.layers``, a raw operation (lower case) or
    ``Model``, whose configuration is a recipe.
    """

    kind: str
    inputs: tuple[int, ...]
    config: Config = field(default_factory=dict)
    again: int | None = None
    training: bool = False


@dataclass(frozen=True, repr=False)
class Recipe(Short):
    """A model. ``tokens`` says that its inputs are indices below five, ``named`` that
    inputs and outputs are dictionaries, ``seed`` decides all weights.
    """

    inputs: tuple[Shape, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    tokens: bool = False
    named: bool = False
    sequential: bool = False
    channels_first: bool = False
    seed: int = 0

    @property
    def xla(self) -> bool:
        """Whether only XLA has kernels for all of it on the CPU in float64."""
        return self.channels_first

    @property
    def size(self) -> int:
        """How many calls of layers there are, those in nested models included."""
        return sum(step.config["recipe"].size if step.kind == "Model" else 1 for step in self.steps)


def _default(each: Any) -> Any:
    return {} if each.name == "config" else each.default
