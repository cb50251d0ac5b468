"""What stands in only one of two models: why, by where it stands.

=====================  ======================================================
preprocessing          layers that prepare data, with nothing but such before them
auxiliary-outputs      leads only to outputs that the other model does not have
head-replaced          the last steps of both models, none of them the same
head                   leads only to the output, where the other model stops
blocks                 a row of steps that repeats itself or what stands beside it
removed, added         everything else
=====================  ======================================================
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_layercount.compare.diff import Reads
from pytest_layercount.compare.heads import Heads
from pytest_layercount.compare.plain import Plain
from pytest_layercount.compare.vocabulary import ACTIVATION, is_arithmetic, is_preprocessing


class Region(NamedTuple):
    """Steps of either model with one reason, and how to say it more exactly."""

    code: str
    detail: str
    before: list[int]
    after: list[int]


def regions(
    one: Plain,
    two: Plain,
    matched: dict[int, int],
    before: Collection[int],
    after: Collection[int],
    heads: Heads,
) -> Iterator[Region]:
    """Divide the steps ``before`` and ``after``, which only one of the models has.

    ``heads`` are those of them that are a head which was replaced, and its successor.
    """
    if any(heads):
        yield Region("head-replaced", "", sorted(heads[0]), sorted(heads[1]))
    before, after = set(before) - heads[0], set(after) - heads[1]
    back = {there: here for here, there in matched.items()}
    tails = (_tail(one, before), _tail(two, after))
    headless = False
    for side, plain, other, known, alone in (
        (0, one, two, matched, before),
        (1, two, one, back, after),
    ):
        left = sorted(alone)
        # Each step gets the first reason that fits: preparing, standing at the end, repeating
        # itself.
        prepares = _prepares(plain, left)
        left = [step for step in left if step not in prepares]
        tail = [step for step in left if step in tails[side]]
        # Where the other model has steps of its own at the end as well, neither simply stops.
        code = "" if tails[1 - side] else _end(plain, other, known, tail)
        headless |= code == "head" and bool(tail)
        if code:
            left = [step for step in left if step not in tails[side]]
        parts = [
            ("preprocessing", "", prepares),
            (code, "", tail if code else []),
            *_rows(plain, left, side),
        ]
        for name, detail, steps in parts:
            if steps:
                yield Region(name, detail, *((steps, []) if side == 0 else ([], steps)))
    # A model without its head returns something else, which is said by then.
    if not headless:
        yield from _ends(one, two, matched, before | heads[0], after | heads[1])


def _prepares(plain: Plain, alone: Sequence[int]) -> list[int]:
    """Those of ``alone`` that prepare data before anything else is done."""
    prepared: set[int] = set()
    for step, item in enumerate(plain.items):
        known = is_preprocessing(item.layer) or (item.units and is_arithmetic(item))
        sources = [source for source, _ in plain.view.reads[step]]
        if item.layer.kind == "input" or (known and all(s in prepared for s in sources)):
            prepared.add(step)
    return [step for step in alone if step in prepared and plain.items[step].layer.kind != "input"]


def _tail(plain: Plain, alone: Collection[int]) -> set[int]:
    """Those of ``alone`` after which the other model has nothing."""
    tail: set[int] = set()
    # From the end, so that all that reads a step is known before it. A last step has no readers.
    for step in reversed(range(len(plain.items))):
        if step in alone and all(reader in tail for reader in plain.readers[step]):
            tail.add(step)
    return tail


def _end(plain: Plain, other: Plain, known: dict[int, int], tail: Collection[int]) -> str:
    """Why ``plain`` goes on with ``tail`` where ``other`` does not; an activation is no head."""
    outputs = {step for step, _ in plain.view.outputs}
    others = {step for step, _ in other.view.outputs}
    # The two have an output in common, so the tail can only be that of another output.
    if any(known.get(step) in others for step in outputs):
        return "auxiliary-outputs" if len(outputs) > len(others) else ""
    # Where the other model ends, this one goes on.
    stops = {there for here, there in known.items() if here not in outputs}
    more = any(plain.view.loose[step] != ACTIVATION for step in tail)
    return "head" if more and others <= stops else ""


def _rows(plain: Plain, alone: Sequence[int], side: int) -> Iterator[tuple[str, str, list[int]]]:
    """Rows of blocks, and the rest."""
    rest: list[int] = []
    for row in _runs(alone):
        size = _period(plain, row)
        if size is None:
            rest += row
        else:
            number = len(row) // size
            yield "blocks", _in_words(plain, row, number), row
    yield ("added" if side else "removed"), "", rest


def _runs(steps: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for step in steps:
        if run and step != run[-1] + 1:
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _period(plain: Plain, row: Sequence[int]) -> int | None:
    """The size of the block that a row repeats, or that stands beside it."""
    tokens = plain.view.strict
    mine = [tokens[step] for step in row]
    for size in range(2, len(row) // 2 + 1):
        # Shifted by one block the row is itself: the smallest such block repeats.
        if len(row) % size == 0 and mine[size:] == mine[:-size]:
            return size
    start, end = row[0], row[-1] + 1
    # Or the whole row is one block more of those that stand before or after it.
    beside: list[Sequence[Hashable]] = [tokens[end : end + len(row)]]
    if start >= len(row):
        beside.append(tokens[start - len(row) : start])
    # Two layers in a row that stand twice are no block.
    large = sum(len(plain.items[step].nodes) for step in row) > 2
    return len(row) if large and any(list(near) == mine for near in beside) else None


def _in_words(plain: Plain, row: Sequence[int], number: int) -> str:
    """``4 blocks of 9 layers``."""
    layers = {plain.graph.nodes[node].layer for step in row for node in plain.items[step].nodes}
    noun = "block" if number == 1 else "blocks"
    size, over = divmod(len(layers), number)
    return f"{number} {noun} of {size} layers" if not over else f"{number} {noun}"


def _ends(
    one: Plain, two: Plain, matched: dict[int, int], before: Collection[int], after: Collection[int]
) -> Iterator[Region]:
    """The same steps, but returned or given otherwise."""
    back = {there: here for here, there in matched.items()}
    ends = [_end_of(one, end, matched) for end in one.view.outputs]
    mine = [(matched.get(step), index) for step, index in ends if step not in before]
    ends = [_end_of(two, end, back) for end in two.view.outputs]
    others = [(step, index) for step, index in ends if step not in after]
    if mine != others:
        yield Region("outputs", "", [], [])
    entries = [matched[step] for step in one.view.entries if step in matched]
    if entries != [step for step in two.view.entries if step not in after]:
        yield Region("inputs", "", [], [])


def _end_of(plain: Plain, end: Reads, known: Mapping[int, int]) -> Reads:
    """An output, or what it is made of where only an activation stands between.

    That activation, or a normalization behind it, is a difference that is said already.
    """
    step, index = end
    while step not in known and _may_stand_between(plain, step):
        step, index = plain.view.reads[step][0]
    return step, index


def _may_stand_between(plain: Plain, step: int) -> bool:
    layer = plain.items[step].layer
    return plain.view.loose[step] == ACTIVATION or layer.is_a("BatchNormalization")
