"""A model's calls as chains: what stands in a row is drawn as one box with rows.

A chain ends where a value is read twice or not at all, where a call reads several,
and where a nested model begins or ends. A row that repeats itself is shortened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import dataclass

from pytest_layercount.model.graph import ModelGraph, values_in

LONGEST_PERIOD = 12
FEWEST_REPEATS = 3


@dataclass(frozen=True)
class Row:
    """A call; ``more`` says how often the ``size`` rows that end with it stand there again."""

    node: int
    more: int = 0
    size: int = 0


def chains(graph: ModelGraph, cuts: Container[int] = ()) -> list[list[int]]:
    """The calls of ``graph``, each in one chain, in order; ``cuts`` begin a chain as well."""
    readers: Counter[int] = Counter()
    for node in graph.nodes:
        readers.update(value.node for value in node.inputs)
    readers.update(value.node for value in values_in(graph.outputs))
    found: dict[int, list[int]] = {}
    for number, node in enumerate(graph.nodes):
        sources = {value.node for value in node.inputs}
        before = sources.pop() if len(node.inputs) == 1 else None
        alike = before is not None and readers[before] == 1
        if number in cuts:
            before = None
        if before is not None and alike and home(graph, before) == home(graph, number):
            found[number] = found[before]
            found[number].append(number)
        else:
            found[number] = [number]
    return [chain for number, chain in found.items() if chain[0] == number]


def home(graph: ModelGraph, node: int) -> str:
    """The path of the nested model that a call stands in; empty for the model itself."""
    return graph.layer_of(node).path.rpartition("/")[0]


def shortened(chain: Sequence[int], token: Callable[[int], Hashable]) -> list[Row]:
    """``chain`` as rows; of what repeats itself, only the first time.

    ``token`` is the same for calls that look alike.
    """
    tokens = [token(node) for node in chain]
    rows: list[Row] = []
    place = 0
    while place < len(chain):
        size, times = _repeats(tokens, place)
        rows += [Row(node) for node in chain[place : place + size]]
        if times > 1:
            rows[-1] = Row(chain[place + size - 1], times - 1, size)
        place += size * times
    return rows


def _repeats(tokens: Sequence[Hashable], start: int) -> tuple[int, int]:
    """How many tokens from ``start`` on repeat themselves, and how often."""
    best = (1, 1)
    for size in range(1, LONGEST_PERIOD + 1):
        block, times = tokens[start : start + size], 1
        while len(block) == size and tokens[start + size * times :][:size] == block:
            times += 1
        if times >= FEWEST_REPEATS and size * times > best[0] * best[1]:
            best = (size, times)
    return best
