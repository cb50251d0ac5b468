"""Build the Keras model that a ModelGraph describes, out of copies of live layers.

Each copy is made from its layer's configuration when it is first needed.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.folding.affine import Array
from pytest_layercount.model.graph import Layer, ModelGraph, Value, map_tree
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.state import State, Unlike, carry_on
from pytest_layercount.model.quick import quick

if TYPE_CHECKING:
    from pytest_layercount.model.readers.live import OpenModel


def build_model(
    opened: OpenModel,
    graph: ModelGraph,
    sources: tuple[int, ...],
    weights: dict[int, dict[str, Array]],
) -> Any:
    """Build a new model of the structure ``graph``; :class:`Copies` says what the rest is.

    ``weights`` is emptied on the way: its arrays become the memory of variables.

    Raises:
        ModelError: a layer cannot be copied from its configuration.
    """
    copies = Copies(opened, graph, sources, weights)
    with _deep_enough_for(len(graph.nodes)), _nothing_collected():
        model = _chained(copies) if _is_chain(graph) else _connected(copies)
    # A chain is called by Keras as a whole, so its layers get their weights here. Settled twice, a
    # layer is left alone.
    for number in range(len(graph.layers)):
        copies.settle(number)
    return model


def _connected(copies: Copies) -> Any:
    graph, adapter = copies.graph, copies.adapter
    tensors: dict[Value, Any] = {}
    for number, node in enumerate(graph.nodes):
        if graph.layers[node.layer].kind == "input":
            tensors[Value(number)] = _input(copies, node.layer)
            continue
        layer = copies[node.layer]
        args, kwargs = _filled(node.args, tensors), _filled(node.kwargs, tensors)
        try:
            # The first call builds a layer, so what its copy cannot do shows here.
            made = adapter.connect(layer, node, args, kwargs)
        except Exception as error:
            raise ModelError(uncopied(graph.layers[node.layer], error)) from error
        for index, tensor in enumerate(made):
            tensors[Value(number, index)] = tensor
        # At once: the arrays of its new weights are let go of before the next layer is made.
        copies.settle(node.layer)
    inputs, outputs = _filled(graph.inputs, tensors), _filled(graph.outputs, tensors)
    return adapter.model(inputs, outputs, copies.opened.model)


def _chained(copies: Copies) -> Any:
    first, *others = (node.layer for node in copies.graph.nodes)
    layers = [copies[number] for number in others]
    try:
        return copies.adapter.sequential(_input(copies, first), layers, copies.opened.model)
    except Exception:  # noqa: BLE001  whatever a layer raises
        return _connected(copies)  # one by one, to name that layer


def _input(copies: Copies, number: int) -> Any:
    return copies.adapter.input(copies.original(number), copies.names[number])


@contextmanager
def _deep_enough_for(nodes: int) -> Iterator[None]:
    """Allow for deep recursion: Keras walks a new model recursively, a few frames a layer."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1000 + 10 * nodes))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep the garbage collector off: objects are made by the thousand, and all of them stay."""
    pause = gc.isenabled() and quick()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()


def _is_chain(graph: ModelGraph) -> bool:
    """Whether the graph is a Sequential model: every call reads the one before it."""
    if not graph.sequential or len(graph.nodes) != len(graph.layers):
        return False
    # ``number`` counts from 0 over the nodes from 1 on, so it is that of the node before. A
    # Sequential model has no place for a ``training=True`` of one of its layers.
    return all(
        graph.layers[node.layer].kind == "layer"
        and node.args == (Value(number),)
        and not node.kwargs
        and node.training is not True
        for number, node in enumerate(graph.nodes[1:])
    )


def _filled(tree: Any, tensors: Mapping[Value, Any]) -> Any:
    return map_tree(tree, lambda leaf: tensors[leaf] if isinstance(leaf, Value) else _own(leaf))


def _own(leaf: Any) -> Any:
    """A constant in place of a variable that an operation reads: models share nothing."""
    if not hasattr(leaf, "assign"):
        return leaf
    import tensorflow as tf

    return tf.identity(leaf)


MOST_SAID = 120
"""How many characters of an error of Keras's are repeated: it may hold a whole configuration."""


class Copies:
    """The layers of ``graph`` as new layers.

    ``sources`` gives, for each layer of ``graph``, the number of the live layer that it is a
    copy of; no number stands twice. ``weights`` are new weights by that number: their arrays
    become the memory of variables. With ``dtype`` every floating-point layer computes in that
    type instead of its own.
    """

    compared = True
    """Whether a copy must hold what its original holds; a bench sees what layers compute."""

    def __init__(
        self,
        opened: OpenModel,
        graph: ModelGraph,
        sources: tuple[int, ...],
        weights: dict[int, dict[str, Array]],
        dtype: str | None = None,
    ) -> None:
        self.opened, self.graph, self.sources = opened, graph, sources
        self.weights, self.dtype = weights, dtype
        self.adapter = adapter_for(opened.model)
        self.names = [
            layer.path if self.original(number).name == layer.path else name  # Keras 2: "conv1/bn"
            for number, (layer, name) in enumerate(
                zip(graph.layers, unique_names(graph), strict=True)
            )
        ]
        self.live: list[Any] = [None] * len(graph.layers)
        self.states: dict[int, State] = {}
        self.carried: list[tuple[Any, Any]] = []

    def original(self, number: int) -> Any:
        """The live layer that layer ``number`` is a copy of."""
        return self.opened.layers[self.sources[number]]

    def __getitem__(self, number: int) -> Any:
        """The copy of layer ``number``; its variables may not have been made yet.

        Raises:
            ModelError: it cannot be copied from its configuration.
        """
        if self.live[number] is None:
            old, layer = self.original(number), self.graph.layers[number]
            source = self.sources[number]
            changes = _changes(self.opened.graph.layers[source].config, layer.config)
            name = self.names[number]
            try:
                new = self.adapter.copy(old, layer, name, changes, self.dtype)
            except Exception as error:
                raise ModelError(uncopied(layer, error)) from error
            self.live[number] = new
            # Operations and inputs have no weights to be given.
            if layer.kind == "layer":
                weights = self.weights.get(source, {})
                changed, loosely = frozenset(_names(changes)), self.dtype is not None
                state = State(old, new, weights, changed, loosely)
                state.compared = self.compared
                self.states[number] = state
        return self.live[number]

    def settle(self, number: int) -> bool:
        """Give a layer that was called its weights, and tell whether it had others until now.

        Raises:
            ModelError: the layer copied has weights that its configuration does not make.
        """
        state = self.states.pop(number, None)
        if state is None:
            return False
        source = self.sources[number]
        try:
            late = state.settle()
        except Unlike as unlike:
            raise ModelError(_unlike(self.opened.graph.layers[source], unlike)) from unlike
        self.weights.pop(source, None)
        self.carried += state.carried
        return late

    def restart(self) -> None:
        """Let recurrent layers that carry a state on begin with that of their originals again."""
        carry_on(self.carried)


def unique_names(graph: ModelGraph) -> list[str]:
    """A name for each layer: its own where no other has it, else its path."""
    own = Counter(layer.name for layer in graph.layers)
    names: list[str] = []
    taken: set[str] = set()
    for layer in graph.layers:
        name = layer.name if own[layer.name] == 1 else layer.path.replace("/", "_")
        # A path with its slashes replaced may be the name of another layer.
        base, copies = name, 1
        while name in taken:
            copies += 1
            name = f"{base}_{copies}"
        taken.add(name)
        names.append(name)
    return names


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of ``after`` that differ; of a layer inside another, a mapping of those."""
    # A layer that the plan left alone keeps the very mapping that it was read with.
    if before is after:
        return {}
    return {
        key: _changes(before[key].config, new.config) if isinstance(new, Layer) else new
        for key, new in after.items()
        if before.get(key) != new
    }


def _names(changes: Mapping[str, Any]) -> Iterator[str]:
    for name, change in changes.items():
        yield name
        if isinstance(change, Mapping):
            yield from _names(change)


def _unlike(layer: Layer, unlike: Unlike) -> str:
    advice = (
        "give its class a get_config() that returns every argument of its __init__, and set "
        "nothing on it afterwards"
    )
    if layer.sealed in ("quantized", "lora"):
        advice = "a part of it was quantized or given LoRA weights; fold before that"
    return (
        f"layer {layer.path!r} of type {layer.type} is another layer when it is made from its "
        f"configuration: {unlike}; {advice}"
    )


def uncopied(layer: Layer, error: Exception) -> str:
    """The sentence for a layer of which there is no copy, or none that can be called."""
    advice = (
        "give it a function or a name where it holds a layer or another object"
        if layer.builtin
        else "give its class a get_config() that returns every argument of its __init__"
    )
    reason = first_line(error)
    reason = reason if len(reason) <= MOST_SAID else f"{reason[:MOST_SAID]}..."
    return (
        f"layer {layer.path!r} of type {layer.type} cannot be copied from its configuration "
        f"({type(error).__name__}: {reason}); {advice}"
    )
