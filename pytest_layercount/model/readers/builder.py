"""Build a graph from calls: what live models, calls that were watched, and files have in common.

A :class:`Source` hands over calls whose tensors are objects of its own, Keras's or a file's.
They are told apart by identity alone, and become the values of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

from pytest_layercount.model.graph import Layer, Node, Shape, Value, leaves, map_tree
from pytest_layercount.model.keras.adapter import Call

Known = dict[int, Value]
"""The values of tensors that have one, by their ids."""


class Inner(NamedTuple):
    """What a call opens: a graph, the arguments it is fed with, and how it was found.

    ``followed``: by calling the layer's ``call()`` on symbolic tensors, not from Keras's records.
    """

    graph: Any
    given: Any
    followed: bool = False


class Source(Protocol):
    """What is asked of a model, and no more than a file can answer."""

    def calls(self, graph: Any) -> Iterable[Call]:
        """The calls of a graph, in topological order."""

    def ends(self, graph: Any) -> tuple[Any, Any, list[Any]]:
        """Input structure, output structure and flat list of inputs."""

    def inside(
        self, call: Call, path: str, training: bool | None, reads_mask: Callable[[], bool]
    ) -> Inner | None:
        """The graph inside a call; None if its layer stays whole."""

    def operation(self, layer: Any) -> str | None:
        """The canonical name of a low-level operation, None for an ordinary layer."""

    def shape(self, tensor: Any) -> Shape:
        """The shape of a tensor, None where it is not known."""

    def dtype(self, layer: Any, tensor: Any) -> str:
        """The data type of a tensor that a layer returns."""

    def is_masked(self, leaf: Any) -> bool:
        """Whether something is a tensor that carries a mask."""

    def hands_mask_on(self, layer: Any) -> bool:
        """Whether what a layer returns carries a mask where what it reads does."""

    def entry_name(self, tensor: Any) -> str:
        """The name of the input layer that an input of a graph comes from."""

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        """The flag in force for a call with ``own`` inside a model called with ``outer``."""


class Scope(NamedTuple):
    """Where calls stand: the models around them, and what these were called with.

    ``followed``: a ``call()`` of the user's makes the calls, and no functional model of Keras.
    ``recorded``: such a method is around them, however far out, so that operations in them were
    made while it was followed. ``trained``: one of those calls all this with ``training=True``.
    """

    prefix: str = ""
    training: bool | None = None
    followed: bool = False
    recorded: bool = False
    trained: bool = False


OUTSIDE = Scope()


@dataclass
class GraphBuilder:
    """The graph so far. ``trained`` has the paths of layers that a ``call()`` always trains.

    ``_places`` has the numbers of layers by id, ``_numbers`` how often an operation of a name was
    recorded, ``_masks`` whether any value carries a mask so far.
    """

    source: Source
    layers: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    trained: set[str] = field(default_factory=set)
    _places: dict[int, int] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _masks: bool = False
    _graphs: list[Any] = field(default_factory=list)  # ids are only unique while these live

    def add_graph(self, graph: Any, *, followed: bool = False) -> tuple[Any, Any]:
        """Add all calls of a graph, and return its inputs and outputs as values.

        ``followed``: it is what a ``call()`` of the user's was seen to do.
        """
        self._graphs.append(graph)
        inputs, outputs, flat = self.source.ends(graph)
        known: Known = {}
        calls = list(self.source.calls(graph))
        fed = set(map(id, flat))
        for call in calls:
            # Inputs first, in whatever depth Keras keeps their calls.
            if call.outputs and id(call.outputs[0]) in fed:
                self.add_call(call, known)
        self._walk(calls, known, Scope(followed=followed, recorded=followed))
        return _valued(inputs, known), _valued(outputs, known)

    def add_input(self, tensor: Any, shape: Shape, dtype: str, known: Known) -> Value:
        """Add an input that no layer stands for; None does so among the layers."""
        number = len(self.layers)
        self.layers.append(None)
        self.paths.append(f"input_{number}" if number else "input")
        self._add(Node(number, shapes=(shape,), dtypes=(dtype,)), [tensor], known)
        return known[id(tensor)]

    def add_call(
        self, call: Call, known: Known, scope: Scope = OUTSIDE, training: bool | None = None
    ) -> None:
        """Add a call that stays whole and runs with this flag, and its layer the first time."""
        source, layer = self.source, call.layer
        # A layer that is called twice has one number and the path of its first call.
        number = self._places.get(id(layer))
        if number is None:
            number = self._places[id(layer)] = len(self.layers)
            self.layers.append(layer)
            self.paths.append(scope.prefix + self._name(layer, scope))
        node = Node(
            layer=number,
            args=_valued(call.args, known),
            kwargs=_valued(call.kwargs, known) if call.kwargs else {},
            shapes=tuple([source.shape(tensor) for tensor in call.outputs]),
            dtypes=tuple([source.dtype(layer, tensor) for tensor in call.outputs]),
            training=training,
            masked=tuple([source.is_masked(tensor) for tensor in call.outputs]),
        )
        # Asked only after the first mask: most models have none.
        if self._masks and self._reads_mask(node.inputs) and self._hands_on(call, node):
            node = replace(node, masked=(True, *node.masked[1:]))
        self._add(node, call.outputs, known)

    def _add(self, node: Node, outputs: list[Any], known: Known) -> None:
        for position, tensor in enumerate(outputs):
            known[id(tensor)] = Value(len(self.nodes), position)
        self._masks = self._masks or any(node.masked)
        self.nodes.append(node)

    def _walk(self, calls: Iterable[Call], known: Known, scope: Scope) -> None:
        for call in calls:
            if known.keys() >= set(map(id, call.outputs)):
                continue  # an input, fed by whoever opened this model
            # First what Keras itself decides; then, in a call() that was followed, the flag that
            # its code gives.
            flag = self.source.training(scope.training, call.training)
            if scope.followed and call.training is not None:
                flag = call.training  # no model hands this call another
            trained = scope.trained or (scope.followed and flag is True)
            path = f"{scope.prefix}{call.layer.name}/"
            inner = self.source.inside(call, path, flag, partial(self._takes_mask, call, known))
            if inner is not None:
                recorded = scope.recorded or inner.followed
                within = Scope(path, flag, inner.followed, recorded, trained)
                self._open(call, inner, known, within)
                continue
            self.add_call(call, known, scope, flag)
            if trained:
                self.trained.add(self.paths[self._places[id(call.layer)]])

    def _open(self, call: Call, inner: Inner, known: Known, scope: Scope) -> None:
        """Add what is inside a call in its place."""
        self._graphs.append(inner.graph)
        structure, outputs, flat = self.source.ends(inner.graph)
        inside = dict(self._matched(structure, flat, _valued(inner.given, known)))
        self._walk(self.source.calls(inner.graph), inside, scope)
        # What the call returned in the outer graph is what the inner graph returns.
        for tensor, value in zip(call.outputs, leaves(outputs), strict=True):
            known[id(tensor)] = inside[id(value)]

    def _matched(self, structure: Any, flat: list[Any], values: Any) -> Iterator[tuple[int, Value]]:
        """Pair a nested model's input tensors with the values it was called with."""
        if isinstance(values, Mapping) and not isinstance(structure, Mapping):
            # A model of several inputs may be called with a dictionary by the names of its inputs.
            named = {self.source.entry_name(tensor): tensor for tensor in flat}
            if set(values) <= set(named):
                return ((id(named[key]), value) for key, value in values.items())
        return zip(map(id, leaves(structure)), leaves(values), strict=True)

    def _name(self, layer: Any, scope: Scope) -> str:
        """The layer's name; an operation that was recorded is named by what it does."""
        name = self.source.operation(layer) if scope.recorded else None
        if name is None:
            return str(layer.name)
        key = scope.prefix + name
        number = self._numbers[key] = self._numbers.get(key, -1) + 1
        return f"{name}_{number}" if number else name

    def _takes_mask(self, call: Call, known: Known) -> bool:
        """Whether anything that a call takes carries a mask."""
        taken = list(leaves((call.args, *call.kwargs.values())))
        values = [known[id(leaf)] for leaf in taken if id(leaf) in known]
        return self._reads_mask(values) or any(map(self.source.is_masked, taken))

    def _reads_mask(self, values: Iterable[Value]) -> bool:
        # A slice of one: masked is empty where nothing is known of masks.
        return any(any(self.nodes[value.node].masked[value.index :][:1]) for value in values)

    def _hands_on(self, call: Call, node: Node) -> bool:
        """Whether a mask goes through a call although Keras notes none.

        Keras notes no masks in a nested model that is called with one.
        """
        noted = any(map(self.source.is_masked, leaves((call.args, call.kwargs))))
        return not noted and not any(node.masked) and self.source.hands_mask_on(call.layer)


def _valued(tree: Any, known: Known) -> Any:
    if type(tree) in (list, tuple):
        return type(tree)([known.get(id(item)) or _valued(item, known) for item in tree])
    return map_tree(tree, lambda leaf: known.get(id(leaf), leaf))


def layers_inside(
    layer: Any,
    path: str,
    met: set[int],
    parts: Callable[[Any], Iterable[Any]],
    describe: Callable[[Any, str], Layer | None],
) -> tuple[Layer, ...]:
    """The layers that a layer holds which stays whole, with their paths.

    ``parts`` gives what a layer is made of; ``describe`` None for what does not count itself, such
    as a model, which counts through what is in it. ``met`` are the ids of layers that stand in the
    graph itself, or in another layer that came first; those that are met here are added.
    """
    layers: list[Layer] = []
    for part in parts(layer):
        if id(part) in met:
            continue
        met.add(id(part))
        own = f"{path}/{part.name}"
        inside = layers_inside(part, own, met, parts, describe)
        described = describe(part, own)
        layers += inside if described is None else [replace(described, inside=inside)]
    return tuple(layers)
