"""What is drawn of a model: its chains of calls, and the blocks that they repeat."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pytest_layercount.model.graph import ModelGraph, Shape, values_in
from pytest_layercount.report.blocks import Block, Wiring, blocks
from pytest_layercount.report.boxes import Mark, look
from pytest_layercount.report.chains import chains, home


@dataclass(frozen=True)
class Arrangement:
    """The calls of each chain, what the chains read, and the blocks, outer before inner."""

    chains: list[list[int]]
    wiring: Wiring
    blocks: list[Block]

    @cached_property
    def stands(self) -> list[int]:
        """For each chain the one that is drawn, itself or its like in a first copy."""
        stands = list(range(len(self.chains)))
        for block in self.blocks:
            stands = [block.first(chain) for chain in stands]
        return stands

    @cached_property
    def copies(self) -> Mapping[int, list[int]]:
        """Each chain that is drawn, and those that it stands for, itself the first."""
        copies: dict[int, list[int]] = {}
        for chain, drawn in enumerate(self.stands):
            copies.setdefault(drawn, []).append(chain)
        return copies


def arrange(graph: ModelGraph, marks: Mapping[str, Mark]) -> Arrangement:
    """What is drawn of ``graph``; ``marks`` tell what becomes of its layers, by path."""
    looks = [look(graph, node, marks) for node in range(len(graph.nodes))]
    # The last copy of a block may go on where the others end, as with a model's head. It
    # is cut there, and as what follows is a box more, only where this makes it a copy.
    cuts = set(_where_others_end(chains(graph), graph, looks))
    found = _arranged(graph, cuts, looks)
    useful = cuts & {
        found.chains[block.end][0] for block in found.blocks if block.end < len(found.chains)
    }
    return found if useful == cuts else _arranged(graph, useful, looks)


def _where_others_end(
    whole: list[list[int]], graph: ModelGraph, looks: list[tuple[str, ...]]
) -> Iterator[int]:
    """The calls before which a chain looks like another from its beginning to its end."""
    joins = [chain for chain in whole if len(graph.nodes[chain[0]].inputs) > 1]
    known = {tuple(looks[node] for node in chain) for chain in joins}
    for chain in joins:
        for length in range(len(chain) - 1, 0, -1):
            if tuple(looks[node] for node in chain[:length]) in known:
                yield chain[length]
                break


def _arranged(
    graph: ModelGraph, cuts: Collection[int], looks: list[tuple[str, ...]]
) -> Arrangement:
    found = chains(graph, cuts)
    places = {node: place for place, chain in enumerate(found) for node in chain}
    homes = [home(graph, chain[0]) for chain in found]
    wiring = Wiring(
        reads=[
            tuple(places[value.node] for value in graph.nodes[chain[0]].inputs) for chain in found
        ],
        outputs=[places[value.node] for value in values_in(graph.outputs)],
        homes=[tuple(path.split("/")) if path else () for path in homes],
    )
    seen = [[looks[node] for node in chain] for chain in found]
    shapes = [[shape for node in chain for shape in graph.nodes[node].shapes] for chain in found]

    def alike(one: int, two: int) -> bool:
        return seen[one] == seen[two] and _near(shapes[one], shapes[two])

    return Arrangement(found, wiring, blocks(wiring, alike))


def _near(shapes: Iterable[Shape], others: Iterable[Shape]) -> bool:
    """Whether all are the same but for one size each, such as the channels."""
    return all(map(_differ_in_one, shapes, others))


def _differ_in_one(shape: Shape, other: Shape) -> bool:
    if shape is None or other is None or len(shape) != len(other):
        return shape == other
    return sum(one != two for one, two in zip(shape, other, strict=True)) <= 1
