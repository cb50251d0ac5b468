"""Steps that changed places with a neighbour: both models have them, in another order.

Aligning keeps the order, so that of two steps that were exchanged it pairs one. Here the
other is paired as well; that both read something else is then said of each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pytest_layercount.compare.plain import Plain
from pytest_layercount.compare.vocabulary import ACTIVATION


def with_moved(one: Plain, two: Plain, matched: Mapping[int, int]) -> dict[int, int]:
    """``matched`` and the steps that moved past one of these."""
    pairs = dict(matched)
    alone = (
        [step for step in range(len(one.items)) if step not in matched],
        set(range(len(two.items))) - set(matched.values()),
    )
    for here in alone[0]:
        there = next(_places(one, two, pairs, here, alone[1]), None)
        if there is not None:
            pairs[here] = there
            alone[1].remove(there)
    return {here: there for here, there in pairs.items() if not _apart(one, two, pairs, here)}


def _places(
    one: Plain, two: Plain, matched: Mapping[int, int], here: int, alone: Collection[int]
) -> Iterator[int]:
    """Where a step stands in the other model: on the other side of a neighbour of its own."""
    token = one.view.strict[here]
    after = [matched[step] for step in one.readers[here] if step in matched]
    before = [matched[step] for step, _ in one.view.reads[here] if step in matched]
    #     one:   neighbour ── here          two:   step ── neighbour'
    for neighbour in before:
        yield from (
            step
            for step, _ in two.view.reads[neighbour]
            if step in alone and two.view.strict[step] == token
        )
    #     one:   here ── neighbour          two:   neighbour' ── step
    for neighbour in after:
        yield from (
            step
            for step in two.readers[neighbour]
            if step in alone and two.view.strict[step] == token
        )


def _apart(one: Plain, two: Plain, matched: Mapping[int, int], here: int) -> bool:
    """Whether a pair are the ``activation=`` of two layers that are not paired themselves."""
    there = matched[here]
    if one.view.loose[here] != ACTIVATION or one.items[here].nodes or two.items[there].nodes:
        return False
    ((mine, _),), ((other, _),) = one.view.reads[here], two.view.reads[there]
    return matched.get(mine) != other
