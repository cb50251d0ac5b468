"""What differs between items that were paired: attributes, and what they read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pytest_layercount.compare.form import Item
from pytest_layercount.compare.partition import Change
from pytest_layercount.compare.plain import Plain
from pytest_layercount.compare.vocabulary import configuration, kind

_FOLDING_CHANGES = ("offset", "scale", "use_bias")


def changes(
    one: Plain, two: Plain, matched: Mapping[int, int], folded: Collection[tuple[int, int]]
) -> Iterator[Change]:
    """The changes, but for those that folding the nodes ``folded`` brought about."""
    back = set(matched.values())
    for here, there in sorted(matched.items()):
        differ = _attributes(one.configs[here], two.configs[there])
        if differ and _took_up(one, here, 0, folded) | _took_up(two, there, 1, folded):
            differ = _not_by_folding(differ)
        if _rewired(one, two, matched, back, here, there):
            differ["inputs"] = (_read(one, here), _read(two, there))
        if differ:
            yield Change(one.path(here), two.path(there), str(one.view.loose[here]), differ)


def absorbed_changes(
    one: Plain,
    two: Plain,
    pairs: Iterable[tuple[int, int]],
    folded: Collection[tuple[int, int]],
) -> Iterator[Change]:
    """The changes of nodes that the plain form has no step for, as it takes them to fold."""
    steps = one.steps, two.steps
    for here, there in sorted(pairs):
        items = [_as_step(plain, node) for plain, node in ((one, here), (two, there))]
        differ = _attributes(*map(configuration, items))
        keepers = steps[0].get(here), steps[1].get(there)
        if any(
            step is not None and _took_up(plain, step, side, folded)
            for side, (plain, step) in enumerate(zip((one, two), keepers, strict=True))
        ):
            differ = _not_by_folding(differ)
        if differ:
            before, after = (item.layer.path for item in items)
            yield Change(before, after, kind(items[0]), differ)


def _as_step(plain: Plain, node: int) -> Item:
    """A node as the model has it."""
    call = plain.graph.nodes[node]
    return Item(plain.layer(node), call, call.layer)


def _attributes(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = sorted({*one, *two})
    return {key: (one.get(key), two.get(key)) for key in keys if one.get(key) != two.get(key)}


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
    if len(mine) == len(others) and not one.view.commutes[here]:
        pairs = zip(mine, others, strict=True)
        return any(m != o and m[0] is not None and o[0] is not None for m, o in pairs)
    known = (
        Counter(read for read in mine if read[0] is not None),
        Counter(read for read in others if read[0] is not None),
    )
    if len(mine) == len(list(known[0].elements())) and len(others) == len(
        list(known[1].elements())
    ):
        return known[0] != known[1]
    return bool(known[0] - known[1]) and bool(known[1] - known[0])
