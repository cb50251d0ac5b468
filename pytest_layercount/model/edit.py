"""A ModelGraph under edit: calls are taken out of it, or layers replaced by what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pytest_layercount.model.graph import (
    Layer,
    ModelGraph,
    Node,
    Value,
    map_tree,
    needed,
    values_in,
)


class Use(NamedTuple):
    """One place where a value enters a node."""

    node: int
    slot: int


class GraphEdit:
    """Who reads what, kept up to date as nodes are bypassed and layers change.

    ``graph`` stays what it was, and its numbers of nodes and layers hold until
    :meth:`finished` gives new ones::

        conv -> bn -> relu          bypass(bn):      conv ------> relu
                                    alias:           bn is conv

    ``layers`` and ``inputs`` (what each node reads, empty for one that is gone) are the state;
    ``outputs`` counts how often the model returns a value. ``alias`` leads from a value that is
    gone to the one that is read instead. ``_equal`` says of which values of the original model
    a value has the numbers, itself where nothing is noted.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.layers: list[Layer] = list(graph.layers)
        self.inputs: list[list[Value]] = [list(node.inputs) for node in graph.nodes]
        self.outputs: Counter[Value] = Counter(values_in(graph.outputs))
        self.entries: frozenset[Value] = frozenset(values_in(graph.inputs))
        self.alias: dict[Value, Value] = {}
        self._equal: dict[Value, set[Value]] = {}
        # Nodes that no output needs read nothing, or they would count as readers of values.
        for number in set(range(len(self.inputs))).difference(self.alive()):
            self.inputs[number] = []
        self._uses: dict[Value, list[Use]] = {}
        for number, inputs in enumerate(self.inputs):
            for slot, value in enumerate(inputs):
                self._uses.setdefault(value, []).append(Use(number, slot))

    def uses(self, value: Value) -> list[Use]:
        """Where ``value`` enters a node; model outputs are not among these."""
        return self._uses.get(value, [])

    def is_output(self, value: Value) -> bool:
        """Whether the model returns ``value``."""
        return self.outputs[value] > 0

    def layer(self, node: int) -> Layer:
        """The layer that ``node`` calls, as it stands now."""
        return self.layers[self.graph.nodes[node].layer]

    def calls(self, layer: int) -> tuple[int, ...]:
        """The nodes that call ``layer`` and still stand; none for an input, which reads nothing."""
        return tuple([node for node in self.graph.calls.get(layer, ()) if self.inputs[node]])

    def keeps_dtype(self, node: int) -> bool:
        """Whether a call gives the data type that it takes."""
        return self.graph.dtype(self.inputs[node][0]) == self.graph.dtype(Value(node))

    def keeps_mask(self, node: int) -> bool:
        """Whether a call passes its input's mask on, or has none to pass."""
        return self.graph.is_masked(self.inputs[node][0]) == self.graph.is_masked(Value(node))

    def alter(self, value: Value) -> None:
        """Note that ``value`` will not have the numbers that it had in the original model."""
        self._equal[value] = set()

    def bypass(self, node: int, slot: int = 0) -> None:
        """Take out ``node``: whoever read its output reads its input number ``slot``."""
        gone, instead = Value(node), self.inputs[node][slot]
        self.alias[gone] = instead
        moved = self._uses.pop(gone, [])
        for use in moved:
            self.inputs[use.node][use.slot] = instead
        # Sorted, so that what is planned does not depend on the order of the bypasses.
        self._uses[instead] = sorted([*self.uses(instead), *moved])
        self.outputs[instead] += self.outputs.pop(gone, 0)
        # Both have the same numbers unless alter() noted otherwise. At a fold ``instead`` was
        # altered and has now those of the map that is gone.
        self._equal[instead] = self._same(instead) | self._same(gone)
        self._release(node)

    def _release(self, node: int) -> None:
        """Forget what ``node`` reads, and the nodes that only it read."""
        pending = [node]
        while pending:
            node = pending.pop()
            values, self.inputs[node] = self.inputs[node], []
            for slot, value in enumerate(values):
                self._uses[value] = [use for use in self._uses[value] if use != Use(node, slot)]
            # A node goes if none of its outputs is read or returned any more.
            pending += {
                value.node
                for value in values
                if not any(map(self.uses, self._made_by(value.node)))
                and not any(map(self.is_output, self._made_by(value.node)))
            }

    def _made_by(self, node: int) -> list[Value]:
        return [Value(node, index) for index in range(len(self.graph.nodes[node].shapes))]

    def resolved(self, value: Value) -> Value:
        """What stands in for ``value`` now."""
        while value in self.alias:
            value = self.alias[value]
        return value

    def finished(self) -> tuple[ModelGraph, tuple[int, ...], dict[Value, Value]]:
        """The graph that is left, the old number of each layer, and where values went."""
        alive = self.alive()
        numbers = {old: new for new, old in enumerate(alive)}
        called = {self.graph.nodes[node].layer for node in alive}
        # Layers keep their order; those that no node calls any more are left out.
        kept = tuple(number for number in range(len(self.layers)) if number in called)
        renumbered = {old: new for new, old in enumerate(kept)}

        def moved(leaf: object) -> object:
            if not isinstance(leaf, Value):
                return leaf
            value = self.resolved(leaf)
            return Value(numbers[value.node], value.index)

        nodes = [self._moved_node(self.graph.nodes[n], moved, renumbered) for n in alive]
        layers = tuple(self.layers[number] for number in kept)
        # As Keras lists model.layers: without raw operations, and for a Sequential without inputs.
        listed = {"layer"} if self.graph.sequential else {"layer", "input"}
        graph = replace(
            self.graph,
            layers=layers,
            nodes=tuple(nodes),
            inputs=map_tree(self.graph.inputs, moved),
            outputs=map_tree(self.graph.outputs, moved),
            top=tuple(layer.type for layer in layers if layer.kind in listed),
        )
        values = {
            old: Value(numbers[node], index)
            for node in alive
            for index in range(len(self.graph.nodes[node].shapes))
            for old in self._same(Value(node, index))
        }
        return graph, kept, values

    @staticmethod
    def _moved_node(node: Node, moved: Callable[[Any], Any], renumbered: dict[int, int]) -> Node:
        return Node(
            layer=renumbered[node.layer],
            args=map_tree(node.args, moved),
            kwargs=map_tree(node.kwargs, moved) if node.kwargs else node.kwargs,
            shapes=node.shapes,
            dtypes=node.dtypes,
            training=node.training,
            masked=node.masked,
        )

    def _same(self, value: Value) -> set[Value]:
        """The values of the original model that ``value`` equals."""
        return self._equal.get(value, {value})

    def alive(self) -> list[int]:
        """The nodes that an output still needs, and every input, in order."""
        ends = [self.resolved(value).node for value in values_in(self.graph.outputs)]
        # A model keeps its inputs, even those that nothing reads any more.
        entries = [value.node for value in self.entries]
        reads = self.inputs
        # Numbers of nodes are in topological order already; needed() only says which they are.
        return sorted(needed([*entries, *ends], lambda node: [v.node for v in reads[node]]))


def splice(graph: ModelGraph, inner: Mapping[int, ModelGraph]) -> ModelGraph:
    """Replace each layer whose number is in ``inner`` by that graph, at every call of it.

    The graph must take and return as many values as the calls of the layer.
    """
    return _Splice(graph, inner).graph()


@dataclass
class _Splice:
    """A graph in which some layers are replaced by graphs.

    ``numbers`` has the new number of a layer by where it comes from (-1 for the outer graph, else
    the layer it was in) and its old number: two calls share the layers inside. ``known`` maps
    values of the outer graph to new ones.
    """

    outer: ModelGraph
    inner: Mapping[int, ModelGraph]
    layers: list[Layer] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    known: dict[Value, Value] = field(default_factory=dict)

    def graph(self) -> ModelGraph:
        for number, node in enumerate(self.outer.nodes):
            inner = self.inner.get(node.layer)
            if inner is None:
                layer = self._numbered(-1, node.layer, self.outer.layers[node.layer])
                self._add(node, layer, self.known)
                for index in range(len(node.shapes)):
                    self.known[Value(number, index)] = Value(len(self.nodes) - 1, index)
            else:
                self._open(number, node, inner)
        return replace(
            self.outer,
            layers=tuple(self.layers),
            nodes=tuple(self.nodes),
            inputs=map_tree(self.outer.inputs, self.known.get),
            outputs=map_tree(self.outer.outputs, self.known.get),
        )

    def _open(self, number: int, node: Node, inner: ModelGraph) -> None:
        path = self.outer.layers[node.layer].path
        arguments = [self.known[value] for value in node.inputs]
        known = dict(zip(values_in(inner.inputs), arguments, strict=True))
        for place, call in enumerate(inner.nodes):
            # An input of the inner graph, in whose place the argument stands.
            if Value(place) in known:
                continue
            own = inner.layers[call.layer]
            layer = self._numbered(node.layer, call.layer, replace(own, path=f"{path}/{own.path}"))
            self._add(call, layer, known)
            for index in range(len(call.shapes)):
                known[Value(place, index)] = Value(len(self.nodes) - 1, index)
        for index, value in enumerate(values_in(inner.outputs)):
            self.known[Value(number, index)] = known[value]

    def _numbered(self, where: int, number: int, layer: Layer) -> int:
        key = (where, number)
        if key not in self.numbers:
            self.numbers[key] = len(self.layers)
            self.layers.append(layer)
        return self.numbers[key]

    def _add(self, node: Node, layer: int, known: Mapping[Value, Value]) -> None:
        def moved(leaf: Any) -> Any:
            return known[leaf] if isinstance(leaf, Value) else leaf

        args, kwargs = map_tree(node.args, moved), map_tree(node.kwargs, moved)
        self.nodes.append(replace(node, layer=layer, args=args, kwargs=kwargs))
