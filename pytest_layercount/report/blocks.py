"""Blocks that stand in a model again and again, such as those of residual networks.

Of two copies of a block, the calls look the same and read the same: what stands as far
before them, or what both copies read. Only the first copy is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

FEWEST = 3
"""The copies that are worth a frame."""

LONGEST = 200
"""The most chains that a block is looked for with."""


@dataclass(frozen=True)
class Block:
    """``size`` chains, from ``start`` on, that stand there ``times`` times in a row.

    ``depth`` is the number of nested models, one inside the other, that hold all copies.
    """

    start: int
    size: int
    times: int
    depth: int = 0

    @property
    def end(self) -> int:
        """The first chain after the last copy."""
        return self.start + self.size * self.times

    def first(self, chain: int) -> int:
        """What stands in the first copy in the place of ``chain``."""
        if self.start <= chain < self.end:
            return self.start + (chain - self.start) % self.size
        return chain

    def draws(self, chain: int) -> bool:
        """Whether ``chain`` stands in the first copy."""
        return self.start <= chain < self.start + self.size


@dataclass(frozen=True)
class Wiring:
    """What the chains of a model read, by number; ``outputs`` are read by whoever runs it.

    ``homes`` are the names of the nested models that each chain stands in, outermost first.
    """

    reads: Sequence[tuple[int, ...]]
    outputs: Sequence[int]
    homes: Sequence[tuple[str, ...]]

    def readers(self) -> list[set[int]]:
        """The chains that read each chain; an output counts as a chain after all others."""
        readers: list[set[int]] = [set() for _ in self.reads]
        for chain, sources in enumerate(self.reads):
            for source in sources:
                readers[source].add(chain)
        for number, source in enumerate(self.outputs):
            readers[source].add(len(self.reads) + number)
        return readers


def blocks(wiring: Wiring, alike: Callable[[int, int], bool]) -> list[Block]:
    """The blocks of a model, each before those inside it.

    ``alike`` says whether two chains look the same.
    """
    return list(_Search(wiring, alike).within(0, len(wiring.reads)))


class _Search:
    def __init__(self, wiring: Wiring, alike: Callable[[int, int], bool]) -> None:
        self._wiring, self._alike = wiring, alike
        self._readers = wiring.readers()

    def within(self, first: int, last: int) -> Iterator[Block]:
        """The blocks from chain ``first`` on that end before ``last``."""
        place = first
        while place < last:
            block = self._at(place, last)
            if block is None:
                place += 1
                continue
            yield block
            yield from self.within(block.start, block.start + block.size)
            place = block.end

    def _at(self, place: int, last: int) -> Block | None:
        """The block at ``place`` whose copies are the most chains together."""
        best = None
        for size in range(1, min((last - place) // FEWEST, LONGEST) + 1):
            block = self._block(place, size, last)
            if block and (best is None or block.end > best.end):
                best = block
        if best is None:
            return None
        # A row of copies can be cut at any chain: best where the fewest values cross.
        others = (self._block(place + more, best.size, last) for more in range(1, best.size))
        cuts = [best, *(block for block in others if block and block.times >= best.times)]
        return min(cuts, key=self._crossing)

    def _block(self, start: int, size: int, last: int) -> Block | None:
        times = 1
        while start + size * (times + 1) <= last and self._copied(start, size, times):
            times += 1
        for fewer in range(times, FEWEST - 1, -1):
            depth = _depth(self._wiring.homes[start : start + size * fewer])
            block = Block(start, size, fewer, depth)
            if self._read_alike(block) and self._keeps_frames(block):
                return block
        return None

    def _copied(self, start: int, size: int, number: int) -> bool:
        """Whether copy ``number`` is like the one before it."""
        first = start + size * number
        return all(
            self._alike(chain, chain - size)
            and self._reads_alike(chain, chain - size, start)
            and (chain == first or self._shared(chain) == self._shared(chain - size))
            and len(self._wiring.homes[chain]) == len(self._wiring.homes[chain - size])
            for chain in range(first, first + size)
        )

    def _reads_alike(self, chain: int, other: int, start: int) -> bool:
        reads, others = self._wiring.reads[chain], self._wiring.reads[other]
        return len(reads) == len(others) and all(
            one - two == chain - other or one == two < start
            for one, two in zip(reads, others, strict=True)
        )

    def _shared(self, chain: int) -> int:
        """How many nested models hold ``chain`` and the one before it."""
        return _depth(self._wiring.homes[chain - 1 : chain + 1])

    def _read_alike(self, block: Block) -> bool:
        """Whether what stands after the block reads its last copy alone, or all copies alike."""
        for chain in range(block.start, block.start + block.size):
            copies = range(chain, block.end, block.size)
            *others, last = [
                {reader for reader in self._readers[copy] if reader >= block.end} for copy in copies
            ]
            if any(others) and any(readers != last for readers in others):
                return False
        return True

    def _keeps_frames(self, block: Block) -> bool:
        """Whether nested models that begin in the block end in it, as frames have to."""
        homes, depth = self._wiring.homes, block.depth + 1
        inside = {home[:depth] for home in homes[block.start : block.end] if len(home) >= depth}
        return all(
            block.start <= chain < block.end
            for chain, home in enumerate(homes)
            if home[:depth] in inside
        )

    def _crossing(self, block: Block) -> int:
        """The values that enter a copy, and those that leave it."""
        copy = range(block.start, block.start + block.size)
        enter = {source for chain in copy for source in self._wiring.reads[chain]} - {*copy}
        leave = [chain for chain in copy if self._readers[chain] - {*copy}]
        return len(enter) + len(leave)


def _depth(homes: Sequence[tuple[str, ...]]) -> int:
    """How many nested models are in all ``homes``."""
    levels = zip(*homes, strict=False)
    return sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, levels))
