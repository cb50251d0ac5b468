"""A model in a plain form, in which models that compute the same look the same.

A :class:`Form` begins as the model itself, one :class:`Item` for each call. The
rewrites of :mod:`.rewrites` and :mod:`.absorb` then bring it into the plain form,
and every item keeps account of the calls of the model that it stands for.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property

from pytest_layercount.model.graph import (
    Layer,
    ModelGraph,
    Node,
    Value,
    map_tree,
    needed,
    values_in,
)


@dataclass
class Item:
    """One step of a model.

    ``call`` reads values of other items. ``owner`` is the same for all calls of one
    layer. ``units`` are the model's own nodes that the item stands for, none if it
    was only part of one; ``note`` is the code of the cause if the other model is
    made of other layers here. ``taken`` are nodes that left no item of their own,
    each with the code of what would explain their absence in the other model, and
    ``helped`` those that it took up only in part, together with other items.
    """

    layer: Layer
    call: Node
    owner: Hashable
    units: list[int] = field(default_factory=list)
    note: str = ""
    taken: list[tuple[int, str]] = field(default_factory=list)
    helped: list[int] = field(default_factory=list)

    @property
    def nodes(self) -> list[int]:
        """All nodes of the model that went into this item."""
        return [*self.units, *(node for node, _ in self.taken)]


class Form:
    """The items of a model, by number; numbers stay as items come and go."""

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.items: dict[int, Item] = {
            number: Item(graph.layer_of(number), node, node.layer, [number])
            for number, node in enumerate(graph.nodes)
        }
        self._instead: dict[Value, Value] = {}
        self._next = len(graph.nodes)

    def unshare(self) -> None:
        """Give every call a layer of its own."""
        for number, item in self.items.items():
            item.owner = (item.owner, number)

    def resolved(self, value: Value) -> Value:
        """What stands in for ``value`` now."""
        # What stands in for a value may have been dropped since.
        while value in self._instead:
            value = self._instead[value]
        return value

    def inputs(self, number: int) -> list[Value]:
        """What an item reads, in order."""
        return [self.resolved(value) for value in self.items[number].call.inputs]

    @property
    def outputs(self) -> list[Value]:
        """What the model returns, in order."""
        return [self.resolved(value) for value in values_in(self.graph.outputs)]

    @property
    def entries(self) -> list[int]:
        """The items that are the model's inputs, in order."""
        return [value.node for value in values_in(self.graph.inputs)]

    def readers(self) -> dict[int, list[int]]:
        """For each item, those that read it; -1 stands for the model's outputs."""
        readers: dict[int, list[int]] = {number: [] for number in self.items}
        for number in self.items:
            for value in self.inputs(number):
                readers[value.node].append(number)
        for value in self.outputs:
            readers[value.node].append(-1)
        return readers

    def put_before(self, number: int, item: Item) -> None:
        """Let item ``number`` read ``item``, a new one, alone."""
        self.items[self._next] = item
        # The new item reads what its call says; ``number`` keeps its readers, and reads the new
        # one.
        self.items[number].call = replace(
            self.items[number].call, args=(Value(self._next),), kwargs={}
        )
        self._next += 1

    def drop(self, number: int, instead: Value | None = None) -> None:
        """Take an item out: who reads it reads ``instead``, or its first input."""
        self._instead[Value(number)] = self.inputs(number)[0] if instead is None else instead
        del self.items[number]

    def order(self) -> list[int]:
        """The items, each after what it reads, as a walk from the outputs finds them.

        The place of an item depends on what it needs, not on how long other branches
        are, so that a change in one branch moves nothing in another.
        """
        # Behind the outputs come inputs and items that no output needs: they are counted, too.
        ends = [*(value.node for value in self.outputs), *self.entries, *self.items]
        return needed(ends, lambda number: [value.node for value in self.inputs(number)])

    def as_graph(self) -> tuple[ModelGraph, list[list[int]]]:
        """The items as a model whose layers have numbers for paths, and who calls each layer."""
        order = self.order()
        places = {number: place for place, number in enumerate(order)}
        # One layer for each owner: calls that share a layer share it in the graph as well.
        callers: dict[Hashable, list[int]] = {}
        for number in order:
            callers.setdefault(self.items[number].owner, []).append(number)
        layers = {owner: place for place, owner in enumerate(callers)}

        def moved(leaf: object) -> object:
            if not isinstance(leaf, Value):
                return leaf
            value = self.resolved(leaf)
            return Value(places[value.node], value.index)

        def call(item: Item) -> Node:
            args, kwargs = map_tree(item.call.args, moved), map_tree(item.call.kwargs, moved)
            return replace(item.call, layer=layers[item.owner], args=args, kwargs=kwargs)

        graph = replace(
            self.graph,
            layers=tuple(
                replace(self.items[numbers[0]].layer, path=str(place))
                for place, numbers in enumerate(callers.values())
            ),
            nodes=tuple(call(self.items[number]) for number in order),
            inputs=map_tree(self.graph.inputs, moved),
            outputs=map_tree(self.graph.outputs, moved),
        )
        return graph, list(callers.values())

    @cached_property
    def counts_operations(self) -> bool:
        """Whether this model's Keras lists low-level operations among the layers."""
        return self.graph.seen == "graph" and not self.graph.keras.startswith("Keras 3")
