"""The pass ``affine``: which affine layers disappear, into what, and why the others stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_layercount.folding import reasons
from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.plan import Fold, ReadWeights, Refusal
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.rules.base import Rule, Stop, Weights
from pytest_layercount.folding.rules.batch_norm import BatchNormalization
from pytest_layercount.folding.search import Absorption, Blocked, Found, Search, in_training
from pytest_layercount.folding.wiring import Wiring
from pytest_layercount.model.graph import Value

_CONDITIONS = {
    "zero_shift": "its shift is zero",
    "nonnegative": "its scale is nowhere negative",
    "unit_scale": "its scale is one",
}


class AffinePass:
    """Takes affine layers out one by one until none of those left can go."""

    def __init__(self, wiring: Wiring, weights: ReadWeights | None) -> None:
        self.wiring = wiring
        self.weights = weights
        self.search = Search(wiring)
        self.maps: dict[int, Affine | Stop] = {}
        self.folds: dict[int, Fold] = {}
        self.refusals: dict[int, Refusal] = {}
        self.absorptions: list[Absorption] = []
        self.assumed: dict[tuple[int, str], str] = {}  # what took up a map only perhaps
        self.gaps: dict[Value, str] = {}  # behind which a layer stands if it does not fold

    def affine_maps(self) -> Mapping[int, Affine | Stop]:
        """The maps of the affine layers that still stand."""
        if not self.maps:
            self._affine_layers()
        return {layer: found for layer, found in self.maps.items() if layer not in self.folds}

    def run(self) -> None:
        """Fold what can be folded, in turns: what goes may make room for another."""
        self._run(self._affine_layers())

    def run_again(self) -> list[Absorption]:
        """Fold what can go only now; the absorptions, which come after all merges so far."""
        before = len(self.absorptions)
        refused = [layer for layer in self.refusals if self.wiring.calls(layer)]
        self._run(sorted(refused, key=self._turn))
        late, self.absorptions = self.absorptions[before:], self.absorptions[:before]
        return late

    def _run(self, waiting: list[int]) -> None:
        progress = True
        while progress:
            refused = [layer for layer in waiting if not self._fold(layer)]
            progress = len(refused) < len(waiting)
            waiting = refused

    def _affine_layers(self) -> list[int]:
        for layer in range(len(self.wiring.layers)):
            rule = rule_for(self.wiring.layers[layer])
            calls = self.wiring.calls(layer)
            if rule is not None and calls:
                read = self._weights(layer, rule)
                found = [rule.affine(self.wiring.site(call), read) for call in calls]
                if found[0] is not None:
                    self.maps[layer] = self._in_floats(calls, _common(found))
        return sorted(self.maps, key=self._turn)

    def _in_floats(self, calls: tuple[int, ...], affine: Affine | Stop) -> Affine | Stop:
        """The map, if it is one in the numbers that it is computed in; a cast is told later."""
        alike = [call for call in calls if self.wiring.keeps_dtype(call)]
        read = {self.wiring.inputs[call][0] for call in alike}
        whole = not self.wiring.integers.isdisjoint((*read, *map(Value, alike)))
        return Stop("integers") if whole else affine

    def _weights(self, layer: int, rule: Rule) -> Weights | None:
        """The weights of a layer that is a map; those of others are many and not asked for."""
        site = self.wiring.site(self.wiring.calls(layer)[0])
        if self.weights is None or (not site.layer.own and rule.affine(site, None) is None):
            return None
        return self.weights(layer, rule.weights)

    def _turn(self, layer: int) -> tuple[bool, int]:
        """In order of the calls, but other maps wait: they might take up a normalization."""
        rule = rule_for(self.wiring.layers[layer])
        return not isinstance(rule, BatchNormalization), self.wiring.calls(layer)[0]

    def _fold(self, layer: int) -> bool:
        affine, calls = self.maps[layer], self.wiring.calls(layer)
        stop = self._standing(layer, affine)
        if stop is not None or isinstance(affine, Stop):
            self._refuse(layer, stop, None)
            return False
        up = self.search.upstream(calls, affine)
        if isinstance(up, Found) and not up.conditions:
            return self._apply(layer, up, "after")
        down = self.search.downstream(calls, affine)
        if isinstance(down, Found) and not (down.conditions and isinstance(up, Found)):
            return self._apply(layer, down, "before")
        if isinstance(up, Found):
            return self._apply(layer, up, "after")
        assert isinstance(down, Blocked)
        self._refuse(layer, up, down)
        return False

    def _standing(self, layer: int, affine: Affine | Stop) -> Blocked | None:
        """What forbids taking the layer out, wherever its map might go."""
        path = self.wiring.layers[layer].path
        if isinstance(affine, Stop):
            return Blocked(affine.reason, path)
        rule = rule_for(self.wiring.layers[layer])
        matters = rule is not None and rule.training_matters
        for call in self.wiring.calls(layer):
            if matters and in_training(self.wiring.site(call)):
                return Blocked("training-call", path)
            if not self.wiring.keeps_dtype(call):
                return Blocked("data-type", path)
            if not self.wiring.keeps_mask(call):
                return Blocked("mask", path)
        return None

    def _apply(self, layer: int, found: Found, side: str) -> bool:
        described = self.wiring.layers[layer]
        condition = self._condition(described.path, found)
        for absorption in found.absorptions:
            self._absorb(absorption)
        for value in found.altered:
            self.wiring.alter(value)
        for call in self.wiring.calls(layer):
            if condition:
                self.gaps.setdefault(self.wiring.inputs[call][0], described.path)
            self.wiring.bypass(call)
        into = tuple(self.wiring.layers[one.layer].path for one in found.absorptions)
        self.folds[layer] = Fold(described.path, described.type, into, side, condition)
        self.refusals.pop(layer, None)
        return True

    def _condition(self, path: str, found: Found) -> str:
        """What a fold depends on: its own numbers, or a fold that it has to follow.

        It follows one that changed the same layer, or that left a gap for this map to cross.
        """
        taken = [(absorption.layer, absorption.side) for absorption in found.absorptions]
        before = [self.assumed[each] for each in taken if each in self.assumed]
        gaps = self.gaps.items()
        before += [gone for value, gone in gaps if self.wiring.resolved(value) in found.altered]
        own = " and ".join(_CONDITIONS[need.fact] for need in found.conditions)
        condition = own or (f"{before[0]} folds" if before else "")
        if condition:
            self.assumed = {**dict.fromkeys(taken, path), **self.assumed}
        return condition

    def _absorb(self, absorption: Absorption) -> None:
        self.absorptions.append(absorption)
        number, answer = absorption.layer, absorption.answer
        before = self.wiring.layers[number]
        self.wiring.layers[number] = replace(
            before,
            config={**before.config, **answer.changes},
            parameters=before.parameters + answer.adds,
            trainable_parameters=before.trainable_parameters + answer.adds,
        )
        own = self.maps.get(number)
        if isinstance(own, Affine):
            taken = _spread_like(absorption.affine, own)
            own = _spread_like(own, taken)
            after = absorption.side == "after"
            both = own.then(taken) if after else taken.then(own)
            self.maps[number] = both.held_by(own)

    def _refuse(self, layer: int, up: Blocked | None, down: Blocked | None) -> None:
        described = self.wiring.layers[layer]
        before, after = (up, down) if up is not None else (down, None)
        assert before is not None
        first = before
        if after is not None and before.reason in ("model-input", "fixed-weights"):
            first = after
        message = reasons.sentence(first.reason, first.blocker)
        other = after if first is before else before
        if other is not None and other != first:
            side = "after" if other is after else "before"
            message += f"; {side} it, {reasons.sentence(other.reason, other.blocker)}"
        self.refusals[layer] = Refusal(
            described.path, described.type, first.reason, first.blocker, message
        )


def _common(found: list[Affine | Stop | None]) -> Affine | Stop:
    """The map that a layer is at each of its calls."""
    first = found[0]
    assert first is not None
    if isinstance(first, Stop):
        return first
    alike = all(isinstance(each, Affine) and each.equals(first) for each in found)
    return first if alike else Stop("shared-layer")


def _spread_like(affine: Affine, other: Affine) -> Affine:
    if affine.axis is None and other.axis is not None:
        return affine.along(other.axis, other.channels)
    return affine
