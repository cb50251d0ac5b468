"""A head that took another's place: both models end in steps that the other does not have.

Aligning pairs what it can, also a layer of the old head with one of the new. Such pairs
are taken apart here, so that a head is said as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pytest_layercount.compare.plain import Plain
from pytest_layercount.compare.vocabulary import ACTIVATION

Heads = tuple[set[int], set[int]]


def replaced_heads(one: Plain, two: Plain, matched: Mapping[int, int]) -> Heads:
    """The steps of both heads if one took the other's place, else nothing.

    To a head belongs what was not paired, or paired with a step configured otherwise,
    where only such comes after it; an activation at the very end may be the same. Heads
    that are more than what the models share are no heads.
    """
    back = {there: here for here, there in matched.items()}
    heads = _last(one, two, matched), _last(two, one, back)
    # A pair is taken apart only if both of its steps are in heads. Leaving one out may cut off
    # others before it, so this goes on until nothing changes.
    while any(alone := _without_partner(heads, matched, back)):
        free = heads[0] - alone[0], heads[1] - alone[1]
        heads = _last(one, two, matched, free[0]), _last(two, one, back, free[1])
    new = [step for step in heads[0] if step not in matched]
    new += [step for step in heads[1] if step not in back]
    shared = len(matched) - sum(step in matched for step in heads[0])
    if new and all(map(_is_more, (one, two), heads)) and max(map(len, heads)) <= shared:
        return heads
    return set(), set()


def _last(
    plain: Plain,
    other: Plain,
    known: Mapping[int, int],
    among: Collection[int] | None = None,
) -> set[int]:
    """The steps that are not the same in ``other``, with only such steps after them."""
    last: set[int] = set()
    for step in reversed(range(len(plain.items))):
        there = known.get(step)
        same = there is not None and plain.view.strict[step] == other.view.strict[there]
        # A softmax at the end of both heads says nothing.
        may = not same or (plain.view.loose[step] == ACTIVATION and not plain.readers[step])
        free = among is None or step in among
        if may and free and all(reader in last for reader in plain.readers[step]):
            last.add(step)
    return last


def _without_partner(heads: Heads, matched: Mapping[int, int], back: Mapping[int, int]) -> Heads:
    """Those of ``heads`` that are paired with what is not in the other head."""
    return (
        {step for step in heads[0] if step in matched and matched[step] not in heads[1]},
        {step for step in heads[1] if step in back and back[step] not in heads[0]},
    )


def _is_more(plain: Plain, head: Collection[int]) -> bool:
    """Whether a head is more than activations."""
    return any(plain.view.loose[step] != ACTIVATION for step in head)
