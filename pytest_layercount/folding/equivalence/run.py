"""Run copies of a model's layers, node by node, so that every value inside can be seen or set.

Layers are called one by one on arrays: compiling them all into one function takes
many times longer than running them a few times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_layercount.folding.equivalence.copies import Measured
from pytest_layercount.model.graph import (
    Layer,
    ModelGraph,
    Node,
    Value,
    leaves,
    map_tree,
    needed,
    values_in,
)
from pytest_layercount.model.keras.common import mask_of, parts, with_mask
from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.quick import quick
from pytest_layercount.model.readers.live import OpenModel

Tensors = dict[Value, Any]


class Runner:
    """Calls the layers of ``copies`` as the model calls them in ``model(x)``."""

    def __init__(self, copies: Measured) -> None:
        self.copies, self.graph = copies, copies.graph
        self.nodes = [_as_called(node, layer) for node, layer in _with_layers(copies)]
        self.compiled: dict[int, Any] = {}

    def run(
        self,
        feeds: Mapping[Value, Any],
        wanted: Collection[Value],
        forced: Mapping[Value, Any] | None = None,
    ) -> Iterator[tuple[Value, Any]]:
        """Each of the ``wanted`` values as soon as it is known.

        A value in ``forced`` is computed where it is wanted, and what reads it
        sees the forced tensor. Others are forgotten when nothing reads them any more.
        """
        self.copies.restart()
        # ``made`` holds what is computed, ``forced`` what is read in its place.
        forced, made = forced or {}, dict(feeds)
        yield from ((value, made[value]) for value in wanted if value in made)
        numbers = leading_to(self.graph, wanted, made.keys() | forced.keys())
        # How often each value will still be read: at zero its tensor is dropped.
        readers = Counter(value for n in numbers for value in self.graph.nodes[n].inputs)

        def seen(leaf: Any) -> Any:
            if not isinstance(leaf, Value):
                return leaf
            tensor = forced[leaf] if leaf in forced else made[leaf]
            readers[leaf] -= 1
            if not readers[leaf]:
                made.pop(leaf, None)
            return tensor

        for number in numbers:
            node = self.graph.nodes[number]
            args, kwargs = map_tree(node.args, seen), map_tree(node.kwargs, seen)
            tensors = self._call(number, args, kwargs)
            finish = self.copies.finishes.get(node.layer)
            if finish is not None:
                before = Value(number, 1)
                # The activation sees what was put in place of the value before it.
                tensors = [finished(finish, forced.get(before, tensors[0])), tensors[0]]
            for index, tensor in enumerate(tensors):
                value = Value(number, index)
                if readers[value]:
                    made[value] = tensor
                if value in wanted:
                    yield value, tensor

    def _call(self, number: int, args: Any, kwargs: Any) -> list[Any]:
        node = self.graph.nodes[number]
        layer = self.copies[node.layer]
        compiled = only_compiled(self.graph.layers[node.layer], layer)
        call = self._compiled if compiled else self._plainly
        # The first call makes the variables of a copy, with values that may not be those it is to
        # have.
        tensors = call(number, layer, args, kwargs)
        if self.copies.settle(node.layer):  # until now it had other weights
            tensors = call(number, layer, args, kwargs)
        return tensors

    def _plainly(self, number: int, layer: Any, args: Any, kwargs: Any) -> list[Any]:
        node = self.nodes[number]
        if quick() and self._directly(node, layer, args, kwargs):
            result = layer.call(*args, **kwargs)
            return [result]
        return self.copies.adapter.call(layer, node, args, kwargs)

    def _directly(self, node: Node, layer: Any, args: Any, kwargs: Any) -> bool:
        """Whether ``call`` alone does it: all that Keras adds is casts, masks and the flag.

        That takes several times longer than a small layer itself.
        """
        described = self.graph.layers[node.layer]
        return (
            described.builtin
            and described.kind == "layer"
            and described.operation is None
            and layer.built
            and len(node.shapes) == 1
            and node.training is None
            and not any(node.masked)
            and all(
                _name(leaf) == self.copies.dtype and mask_of(leaf) is None
                for leaf in leaves((args, kwargs))
            )
        )

    def _compiled(self, number: int, layer: Any, args: Any, kwargs: Any) -> list[Any]:
        import tensorflow as tf

        if number not in self.compiled:
            if not layer.built:
                data = next(leaves((args, *kwargs.values())))  # first in the layer's own call
                layer.build(tuple(data.shape))
            call, node = self.copies.adapter.call, self.nodes[number]

            def masked(args: Any, kwargs: Any, masks: list[Any]) -> Any:
                left = iter(masks)  # in the order of map_tree
                inputs = map_tree((args, kwargs), lambda leaf: with_mask(leaf, next(left)))
                made = call(layer, node, *inputs)
                return made, [mask_of(tensor) for tensor in made]

            self.compiled[number] = tf.function(masked, autograph=False)
        masks: list[Any] = []  # a function of TensorFlow's would lose them
        map_tree((args, kwargs), lambda leaf: masks.append(mask_of(leaf)))
        return list(map(with_mask, *self.compiled[number](args, kwargs, masks)))


def _with_layers(copies: Measured) -> Iterator[tuple[Node, Any]]:
    return ((node, copies.original(node.layer)) for node in copies.graph.nodes)


def _as_called(node: Node, live: Any) -> Node:
    """The call as the model makes it when it is called with ``training=False``.

    To Keras's own layers that is as good as no flag; one of the user's may tell them apart.
    """
    if node.training is None and not all(is_own(type(part)) for part in parts(live)):
        return replace(node, training=False)
    return node


def _name(leaf: Any) -> str | None:
    dtype = getattr(leaf, "dtype", None)
    return getattr(dtype, "name", None)


def finished(finish: Callable[[Any], Any], tensor: Any) -> Any:
    """What the last activation makes of what a layer computes without it."""
    return with_mask(finish(tensor), mask_of(tensor))


def only_compiled(layer: Layer, live: Any) -> bool:
    """Whether Keras 3 computes something else, or takes very long, when it is not compiled.

    A recurrent layer calls its cell once for each step, operation by operation.
    """
    if not layer.builtin:
        return False
    # A wrapper runs the layer inside it.
    inner = layer.config.get("layer")
    config = inner.config if isinstance(inner, Layer) else layer.config
    # Keras 3 compiles a grouped convolution with XLA, and defines that function anew at every call.
    grouped = "groups" in config and config["groups"] not in (None, 1)
    recurrent = any(hasattr(part, "return_sequences") for part in parts(live))
    # Called eagerly, Keras 3.15 adds the bias of a channels_first convolution along the width where
    # that has as many positions as there are filters.
    return config.get("data_format") == "channels_first" or grouped or recurrent


def leading_to(graph: ModelGraph, wanted: Iterable[Value], known: Collection[Value]) -> list[int]:
    """The nodes to run for the ``wanted`` values when those ``known`` are given."""
    reads = graph.nodes

    def run(values: Iterable[Value]) -> list[int]:
        return [v.node for v in values if graph.layer_of(v.node).kind != "input"]

    def unknown(number: int) -> list[int]:
        return run(value for value in reads[number].inputs if value not in known)

    return sorted(needed(run(wanted), unknown))


def boundary(graph: ModelGraph, wanted: Collection[Value], known: Collection[Value]) -> set[Value]:
    """Those of the ``known`` values that are read on the way to the ``wanted`` ones."""
    numbers = leading_to(graph, wanted, known)
    return {value for n in numbers for value in graph.nodes[n].inputs if value in known}


def fed(copies: Measured, inputs: Sequence[Any]) -> Tensors:
    """The input values of ``copies``, in the data types that they are computed in."""
    import tensorflow as tf

    tensors = {}
    for value, array in zip(values_in(copies.graph.inputs), inputs, strict=True):
        dtype = copies.graph.dtype(value)
        floating = "float" in dtype and copies.dtype is not None
        tensors[value] = tf.cast(tf.convert_to_tensor(array), copies.dtype if floating else dtype)
    return tensors


def output_names(opened: OpenModel) -> list[str]:
    """A name for each output: its key in a dictionary, else that of its layer."""
    outputs = opened.graph.outputs
    if isinstance(outputs, Mapping) and all(isinstance(v, Value) for v in outputs.values()):
        return [str(key) for key in sorted(outputs, key=str)]
    return [opened.graph.layer_of(value.node).name for value in values_in(outputs)]
