"""Every node of two models has its place: in a pair, or in a group that says why not.

That is what makes the deltas of an explanation sum exactly: whatever is counted is
counted in one pair or one group, and pairs cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

FOLDED = ("batch-norms-folded", "affine-folded")
WEIGHED = (*FOLDED, "collapsed")
"""The causes that are seen in weights."""
_OPPOSITE = {"added": "removed", "removed": "added"}
_WITHOUT_NODES = ("inputs", "outputs")
_EXCHANGES = ("activation-layers", "head-replaced", "hard-sigmoid", "hard-swish", "separable")


def is_cause(code: str, before: Sequence[object], after: Sequence[object]) -> bool:
    """Whether a group stands for a difference: most have to have something in one of the models."""
    return bool(before or after or code in _WITHOUT_NODES)


@dataclass
class Group:
    """Nodes of both models with one reason for not being paired one to one."""

    code: str
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    detail: str = ""

    def flipped(self) -> Group:
        """The group, the models exchanged."""
        return Group(_OPPOSITE.get(self.code, self.code), self.after, self.before, self.detail)


@dataclass(frozen=True)
class Change:
    """The same layer in both models, configured or connected otherwise.

    ``before`` and ``after`` are its paths in the two models. ``attributes`` maps what
    differs to both values; ``"inputs"`` are the paths of the layers that it reads.
    """

    before: str
    after: str
    type: str
    attributes: dict[str, tuple[Any, Any]]

    def flipped(self) -> Change:
        """The change, the models exchanged."""
        attributes = {name: (two, one) for name, (one, two) in self.attributes.items()}
        return Change(self.after, self.before, self.type, attributes)


@dataclass
class Partition:
    """The nodes of two models as pairs and groups, and the pairs that changed."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)

    def flipped(self) -> Partition:
        """The partition, the models exchanged."""
        return Partition(
            [(two, one) for one, two in self.pairs],
            [group.flipped() for group in self.groups],
            [change.flipped() for change in self.changed],
        )

    def pair(self, here: int, there: int, side: int = 0) -> None:
        """Pair node ``here`` of one model, the second if ``side`` is 1, with one of the other."""
        self.pairs.append((there, here) if side else (here, there))

    def lose(self, code: str, nodes: Iterable[int], side: int) -> None:
        """Group nodes that only one of the models has."""
        self.group(code, *(([], nodes) if side else (nodes, [])))

    def group(self, code: str, before: Iterable[int], after: Iterable[int]) -> None:
        """Add nodes to the group ``code``.

        What was lost never joins what was gained, but where layers stand for others.
        """
        one, two = list(before), list(after)
        for group in self.groups:
            # In an exchange layers of one model stand for those of the other: they belong in one
            # group.
            alike = code in _EXCHANGES or bool(group.after) == bool(two)
            if group.code == code and alike and not group.detail:
                group.before += one
                group.after += two
                return
        if is_cause(code, one, two):
            self.groups.append(Group(code, one, two))
