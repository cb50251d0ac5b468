"""From aligned items to nodes in pairs and groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_layercount.compare.changes import (
    absorbed_changes,
    changes,
    lost_activations,
    merged,
)
from pytest_layercount.compare.heads import replaced_heads
from pytest_layercount.compare.moves import with_moved
from pytest_layercount.compare.partition import FOLDED, Group, Partition, is_cause
from pytest_layercount.compare.plain import Plain
from pytest_layercount.compare.regions import regions
from pytest_layercount.compare.vocabulary import ACTIVATION, is_preprocessing
from pytest_layercount.model.graph import Layer

_BY_NOTE = ("hard-swish", "hard-sigmoid", "separable", "activations-fused")
_PASSIVE = ("no-ops", "pooling")
_ENDS = ("head", "head-replaced", "auxiliary-outputs")


class _Lost(NamedTuple):
    """A node of one model that an item took up, and its partner did not."""

    side: int
    node: int
    code: str
    keeper: int
    partner: int


def partition(one: Plain, two: Plain, matched: dict[int, int]) -> Partition:
    """Put every node of both models into a pair or a group."""
    return _Pairing(one, two, matched).run()


class _Pairing:
    def __init__(self, one: Plain, two: Plain, matched: dict[int, int]) -> None:
        self.plains = (one, two)
        matched = with_moved(one, two, matched)
        self.heads = replaced_heads(one, two, matched)
        # A head is said as a whole, so pairs between the two heads are none.
        self.matched = {here: there for here, there in matched.items() if here not in self.heads[0]}
        matched = self.matched
        self.alone = (
            set(range(len(one.items))) - set(matched),
            set(range(len(two.items))) - set(matched.values()),
        )
        self.absorbed: list[tuple[int, int]] = []
        self.result = Partition()

    def run(self) -> Partition:
        # First what items have taken up and need not have in the other model, each step on what the
        # one before has left: paired within a pair of items, after the same item, beside the
        # partner, and only then said to be folded or gone. Then what stands alone, by where it
        # stands.
        lost = [missing for pair in self.matched.items() for missing in self._taken(*pair)]
        lost = self._kept_elsewhere(lost)
        lost = [missing for missing in lost if not self._stands_apart(missing)]
        for pair in self.matched.items():
            self._pair_units(*pair)
        folded = self._explain_lost(lost)
        for code, detail, before, after in regions(
            *self.plains, self.matched, *self.alone, self.heads
        ):
            mine, others = self._nodes(0, before), self._nodes(1, after)
            if detail:
                self.result.groups.append(Group(code, mine, others, detail))
            else:
                self.result.group(code, mine, others)
        back = {there: here for here, there in self.matched.items()}
        self.result.changed = merged(
            [
                *changes(*self.plains, self.matched, folded),
                *lost_activations(*self.plains, self.matched, self.alone[0], 0),
                *lost_activations(*self.plains, back, self.alone[1], 1),
                *absorbed_changes(*self.plains, self.absorbed, folded),
            ]
        )
        for side in (0, 1):
            self._follow(side)
        return self.result

    def _nodes(self, side: int, steps: Sequence[int]) -> list[int]:
        return [node for step in steps for node in self.plains[side].items[step].nodes]

    def _taken(self, here: int, there: int) -> list[_Lost]:
        """Pair what both items took up; return what only one of them did."""
        one, two = self.plains
        others = list(two.items[there].taken)
        lost = []
        for node, code in one.items[here].taken:
            alike = (code, _what(one.layer(node)))
            match = next((o for o in others if (o[1], _what(two.layer(o[0]))) == alike), None)
            if match is None:
                lost.append(_Lost(0, node, code, here, there))
            else:
                others.remove(match)
                self._pair_absorbed(node, match[0])
        return lost + [_Lost(1, node, code, there, here) for node, code in others]

    def _pair_absorbed(self, here: int, there: int) -> None:
        """Pair two nodes that have no step of their own, at least in one of the models."""
        self.absorbed.append((here, there))
        self.result.pair(here, there)

    def _kept_elsewhere(self, lost: list[_Lost]) -> list[_Lost]:
        """Pair nodes after the same item that folded into different ones; return the rest."""
        after: dict[tuple[str, str, int | None], list[_Lost]] = {}
        for missing in lost:
            if missing.side:
                after.setdefault(self._origin(missing), []).append(missing)
        gone = set()
        for missing in lost:
            others = after.get(self._origin(missing), [])
            if not missing.side and others:
                other = others.pop(0)
                gone |= {missing, other}
                self._pair_absorbed(missing.node, other.node)
        return [missing for missing in lost if missing not in gone]

    def _origin(self, lost: _Lost) -> tuple[str, str, int | None]:
        """What a node is, and the item of the second model after which it stands."""
        plain = self.plains[lost.side]
        source = next(iter(plain.graph.nodes[lost.node].inputs), None)
        step = None if source is None else plain.steps.get(source.node)
        # In numbers of the second model, so that both sides can be held together.
        if step is not None and lost.side == 0:
            step = self.matched.get(step)
        return lost.code, _what(plain.layer(lost.node)), step

    def _stands_apart(self, lost: _Lost) -> bool:
        """Pair a node taken up in one model with the same standing beside the partner."""
        mine, other = self.plains[lost.side], self.plains[1 - lost.side]
        for step in self._near(lost.partner, 1 - lost.side):
            item = other.items[step]
            alike = [_what(other.layer(unit)) for unit in item.units] == [
                _what(mine.layer(lost.node))
            ]
            if alike and step in self.alone[1 - lost.side]:
                self.alone[1 - lost.side].remove(step)
                pair = lost.node, item.units[0]
                self._pair_absorbed(*(pair[::-1] if lost.side else pair))
                # What that item had taken up has no partner: it goes by the code it was taken up
                # with.
                for node, code in item.taken:
                    self.result.lose(code, [node], 1 - lost.side)
                return True
        return False

    def _near(self, start: int, side: int) -> Iterator[int]:
        """The steps before and after, also behind an activation that only this model has."""
        plain = self.plains[side]
        for following in (
            lambda step: [s for s, _ in plain.view.reads[step]],
            plain.readers.__getitem__,
        ):
            pending = following(start)
            while pending:
                step = pending.pop(0)
                yield step
                if step in self.alone[side] and plain.view.loose[step] == ACTIVATION:
                    pending += following(step)

    def _pair_units(self, here: int, there: int) -> None:
        one, two = self.plains[0].items[here], self.plains[1].items[there]
        layers = (
            [self.plains[0].layer(node) for node in one.units],
            [self.plains[1].layer(node) for node in two.units],
        )
        # Operations do not tell which of two layers made them, Activation or ReLU.
        traced = any(plain.graph.seen == "traced function" for plain in self.plains)
        if len(layers[0]) == len(layers[1]) and all(
            i.type == j.type or i.operation or j.operation or traced
            for i, j in zip(*layers, strict=True)
        ):
            for pair in zip(one.units, two.units, strict=True):
                self.result.pair(*pair)
        else:
            notes = {one.note, two.note}
            code = next((note for note in _BY_NOTE if note in notes), "activation-layers")
            self.result.group(code, one.units, two.units)

    def _explain_lost(self, lost: list[_Lost]) -> set[tuple[int, int]]:
        """Group what one model has taken up; the nodes of either side that were folded."""
        coded = [(missing, self._code(missing)) for missing in lost]
        # The models in which something was folded.
        company = {missing.side for missing, code in coded if code in FOLDED}
        folded = set()
        for missing, guess in coded:
            # Where other layers were folded, one that could have been was folded too.
            folds = guess == "preprocessing" and missing.side in company
            code = "affine-folded" if folds else guess
            if code in FOLDED:
                folded.add((missing.side, missing.node))
            self.result.lose(code, [missing.node], missing.side)
        return folded

    def _code(self, lost: _Lost) -> str:
        """What explains a layer that one model has and that could have folded."""
        if lost.code not in FOLDED:
            return lost.code
        mine, other = self.plains[lost.side], self.plains[1 - lost.side]
        keeper = mine.items[lost.keeper].layer
        has_bias = bool(other.configs[lost.partner].get("use_bias"))
        had_bias = bool(mine.configs[lost.keeper].get("use_bias"))
        absorbs = "use_bias" in keeper.config
        # Scaling of data is taken to be left out unless something shows that it was folded: a bias
        # that is new in the layer after it, or another scaling layer that can take it up.
        if is_preprocessing(mine.layer(lost.node)):
            shown = is_preprocessing(keeper) or (absorbs and has_bias and not had_bias)
            return "affine-folded" if shown else "preprocessing"
        # Without a bias the partner cannot have taken a shift up.
        if absorbs and not has_bias:
            return "added" if lost.side else "removed"
        return lost.code

    def _follow(self, side: int) -> None:
        """What does nothing and stands only before lost layers was lost with these."""
        groups = [(group, group.after if side else group.before) for group in self.result.groups]
        readers: dict[int, set[int]] = {}
        for number, call in enumerate(self.plains[side].graph.nodes):
            for value in call.inputs:
                readers.setdefault(value.node, set()).add(number)
        ends = [nodes for group, nodes in groups if group.code in _ENDS]
        for nodes in [nodes for group, nodes in groups if group.code in _PASSIVE]:
            # The last first: one may be read by another that has just joined the end.
            for node in reversed(tuple(nodes)):
                reading = readers.get(node, set())
                end = next((end for end in ends if reading and reading <= set(end)), None)
                if end is not None:
                    nodes.remove(node)
                    end.append(node)
        self.result.groups = [
            group for group, _ in groups if is_cause(group.code, group.before, group.after)
        ]


def _what(layer: Layer) -> str:
    """A layer's type, or what an operation does, whatever each Keras calls it."""
    return layer.operation or layer.type
