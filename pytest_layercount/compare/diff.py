"""Align two graphs by structure: what each step is, and how it is wired; never by name.

What has the same steps all the way up and down is paired first, then what has the
same all the way up (so everything before the first change) or down (everything
after the last). What is left lies between changes, and is aligned as sequences:
first by steps and their surroundings, then by steps, then by kinds of steps.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from pytest_layercount.compare.sequences import common

Reads = tuple[int, int]
"""A step that is read, and which of its outputs."""


@dataclass(frozen=True)
class View:
    """What aligning looks at, the steps in the order of :meth:`.form.Form.order`.

    ``strict`` tells steps apart, ``loose`` only kinds of steps. ``reads`` are the steps and
    outputs that each step reads, in order; ``commutes`` says that the order does not matter.
    ``outputs`` are what the model returns, ``entries`` its inputs.
    """

    strict: Sequence[Hashable]
    loose: Sequence[Hashable]
    reads: Sequence[Sequence[Reads]]
    commutes: Sequence[bool]
    outputs: Sequence[Reads]
    entries: Sequence[int]

    def readers(self) -> list[list[tuple[int, Hashable]]]:
        """For each step, who reads it, and how."""
        readers: list[list[tuple[int, Hashable]]] = [[] for _ in self.strict]
        for step, reads in enumerate(self.reads):
            for slot, (source, index) in enumerate(reads):
                readers[source].append((step, (0 if self.commutes[step] else slot, index)))
        return readers


def align(one: View, two: View) -> dict[int, int]:
    """The steps of ``one`` that have a counterpart, with that of ``two``."""
    return _Alignment(one, two).run()


class _Alignment:
    def __init__(self, one: View, two: View) -> None:
        self.one, self.two = one, two
        self.pairs: dict[int, int] = {}
        self.taken: set[int] = set()
        self.readers = (one.readers(), two.readers())

    def run(self) -> dict[int, int]:
        # Numbers instead of nested tuples: that of a step stands for all that is before it (up) or
        # after it (down), and is the same in both models where that is.
        #
        #     x ── conv ── relu ── dense        up of relu:    ("relu", reads conv, which reads x)
        #                                       down of relu:  ("relu", read by dense)
        names: dict[Hashable, int] = {}
        ups = tuple(_upward(view, names) for view in (self.one, self.two))
        downs = tuple(
            _downward(view, readers, names)
            for view, readers in zip((self.one, self.two), self.readers, strict=True)
        )
        both = tuple(list(zip(up, down, strict=True)) for up, down in zip(ups, downs, strict=True))
        # The surest first: each kind of pair is only looked for among what is left.
        for colours in (both, ups, downs):
            self._pair_classes(*colours)
        self._pair_entries()
        if len(self.pairs) < len(self.one.strict) or len(self.taken) < len(self.two.strict):
            self._pair_between_changes(names)
        return self.pairs

    def _pair_between_changes(self, names: dict[Hashable, int]) -> None:
        strict = (self.one.strict, self.two.strict)
        loose = (self.one.loose, self.two.loose)
        # From pairs outwards, while steps are the same; then gaps that are wholly of a kind, which
        # are the same steps configured otherwise; then by surroundings two steps wide, one step
        # wide, none.
        self._extend(*strict)
        self._pair_sequences(*loose, whole=True)
        near = _nearer(self, strict, names)
        for colours in (_nearer(self, near, names), near, strict):
            self._pair_sequences(*colours)
        self._extend(*strict)
        self._extend(*loose)
        # Kinds alone are weak: a pair has to stand next to another.
        self._pair_sequences(*loose, accept=self._neighbours_agree)
        self._extend(*loose)

    def _pair(self, here: int, there: int) -> None:
        self.pairs[here] = there
        self.taken.add(there)

    def _left(self) -> tuple[list[int], list[int]]:
        one = [step for step in range(len(self.one.strict)) if step not in self.pairs]
        two = [step for step in range(len(self.two.strict)) if step not in self.taken]
        return one, two

    def _pair_classes(self, one: Sequence[Hashable], two: Sequence[Hashable]) -> None:
        """Pair steps that look the same, where both graphs have as many of them."""
        classes: dict[Hashable, tuple[list[int], list[int]]] = {}
        for side, (colours, left) in enumerate(zip((one, two), self._left(), strict=True)):
            for step in left:
                classes.setdefault(colours[step], ([], []))[side].append(step)
        # Of as many that look the same, any pairing is as good; they are paired in order.
        for here, there in classes.values():
            if len(here) == len(there):
                for pair in zip(here, there, strict=True):
                    self._pair(*pair)

    def _pair_entries(self) -> None:
        """Pair the inputs by position, if nothing better was found for any of them."""
        here = [step for step in self.one.entries if step not in self.pairs]
        there = [step for step in self.two.entries if step not in self.taken]
        if len(here) == len(there):
            for pair in zip(here, there, strict=True):
                self._pair(*pair)

    def _pair_sequences(
        self,
        one: Sequence[Hashable],
        two: Sequence[Hashable],
        *,
        whole: bool = False,
        accept: Callable[[int, int], bool] | None = None,
    ) -> None:
        """Pair within each gap between pairs; ``whole`` only where all of a gap is alike."""
        for here, there in self._gaps():
            left, right = [one[step] for step in here], [two[step] for step in there]
            if whole and left != right:
                continue
            pairs = [(here[i], there[j]) for i, j in common(left, right)]
            for pair in pairs:
                self._pair(*pair)
            # Accepted or not once all are paired: the neighbours may be among them.
            for pair in pairs:
                if accept is not None and not accept(*pair):
                    del self.pairs[pair[0]]
                    self.taken.discard(pair[1])

    def _gaps(self) -> list[tuple[list[int], list[int]]]:
        """The steps without counterpart, between pairs that stand in the same order."""
        # Pairs that cross others bound no gap. The last anchor stands behind both models.
        anchors = [*_rising(sorted(self.pairs.items())), (len(self.one.strict),) * 2]
        one, two = (deque(left) for left in self._left())
        gaps = []
        for here, there in anchors:
            end = len(self.two.strict) if here == len(self.one.strict) else there
            gap = ([], [])  # type: tuple[list[int], list[int]]
            while one and one[0] < here:
                gap[0].append(one.popleft())
            while two and two[0] < end:
                gap[1].append(two.popleft())
            if gap[0] and gap[1]:
                gaps.append(gap)
        return gaps

    def _extend(self, one: Sequence[Hashable], two: Sequence[Hashable]) -> None:
        """Pair the neighbours of pairs, where they look the same from there."""
        waiting = deque(self.pairs.items())
        while waiting:
            here, there = waiting.popleft()
            for mine, others in (self._read_by(here, there), self._reading(here, there)):
                for step, how in mine:
                    other = next(
                        (
                            o
                            for o, way in others
                            if o not in self.taken and way == how and two[o] == one[step]
                        ),
                        None,
                    )
                    if step not in self.pairs and other is not None:
                        self._pair(step, other)
                        waiting.append((step, other))

    def _reading(
        self, here: int, there: int
    ) -> tuple[list[tuple[int, Hashable]], list[tuple[int, Hashable]]]:
        return self.readers[0][here], self.readers[1][there]

    def _read_by(
        self, here: int, there: int
    ) -> tuple[list[tuple[int, Hashable]], list[tuple[int, Hashable]]]:
        return _sources(self.one, here), _sources(self.two, there)

    def _neighbours_agree(self, here: int, there: int) -> bool:
        """Whether a neighbour of one step is paired with a neighbour of the other."""
        return any(
            self.pairs.get(step) in {other for other, _ in others}
            for mine, others in (self._read_by(here, there), self._reading(here, there))
            for step, _ in mine
            if step in self.pairs
        )


def _sources(view: View, step: int) -> list[tuple[int, Hashable]]:
    commutes = view.commutes[step]
    return [
        (source, (0 if commutes else slot, index))
        for slot, (source, index) in enumerate(view.reads[step])
    ]


def _upward(view: View, names: dict[Hashable, int]) -> list[int]:
    """A number for each step that tells apart what is computed up to it."""
    numbers: list[int] = []
    for step, token in enumerate(view.strict):
        reads = [(numbers[source], index) for source, index in view.reads[step]]
        ordered = tuple(sorted(reads) if view.commutes[step] else reads)
        numbers.append(names.setdefault(("up", token, ordered), len(names)))
    return numbers


def _downward(
    view: View, readers: list[list[tuple[int, Hashable]]], names: dict[Hashable, int]
) -> list[int]:
    """A number for each step that tells apart what becomes of its output."""
    outputs: dict[int, list[Hashable]] = {}
    for place, (step, index) in enumerate(view.outputs):
        outputs.setdefault(step, []).append((place, index))
    numbers = [0] * len(view.strict)
    for step in reversed(range(len(view.strict))):
        # Counted, not listed: readers have no order.
        uses = Counter((numbers[reader], how) for reader, how in readers[step])
        key = ("down", view.strict[step], frozenset(uses.items()), tuple(outputs.get(step, ())))
        numbers[step] = names.setdefault(key, len(names))
    return numbers


def _nearer(
    alignment: _Alignment,
    colours: tuple[Sequence[Hashable], Sequence[Hashable]],
    names: dict[Hashable, int],
) -> tuple[list[int], list[int]]:
    """Each step's colour joined with those of the steps around it."""
    nearer: list[list[int]] = []
    for view, readers, old in zip(
        (alignment.one, alignment.two), alignment.readers, colours, strict=True
    ):
        numbers = [names.setdefault(("colour", colour), len(names)) for colour in old]
        new = []
        for step, number in enumerate(numbers):
            above = tuple(sorted(numbers[source] for source, _ in view.reads[step]))
            below = tuple(sorted(numbers[reader] for reader, _ in readers[step]))
            new.append(names.setdefault(("near", number, above, below), len(names)))
        nearer.append(new)
    return nearer[0], nearer[1]


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs, ordered by their first, whose second rise too."""
    # What a sequence has in common with itself sorted, at its longest, is the longest that rises.
    second = [there for _, there in pairs]
    return [pairs[place] for place, _ in common(second, sorted(second))]
