"""Where a map can go: the walk to the layers that absorb it.

Both walks work off a list of what is still to do, in topological order, so
that branches that part and meet again are seen together and depth costs
nothing. A walk ends with the absorptions found, or with what stopped it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.rule import Absorbs, Maps, Need, Route, Rule, Side, Site, Stop
from pytest_layercount.model.edit import Use
from pytest_layercount.model.graph import Layer, Node, Value


@dataclass(frozen=True)
class Absorption:
    """One layer that takes up maps on its outputs or on its inputs.

    ``maps`` are these maps by output or input slot, ``site`` is the call as it stood when its
    rule was asked, and ``answer`` what the rule said.
    """

    layer: int
    node: int
    side: Side
    maps: Maps
    site: Site
    answer: Absorbs

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers whose weights are read, as ``Merge.layers``: a plan's merges hold both."""
        return (self.layer,)

    @property
    def affine(self) -> Affine:
        """The map, where there is but one."""
        return next(iter(self.maps.values()))

    def equals(self, other: Absorption) -> bool:
        """Whether both take up the same, whatever the weights."""
        return self.maps.keys() == other.maps.keys() and all(
            affine.equals(other.maps[slot]) for slot, affine in self.maps.items()
        )


@dataclass(frozen=True)
class Way:
    """A complete way for a map: what absorbs it, and which values it changes.

    ``altered`` are the values that will differ from the original model's; ``conditions`` are
    needs that only weights decide.
    """

    absorptions: tuple[Absorption, ...]
    altered: frozenset[Value]
    conditions: tuple[Need, ...]


class Blocked(NamedTuple):
    """What stopped a walk: a reason code and the path of the layer that it is about."""

    reason: str
    blocker: str


@dataclass
class _Walk:
    """A walk that is under way.

    ``demands`` are the maps that values still have to take on, and the uses that ask for them;
    ``asked`` is the path of the layer whose rule was asked last: a ``Stop`` of a rule is about it.
    """

    absorptions: list[Absorption] = field(default_factory=list)
    altered: set[Value] = field(default_factory=set)
    conditions: list[Need] = field(default_factory=list)
    demands: dict[Value, list[tuple[Affine, Use]]] = field(default_factory=dict)
    asked: str = ""

    def blocked(self, stop: Stop) -> Blocked:
        """Why the walk ended, of the layer asked last where ``stop`` names none."""
        return Blocked(stop.reason, stop.blocker or self.asked)

    def copy(self) -> _Walk:
        demands = {value: list(uses) for value, uses in self.demands.items()}
        return _Walk(list(self.absorptions), set(self.altered), list(self.conditions), demands)


class Search:
    """Walks over a :class:`FoldEdit`."""

    def __init__(self, edit: FoldEdit) -> None:
        self.edit = edit

    def upstream(self, calls: Iterable[int], affine: Affine) -> Way | Blocked:
        """The layers before ``calls`` that can together absorb ``affine``."""
        # A demand on a value says: be ``s v + t`` for this reader. A walk answers the demands one
        # by one, by an absorption or by demands on the values before:
        #
        #     conv ──u──┐
        #               Add ──w── BN(A)     A on w;  then A on u and (s, 0) on v
        #     conv ──v──┘
        #
        start = _Walk()
        for call in calls:
            self._demand(start, self.edit.inputs[call][0], affine, Use(call, 0))
        # An Add may hand the shift to any one of its branches: each is tried. What stopped the
        # first, preferred, way is what the user is told.
        alternatives, first = [start], None
        while alternatives:
            walk = alternatives.pop()
            try:
                while walk.demands:
                    self._step_up(walk, alternatives)
                return self._way(walk)
            except Stop as stop:
                first = first or walk.blocked(stop)
        assert first is not None
        return first

    def downstream(self, calls: Iterable[int], affine: Affine) -> Way | Blocked:
        """The layers after ``calls`` that can together absorb ``affine``."""
        walk = _Walk()
        pending: dict[int, dict[int, Affine]] = {}
        try:
            for call in calls:
                self._spread(walk, pending, Value(call), affine)
            # The earliest call first: all its inputs have got their maps by then, also those that
            # come by a longer branch.
            while pending:
                self._step_down(walk, pending, min(pending))
            return self._way(walk)
        except Stop as stop:
            return walk.blocked(stop)

    def _step_up(self, walk: _Walk, alternatives: list[_Walk]) -> None:
        # The latest value first: nothing that is still to be walked can read it, so all demands
        # on it are known and can be held against its uses.
        value = max(walk.demands, key=lambda value: value.node)
        affine = self._agreed(value, walk.demands.pop(value))
        walk.altered.add(value)
        node = value.node
        rule, site = self._ask(walk, node)
        self._require_floats(value)
        # Such a rule speaks of the first output alone, and this may be another.
        if len(site.outputs) > 1 and not rule.several:
            raise Stop("nonlinear")
        # Absorbing ends the walk on this branch, so it is asked before passing.
        maps = {value.index: affine}
        answer = rule.absorb(site, "after", maps)
        if answer is not None:
            self._absorb(walk, Absorption(site.node.layer, node, "after", maps, site, answer))
            return
        routes = rule.pass_up(site, affine)
        possible = [route for route in routes if all(affine_may(n, affine) for n in route.needs)]
        if not possible:
            # This raises, since a fact that the route needs is false. The reason told is that of
            # the first, preferred, route.
            self._require(walk, site.layer.path, affine, routes[0].needs)
        # The walks not taken are kept as they stand here. They are taken from the end of the list,
        # so the route preferred least goes in first.
        for route in reversed(possible[1:]):
            alternatives.append(walk.copy())
            self._follow(alternatives[-1], node, route, affine)
        self._follow(walk, node, possible[0], affine)

    def _follow(self, walk: _Walk, node: int, route: Route, affine: Affine) -> None:
        self._require(walk, self.edit.layer(node).path, affine, route.needs)
        for slot, part in route.maps.items():
            self._demand(walk, self.edit.inputs[node][slot], part, Use(node, slot))

    def _demand(self, walk: _Walk, value: Value, affine: Affine, use: Use) -> None:
        walk.demands.setdefault(value, []).append((affine, use))

    def _agreed(self, value: Value, demands: list[tuple[Affine, Use]]) -> Affine:
        """The one map that every use of ``value`` asks for."""
        path = self.edit.layer(value.node).path
        if value in self.edit.entries:
            raise Stop("model-input", path)
        if self.edit.is_output(value):
            raise Stop("model-output", path)
        # Whoever reads the value without asking for a map would see other numbers.
        affine = demands[0][0]
        alike = all(other.equals(affine) for other, _ in demands)
        if not alike or {use for _, use in demands} != set(self._uses(value)):
            raise Stop("several-consumers", path)
        return affine

    def _step_down(self, walk: _Walk, pending: dict[int, dict[int, Affine]], node: int) -> None:
        maps = pending.pop(node)
        rule, site = self._ask(walk, node)
        self._require_floats(Value(node), *(self.edit.inputs[node][slot] for slot in maps))
        # A map on another input than the first is no matter of a rule that knows of one input.
        first = maps.keys() == {0}
        answer = rule.absorb(site, "before", maps) if first or rule.several else None
        if answer is not None:
            self._absorb(walk, Absorption(site.node.layer, node, "before", maps, site, answer))
            return
        # Maps absorbed above leave every output as it was. One that passes has to reach all
        # outputs.
        if len(site.outputs) > 1 and not rule.several:
            raise Stop("nonlinear")
        route = rule.pass_down(site, maps)
        # A route is for all the maps together, and each of them has to fulfil its needs.
        for part in maps.values():
            self._require(walk, site.layer.path, part, route.needs)
        for index, part in route.maps.items():
            self._spread(walk, pending, Value(node, index), part)

    def _spread(
        self,
        walk: _Walk,
        pending: dict[int, dict[int, Affine]],
        value: Value,
        affine: Affine,
    ) -> None:
        """Carry the map that ``value`` now lacks to everything that reads it."""
        # Here ``value`` lacks the map for good, and the user would get it like that.
        if self.edit.is_output(value):
            raise Stop("model-output", self.edit.layer(value.node).path)
        walk.altered.add(value)
        for use in self._uses(value):
            pending.setdefault(use.node, {})[use.slot] = affine

    def _require_floats(self, *values: Value) -> None:
        for value in values:
            if value in self.edit.integers:
                raise Stop("integers", self.edit.layer(value.node).path)

    def _uses(self, value: Value) -> list[Use]:
        """Where ``value`` enters a node that looks at more than its shape.

        ``zeros_like(x)`` is the same whatever map is on ``x``, so it asks for none.
        """
        uses = self.edit.uses(value)
        return [use for use in uses if not _shape_only(self.edit.rule(use.node))]

    def _ask(self, walk: _Walk, node: int) -> tuple[Rule, Site]:
        """The rule and the call of ``node``, if it may be touched at all."""
        site, rule = self.edit.site(node), self.edit.rule(node)
        walk.asked = site.layer.path
        if rule is None:
            unknown = self.edit.unknown(node)
            # The user can answer for a class of their own with a hook, for nothing of Keras's.
            if unknown.operation is None and not unknown.builtin:
                raise Stop("unknown-layer", unknown.path)
            raise Stop("no-rule")
        # Quantized, LoRA and non-finite weights keep a layer that has any from being touched at
        # all: a map that only passes through it would still change what its weights meet.
        if rule.weights:
            reason = self.edit.seal(node)
            if reason:
                raise Stop(reason)
        if rule.training_matters and in_training(site):
            raise Stop("training-call")
        return rule, site

    def _absorb(self, walk: _Walk, absorption: Absorption) -> None:
        for affine in absorption.maps.values():
            self._require(walk, absorption.site.layer.path, affine, absorption.answer.needs)
        walk.absorptions.append(absorption)

    def _require(self, walk: _Walk, path: str, affine: Affine, needs: Iterable[Need]) -> None:
        for need in needs:
            fact = affine.fact(need.fact)
            if fact is False:
                raise Stop(need.otherwise, path)
            # Not known without weights: the plan says so, and the fold decides.
            if fact is None and need not in walk.conditions:
                walk.conditions.append(need)

    def _way(self, walk: _Walk) -> Way:
        """The way that the walk has found.

        Raises:
            Stop: an absorbing layer is called elsewhere too, or its calls need different weights.
        """
        by_layer: dict[int, list[Absorption]] = {}
        for absorption in walk.absorptions:
            by_layer.setdefault(absorption.layer, []).append(absorption)
        # A layer has one set of weights: it can take up what all of its calls ask for alike.
        for layer, wanted in by_layer.items():
            alike = all(one.equals(wanted[0]) for one in wanted)
            if not alike or {one.node for one in wanted} != set(self.edit.calls(layer)):
                raise Stop("shared-layer", self.edit.layers[layer].path)
        once = tuple(wanted[0] for wanted in by_layer.values())
        return Way(once, frozenset(walk.altered), tuple(walk.conditions))


def _shape_only(rule: Rule | None) -> bool:
    return rule is not None and rule.shape_only


def affine_may(need: Need, affine: Affine) -> bool:
    """Whether ``affine`` fulfils ``need``, or may once its weights are known."""
    return affine.fact(need.fact) is not False


def in_training(site: Site) -> bool:
    """Whether this call computes what training does; a frozen layer never does."""
    return runs_in_training(site.layer, site.node)


def runs_in_training(layer: Layer, node: Node) -> bool:
    """Whether the call ``node`` of ``layer`` computes what training does."""
    # Of Keras's layers only batch normalizations have ``trainable`` among the attributes that
    # are read: with ``trainable=False`` they use the moving statistics, whatever the call says.
    return node.training is True and layer.config.get("trainable") is not False
