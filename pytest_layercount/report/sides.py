"""One model of a picture, in Graphviz's language: boxes, frames around some, and arrows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.report.arrangement import Arrangement, arrange
from pytest_layercount.report.blocks import Block
from pytest_layercount.report.boxes import BORDER, FAINT, NO_MARK, Mark, bold, box, text

_Frame = str | Block
"""What stands in a frame: a nested model, by its path, or the first copy of a block."""


@dataclass(frozen=True)
class Side:
    """A model: the prefix of its boxes, and the marks of its layers by path."""

    prefix: str
    graph: ModelGraph
    title: str
    marks: Mapping[str, Mark]

    def mark(self, node: int) -> Mark:
        """What becomes of the layer that is called."""
        return self.marks.get(self.graph.layer_of(node).path, NO_MARK)

    def lines(self) -> Iterator[str]:
        """The lines that draw it."""
        yield f"subgraph cluster_{self.prefix} {{"
        yield f'color="{BORDER}"; style=rounded; margin=14; label=<{bold(self.title)}>;'
        yield from self._framed(list(self._arranged.copies), ())
        yield from self._arrows()
        yield from self._outputs()
        yield "}"

    @cached_property
    def _arranged(self) -> Arrangement:
        return arrange(self.graph, self.marks)

    @cached_property
    def _frames(self) -> dict[int, tuple[_Frame, ...]]:
        """The frames around each chain that is drawn, outermost first."""
        return {chain: tuple(self._frames_around(chain)) for chain in self._arranged.copies}

    def _frames_around(self, chain: int) -> Iterator[_Frame]:
        home = self._arranged.wiring.homes[chain]
        around = [block for block in self._arranged.blocks if block.draws(chain)]
        for depth in range(len(home) + 1):
            if depth:
                yield "/".join(home[:depth])
            yield from (block for block in around if block.depth == depth)

    def _framed(self, drawn: Sequence[int], outside: tuple[_Frame, ...]) -> Iterator[str]:
        """The chains ``drawn``, which stand in the frames ``outside``."""
        inside: dict[_Frame, list[int]] = {}
        for chain in drawn:
            frames = self._frames[chain][len(outside) :]
            if frames:
                inside.setdefault(frames[0], []).append(chain)
            else:
                copies = [self._arranged.chains[copy] for copy in self._arranged.copies[chain]]
                yield f"{self._box(chain)} [label=<{box(self.graph, copies, self.marks)}>];"
        for frame, held in inside.items():
            yield from self._frame(frame, held, (*outside, frame))

    def _frame(
        self, frame: _Frame, drawn: Sequence[int], frames: tuple[_Frame, ...]
    ) -> Iterator[str]:
        name = f"{self.prefix}_{drawn[0]}_{len(frames)}"
        style = "rounded,dashed" if isinstance(frame, str) else "rounded"
        yield f"subgraph cluster_{name} {{"
        yield f'color="{BORDER}"; style="{style}"; margin=10; label="";'
        # The title of a frame is a box, as arrows run around boxes and through titles.
        yield f"{name} [shape=plaintext, fontsize=12, label=<{self._frame_title(frame)}>];"
        for chain in drawn:
            if not {
                self._arranged.stands[source] for source in self._arranged.wiring.reads[chain]
            } & {*drawn}:
                ranks = 1 + len(self._frames[chain]) - len(frames)
                yield f"{name} -> {self._box(chain)} [style=invis, minlen={ranks}];"
        yield from self._framed(drawn, frames)
        yield "}"

    def _frame_title(self, frame: _Frame) -> str:
        if isinstance(frame, str):
            return text(frame.rpartition("/")[2])
        calls = sum(map(len, self._arranged.chains[frame.start : frame.start + frame.size]))
        return f"{frame.times} &#215; {'this layer' if calls == 1 else f'these {calls} layers'}"

    def _arrows(self) -> Iterator[str]:
        for chain in self._arranged.copies:
            known: set[int] = set()
            for read in self._arranged.wiring.reads[chain]:
                source = self._arranged.stands[read]
                # The copies of a block are one arrow, a value that is read twice is two.
                if source == read or source not in known:
                    known.add(source)
                    entered = {*self._frames[chain]} - {*self._frames[source]}
                    ranks = f" [minlen={len(entered) + 1}]" if entered else ""
                    yield f"{self._box(source)} -> {self._box(chain)}{ranks};"

    def _outputs(self) -> Iterator[str]:
        for place, chain in enumerate(self._arranged.wiring.outputs):
            end = f"{self.prefix}_out{place}"
            yield f'{end} [shape=plaintext, fontcolor="{FAINT}", label=<output>];'
            yield f"{self._box(self._arranged.stands[chain])} -> {end};"

    def _box(self, chain: int) -> str:
        return f"{self.prefix}{self._arranged.chains[chain][0]}"
