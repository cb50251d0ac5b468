"""From nodes in pairs and groups to what a way of counting makes of them.

Every counted layer or node of both models ends up in one pair, which cancels, or in
one cause. So the deltas sum to the difference, whatever the causes are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pytest_layercount.compare.causes import Cause, Concerned, cause, in_order
from pytest_layercount.compare.nesting import held, nested_layers, nested_types, same_models
from pytest_layercount.compare.partition import Partition, is_cause
from pytest_layercount.compare.plain import Plain
from pytest_layercount.model.count import Count
from pytest_layercount.model.graph import Layer

_OTHER_LAYERS = ("activations-fused", "hard-sigmoid", "hard-swish", "pooling")
"""Causes in which operations stand for layers."""

_Key = tuple[str, object]


class _Side:
    """One of the two models: what is counted in it, and under which number."""

    def __init__(self, plain: Plain, count: Count) -> None:
        self.graph, self.count = plain.graph, count
        self.counts_operations = plain.counts_operations
        self.nested = nested_layers(self.graph) if count == "top" else {}
        self.model_types = nested_types(self.graph, self.nested)

    def unit(self, node: int) -> int:
        """What counts for this node: itself, or its layer."""
        return node if self.count == "nodes" else self.graph.nodes[node].layer

    def units(self) -> range:
        return range(len(self.graph.nodes if self.count == "nodes" else self.graph.layers))

    def concerned(self, unit: int) -> Concerned:
        layer = self.layer(unit)
        return Concerned(layer.path, layer.type, self.weight(unit))

    def weight(self, unit: int) -> int:
        if self.count == "nodes":
            return int(self.graph.layer_of(unit).kind != "input")
        layer = self.graph.layers[unit]
        if layer.kind == "operation" or unit in self.nested:
            return 0
        return int(layer.kind != "input" or not self.graph.sequential)

    def is_operation(self, unit: int) -> bool:
        return self.layer(unit).operation is not None

    def kind(self, unit: int) -> str:
        return self.layer(unit).kind

    def layer(self, unit: int) -> Layer:
        return self.graph.layer_of(unit) if self.count == "nodes" else self.graph.layers[unit]

    def listed_besides(self) -> Counter[str]:
        """How many more of each type Keras lists than are counted here."""
        listed = Counter(self.graph.top)
        listed.subtract(self.layer(unit).type for unit in self.units() if self.weight(unit))
        listed.subtract(self.model_types.values())
        return listed


@dataclass
class _Gathered:
    before: list[Concerned]
    after: list[Concerned]
    detail: str = ""


class Tally:
    """Sorts what two models count into causes."""

    def __init__(self, one: Plain, two: Plain, parts: Partition, count: Count) -> None:
        self.sides = (_Side(one, count), _Side(two, count))
        self.parts, self.count = parts, count
        self.gathered: dict[_Key, _Gathered] = {}
        self.homes: tuple[dict[int, _Key], ...] = ({}, {})
        self.partner: dict[int, int] = {}

    def causes(self) -> tuple[Cause, ...]:
        """The causes, the largest first."""
        self._pairs()
        self._groups()
        if self.count == "top":
            self._nested_models()
            self._unlisted()
        made = [
            cause(code, gathered.before, gathered.after, gathered.detail)
            for (code, _), gathered in self.gathered.items()
        ]
        return in_order(made)

    def _add(self, key: _Key, item: Concerned, side: int) -> None:
        gathered = self.gathered.setdefault(key, _Gathered([], []))
        (gathered.after if side else gathered.before).append(item)

    def _pairs(self) -> None:
        one, two = self.sides
        back: dict[int, int] = {}
        for here, there in sorted(self.parts.pairs):
            mine, other = one.unit(here), two.unit(there)
            # A layer is paired once. Of a shared one, other calls may be paired with other layers:
            # those are left over, and said to be due to sharing.
            if mine not in self.partner and other not in back:
                self.partner[mine] = other
                back[other] = mine
                self._weigh(mine, other)
        for side, known in ((0, self.partner), (1, back)):
            for pair in sorted(self.parts.pairs):
                unit = self.sides[side].unit(pair[side])
                if unit not in known:
                    self.homes[side].setdefault(unit, ("sharing", side))

    def _weigh(self, mine: int, other: int) -> None:
        one, two = self.sides
        before, after = one.concerned(mine), two.concerned(other)
        if before.weight == after.weight:
            return
        if "operation" in (one.kind(mine), two.kind(other)):
            code = "operations"
        elif mine in one.nested or other in two.nested:
            code = "nesting"
        else:
            code = "sequential-input"
        # Operations that count only in the first model and those that count only in the second are
        # two causes: together they would cancel.
        key = code == "operations" and before.weight < after.weight
        self._add((code, key), before, 0)
        self._add((code, key), after, 1)

    def _groups(self) -> None:
        paired = (set(self.partner), set(self.partner.values()))
        for number, group in enumerate(self.parts.groups):
            key: _Key = (group.code, number)
            self.gathered[key] = _Gathered([], [], group.detail)
            for side, nodes in ((0, group.before), (1, group.after)):
                for node in nodes:
                    unit = self.sides[side].unit(node)
                    if unit not in paired[side]:
                        # A layer may have several nodes. The first group that has one of them
                        # counts it.
                        self.homes[side].setdefault(unit, key)
        for side in (0, 1):
            for unit in self.sides[side].units():
                if unit not in paired[side]:
                    home = self._home(side, unit)
                    self._settle(side, unit, home)
        gathered = self.gathered.items()
        self.gathered = {key: of for key, of in gathered if is_cause(key[0], of.before, of.after)}

    def _home(self, side: int, unit: int) -> _Key:
        return self.homes[side].get(unit, ("added" if side else "removed", side))

    def _settle(self, side: int, unit: int, home: _Key) -> None:
        """Put a unit into its cause, or among operations that the other Keras would not count."""
        mine, other = self.sides[side], self.sides[1 - side]
        item = mine.concerned(unit)
        # An operation that Keras 2 counts and Keras 3 does not is a difference of Keras, even where
        # it stands for a layer.
        foreign = mine.is_operation(unit) and item.weight and not other.counts_operations
        code, key = home
        if foreign and self.count != "nodes" and code in _OTHER_LAYERS:
            code, key = "operations", bool(side)
        self._add((code, key), item, side)

    def _nested_models(self) -> None:
        """Nested models count as one: against each other, or against what they hold."""
        one, two = self.sides
        back = {there: here for here, there in self.partner.items()}
        paired = same_models(one.nested, two.nested, self.partner)
        known = (
            (self.partner, set(paired)),
            (back, set(paired.values())),
        )
        for side, (partner, gone) in enumerate(known):
            for path, layers in held(self.sides[side].nested).items():
                if path in gone:
                    continue
                home: _Key = ("nesting", False)
                # Most of what it holds is in no pair: the model went or came with these.
                if 2 * sum(layer in partner for layer in layers) < len(layers):
                    homes = Counter(self._home(side, layer) for layer in layers)
                    home = homes.most_common(1)[0][0]
                item = Concerned(path, self.sides[side].model_types[path], 1)
                self._add(home, item, side)

    def _unlisted(self) -> None:
        """Add what Keras lists and the graph does not show, and the other way round."""
        one, two = (side.listed_besides() for side in self.sides)
        for name in sorted({*one, *two}):
            delta = two[name] - one[name]
            if delta:
                gains = delta > 0
                self._add(("unlisted", gains), Concerned("", name, abs(delta)), int(gains))
