"""The pass ``affine``: which affine layers disappear, into what, and why the others stay."""

from __future__ import annotations

from functools import cached_property

from pytest_layercount.folding import reasons
from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.passes.result import PassResult
from pytest_layercount.folding.plan import Fold, ReadWeights, Refusal
from pytest_layercount.folding.rule import Rule, Site, Stop, Weights
from pytest_layercount.folding.rules.batch_norm import BatchNormalization
from pytest_layercount.folding.search import Absorption, Blocked, Search, Way, in_training
from pytest_layercount.model.graph import Layer, Value

_CONDITIONS = {
    "zero_shift": "its shift is zero",
    "nonnegative": "its scale is nowhere negative",
    "unit_scale": "its scale is one",
}


class AffinePass:
    """Takes affine layers out one by one until none of those left can go.

    ``folds`` and ``refusals`` say what came of each. Run again, it tries those that are left.
    """

    def __init__(self, edit: FoldEdit, weights: ReadWeights | None = None) -> None:
        self.edit = edit
        self.weights = weights
        self.folds: dict[int, Fold] = {}
        self.refusals: dict[int, Refusal] = {}
        self._search = Search(edit)
        self._absorptions: list[Absorption] = []
        self._assumed: dict[tuple[int, str], str] = {}  # what took up a map only perhaps
        self._gaps: dict[Value, str] = {}  # behind which a layer stands if it does not fold

    @cached_property
    def maps(self) -> dict[int, Affine | Blocked]:
        """What each affine layer does, by its number, kept up to date as it takes up others."""
        maps: dict[int, Affine | Blocked] = {}
        for number, layer in enumerate(self.edit.layers):
            rule, calls = self.edit.rules[number], self.edit.calls(number)
            if rule is None or not calls:
                continue
            read = self._weights(number, rule)
            answers = [_map(rule, self.edit.site(call), read) for call in calls]
            if answers[0] is not None:
                whole = self._in_integers(calls)
                maps[number] = Blocked("integers", layer.path) if whole else _common(layer, answers)
        return maps

    def run(self) -> PassResult:
        """Fold what can be folded, in turns: what goes may make room for another."""
        self._absorptions = []
        waiting = [layer for layer in self.maps if self.edit.calls(layer)]
        waiting.sort(key=self._turn)
        # A map that is gone may have stood between another and its taker: those refused are
        # tried again until a whole turn changes nothing.
        progress = True
        while progress:
            refused = [layer for layer in waiting if not self._fold(layer)]
            progress = len(refused) < len(waiting)
            waiting = refused
        return PassResult(steps=tuple(self._absorptions))

    def _in_integers(self, calls: tuple[int, ...]) -> bool:
        """Whether one of the calls computes in integers; what only casts them is told later."""
        alike = [call for call in calls if self.edit.keeps_dtype(call)]
        read = {self.edit.inputs[call][0] for call in alike}
        return not self.edit.integers.isdisjoint((*read, *map(Value, alike)))

    def _weights(self, layer: int, rule: Rule) -> Weights | None:
        """The weights of a layer that is a map; those of others are many and not asked for."""
        site = self.edit.site(self.edit.calls(layer)[0])
        # Without weights our own rules answer None only where no weights would make a map. A user's
        # may need them for any answer.
        if self.weights is None or (not site.layer.own and _map(rule, site, None) is None):
            return None
        return self.weights(layer, rule.weights)

    def _turn(self, layer: int) -> tuple[bool, int]:
        """In order of the calls, but other maps wait: they might take up a normalization."""
        rule = self.edit.rules[layer]
        return not isinstance(rule, BatchNormalization), self.edit.calls(layer)[0]

    def _fold(self, layer: int) -> bool:
        affine, calls = self.maps[layer], self.edit.calls(layer)
        blocked = affine if isinstance(affine, Blocked) else self._standing(layer)
        if isinstance(affine, Blocked) or blocked is not None:
            self._refuse(layer, blocked, None)
            return False
        # Upwards first: what made the value has a bias to take the shift up, what reads it may
        # pad or have none. A sure way goes before one that depends on weights.
        up = self._search.upstream(calls, affine)
        if isinstance(up, Way) and not up.conditions:
            return self._apply(layer, up, "after")
        down = self._search.downstream(calls, affine)
        if isinstance(down, Way) and not (down.conditions and isinstance(up, Way)):
            return self._apply(layer, down, "before")
        if isinstance(up, Way):
            return self._apply(layer, up, "after")
        assert isinstance(down, Blocked)
        self._refuse(layer, up, down)
        return False

    def _standing(self, layer: int) -> Blocked | None:
        """What forbids taking the layer out, wherever its map might go."""
        path = self.edit.layers[layer].path
        rule = self.edit.rules[layer]
        matters = rule is not None and rule.training_matters
        for call in self.edit.calls(layer):
            if matters and in_training(self.edit.site(call)):
                return Blocked("training-call", path)
            if not self.edit.keeps_dtype(call):
                return Blocked("data-type", path)
            if not self.edit.keeps_mask(call):
                return Blocked("mask", path)
        return None

    def _apply(self, layer: int, way: Way, side: str) -> bool:
        described = self.edit.layers[layer]
        condition = self._condition(described.path, way)
        for absorption in way.absorptions:
            self._absorb(absorption)
        # Before the bypass, which notes that the input of the map now equals what its output was:
        # marked later, that would be forgotten.
        for value in way.altered:
            self.edit.alter(value)
        for call in self.edit.calls(layer):
            if condition:
                # Should the condition not hold, this layer stays and stands between what is before
                # and after it.
                self._gaps.setdefault(self.edit.inputs[call][0], described.path)
            self.edit.bypass(call)
        into = tuple(self.edit.layers[one.layer].path for one in way.absorptions)
        self.folds[layer] = Fold(described.path, described.type, into, side, condition)
        self.refusals.pop(layer, None)
        return True

    def _condition(self, path: str, way: Way) -> str:
        """What a fold depends on: its own numbers, or a fold that it has to follow.

        It follows one that changed the same layer, or that left a gap for this map to cross.
        """
        taken = [(absorption.layer, absorption.side) for absorption in way.absorptions]
        before = [self._assumed[side] for side in taken if side in self._assumed]
        gaps = self._gaps.items()
        before += [gone for value, gone in gaps if self.edit.resolved(value) in way.altered]
        own = " and ".join(_CONDITIONS[need.fact] for need in way.conditions)
        condition = own or (f"{before[0]} folds" if before else "")
        if condition:
            # The first fold that was uncertain is the one that is named: all later ones follow it.
            self._assumed = {**dict.fromkeys(taken, path), **self._assumed}
        return condition

    def _absorb(self, absorption: Absorption) -> None:
        self._absorptions.append(absorption)
        number, answer = absorption.layer, absorption.answer
        self.edit.change(number, answer.changes, answer.adds)
        # The taker may be a map itself (a Rescaling, another batch normalization) that still waits
        # for its turn: from now on it is both.
        own = self.maps.get(number)
        if isinstance(own, Affine):
            # To be composed both need one axis; a map of all elements alike has none.
            taken = _spread_like(absorption.affine, own)
            own = _spread_like(own, taken)
            after = absorption.side == "after"
            both = own.then(taken) if after else taken.then(own)
            self.maps[number] = both.held_by(own)

    def _refuse(self, layer: int, up: Blocked | None, down: Blocked | None) -> None:
        described = self.edit.layers[layer]
        before, after = (up, down) if up is not None else (down, None)
        assert before is not None
        # "There is only the model's input before it" helps nobody: then what stands behind it is
        # the reason that is counted, and the other is told beside it.
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


def _map(rule: Rule, site: Site, weights: Weights | None) -> Affine | Blocked | None:
    """The map that a call is, or why it cannot be said; None if it is none."""
    try:
        return rule.affine(site, weights)
    except Stop as stop:
        return Blocked(stop.reason, stop.blocker or site.layer.path)


def _common(layer: Layer, answers: list[Affine | Blocked | None]) -> Affine | Blocked:
    """The map that ``layer`` is at each of its calls."""
    first = answers[0]
    assert first is not None
    if isinstance(first, Blocked):
        return first
    alike = all(isinstance(answer, Affine) and answer.equals(first) for answer in answers)
    return first if alike else Blocked("shared-layer", layer.path)


def _spread_like(affine: Affine, other: Affine) -> Affine:
    if affine.axis is None and other.axis is not None:
        return affine.along(other.axis, other.channels)
    return affine
