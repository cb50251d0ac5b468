"""What differs between items that were paired: attributes, and what they read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pytest_layercount.compare.form import Item
from pytest_layercount.compare.partition import Change
from pytest_layercount.compare.plain import Plain
from pytest_layercount.compare.vocabulary import ACTIVATION, configuration, kind
from pytest_layercount.model.plain_settings import COMPARABLE, usual

_FOLDING_CHANGES = ("offset", "scale", "use_bias")


def changes(
    one: Plain, two: Plain, matched: Mapping[int, int], folded: Collection[tuple[int, int]]
) -> Iterator[Change]:
    """The changes between paired steps, without those that come of folding the nodes ``folded``."""
    back = set(matched.values())
    for here, there in sorted(matched.items()):
        differ = _differences(one.items[here], two.items[there], spelled=one.spelled)
        if differ and _took_up(one, here, 0, folded) | _took_up(two, there, 1, folded):
            differ = _not_by_folding(differ)
        if _rewired(one, two, matched, back, here, there):
            differ["inputs"] = (_read(one, here), _read(two, there))
        if differ:
            yield Change(one.path(here), two.path(there), _kind(one, here), differ)


def absorbed_changes(
    one: Plain,
    two: Plain,
    pairs: Iterable[tuple[int, int]],
    folded: Collection[tuple[int, int]],
) -> Iterator[Change]:
    """The changes of paired nodes that have no step in the plain form, since they can fold."""
    steps = one.steps, two.steps
    for here, there in sorted(pairs):
        items = [_as_step(plain, node) for plain, node in ((one, here), (two, there))]
        differ = _differences(*items, spelled=one.spelled)
        keepers = steps[0].get(here), steps[1].get(there)
        if any(
            step is not None and _took_up(plain, step, side, folded)
            for side, (plain, step) in enumerate(zip((one, two), keepers, strict=True))
        ):
            differ = _not_by_folding(differ)
        if differ:
            before, after = (item.layer.path for item in items)
            yield Change(before, after, kind(items[0]), differ)


def lost_activations(
    one: Plain, two: Plain, matched: Mapping[int, int], alone: Collection[int], side: int
) -> Iterator[Change]:
    """What ``activation=`` does in one model, and nothing does in the other.

    Such a step is no layer of its own: it is the layer that it belongs to that changed.
    """
    mine, other = (two, one) if side else (one, two)
    for step in sorted(alone):
        if mine.items[step].nodes or mine.view.loose[step] != ACTIVATION:
            continue
        # A step without nodes of its own was split off from a layer, which it reads alone.
        ((source, _),) = mine.view.reads[step]
        there = matched.get(source)
        if there is None:
            continue
        layer = mine.graph.layers[mine.items[source].call.layer]
        both = {"activation": (mine.configs[step]["activation"], "linear")}
        change = Change(mine.path(source), other.path(there), layer.type, both)
        yield change.flipped() if side else change


def merged(changes: Iterable[Change]) -> list[Change]:
    """One change for each pair of layers, whatever its steps are."""
    by_layers: dict[tuple[str, str], Change] = {}
    for change in changes:
        key = (change.before, change.after)
        known = by_layers.get(key) if all(key) else None
        if known is None:
            by_layers[key if all(key) else (str(len(by_layers)), "")] = change
        else:
            by_layers[key] = replace(known, attributes={**known.attributes, **change.attributes})
    return list(by_layers.values())


def _kind(plain: Plain, step: int) -> str:
    """What the step is called: as the layer that it is a part of, if it is none itself."""
    item = plain.items[step]
    return str(plain.view.loose[step]) if item.nodes else plain.owner(step).type


def _as_step(plain: Plain, node: int) -> Item:
    """A node as the model has it."""
    call = plain.graph.nodes[node]
    return Item(plain.layer(node), call, call.layer)


def _differences(one: Item, two: Item, *, spelled: bool) -> dict[str, tuple[Any, Any]]:
    """The settings on which two items disagree, as far as they are known of both."""
    whole = one.layer.settings is not None and two.layer.settings is not None
    mine, others = (configuration(item, whole=whole, spelled=spelled) for item in (one, two))
    keys = {*mine, *others} - _unknown(mine, others)
    if not (one.layer.inside and two.layer.inside):
        keys.discard("inside")  # neither a file nor a record tells what a user's layer holds
    differences: dict[str, tuple[Any, Any]] = {}
    for key in sorted(keys):
        before, after = mine.get(key), others.get(key)
        if before == after:
            continue
        if key in mine and key not in others and key in (one.layer.settings or ()):
            # Where only one of them tells, the other has what Keras takes if nothing is given.
            after = usual(one.layer.type, key, before)
        elif key in others and key not in mine and key in (two.layer.settings or ()):
            before = usual(two.layer.type, key, after)
        name, both = _narrowed(key, before, after)
        differences[name] = both
    return differences


def _unknown(one: Mapping[str, Any], two: Mapping[str, Any]) -> set[str]:
    """The settings that tell of the code of functions, unless both come of one Python."""
    pairs = {key: (str(one.get(key, "")), str(two.get(key, ""))) for key in COMPARABLE}
    return {
        key
        for key, (mine, other) in pairs.items()
        if not (mine and other) or mine.partition(" ")[2] != other.partition(" ")[2]
    }


def _narrowed(name: str, one: Any, two: Any) -> tuple[str, tuple[Any, Any]]:
    """The one setting of a layer inside another that differs, instead of the whole layer."""
    if not (isinstance(one, tuple) and isinstance(two, tuple)):
        return name, (one, two)
    if _are_pairs(one) and _are_pairs(two):
        mine, others = dict(one), dict(two)
        differ = [key for key in {**mine, **others} if mine.get(key) != others.get(key)]
        if len(differ) == 1:
            key = differ[0]
            return _narrowed(f"{name}.{key}", mine.get(key), others.get(key))
    elif len(one) == len(two):
        places = [place for place, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
        if len(places) == 1:
            return _narrowed(name, one[places[0]], two[places[0]])
    return name, (one, two)


def _are_pairs(value: tuple[Any, ...]) -> bool:
    return all(
        isinstance(pair, tuple) and len(pair) == 2 and type(pair[0]) is str for pair in value
    )


def _not_by_folding(differ: Mapping[str, Any]) -> dict[str, Any]:
    return {key: both for key, both in differ.items() if key not in _FOLDING_CHANGES}


def _took_up(plain: Plain, step: int, side: int, folded: Collection[tuple[int, int]]) -> bool:
    item = plain.items[step]
    return any((side, node) in folded for node in [*item.nodes, *item.helped])


def _read(plain: Plain, step: int) -> tuple[str, ...]:
    return tuple(plain.path(source) for source, _ in plain.view.reads[step])


def _rewired(
    one: Plain, two: Plain, matched: Mapping[int, int], back: Collection[int], here: int, there: int
) -> bool:
    """Whether the two read different outputs of steps that both models have."""
    reads = (one.view.reads[here], two.view.reads[there])
    mine = [(matched.get(source), index) for source, index in reads[0]]
    others = [(source if source in back else None, index) for source, index in reads[1]]
    # Slot by slot; a step that the other model does not have says nothing about the wiring.
    if len(mine) == len(others) and not one.view.commutes[here]:
        pairs = zip(mine, others, strict=True)
        return any(m != o and m[0] is not None and o[0] is not None for m, o in pairs)
    ours = Counter(read for read in mine if read[0] is not None)
    theirs = Counter(read for read in others if read[0] is not None)
    if (ours.total(), theirs.total()) == (len(mine), len(others)):
        return ours != theirs
    # Some of what is read is in one model only. What each reads and the other does not then has to
    # be something on both sides: what is merely missing is a cause of its own.
    return bool(ours - theirs) and bool(theirs - ours)
