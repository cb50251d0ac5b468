"""See a subclassed model whose call cannot be followed symbolically: watch it run once.

Every call of a layer is recorded, at every depth, and what passes between layers is
known by identity. What TensorFlow or Python compute in between leaves no trace, so the
graph tells what the model is made of and not all that reads a value: it is enough to
count and to explain, and licenses no fold.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.model.graph import (
    Layer,
    ModelGraph,
    Value,
    leaves,
    map_tree,
    values_in,
)
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.adapter import Adapter, Call, Unseen, keras_label
from pytest_layercount.model.keras.origin import is_model, is_own
from pytest_layercount.model.layers.arguments import flag_of, in_call_order
from pytest_layercount.model.readers.builder import GraphBuilder, Known, Scope
from pytest_layercount.model.readers.live import LiveSource

_CALLABLES = ("Layer", "Operation")


def watch_call(model: Any, inputs: Any, refused: Unseen) -> ModelGraph:
    """The layers that ``model`` calls for ``inputs``, or ones like those it was built with.

    Raises:
        ModelError: what it takes is not known, or its call fails.
    """
    adapter = adapter_for(model)
    args, kwargs = _arguments(adapter, model, inputs, refused)
    watch = _Watch(adapter, model)
    # Inputs are nodes before any call is, so that calls can read them.
    watch.enter((args, kwargs))
    flags = {"training": False} if "training" in _names(model.call) else {}
    with _state_kept(model), watch.watching():
        try:
            result = model(*args, **kwargs, **flags)
        except Exception as error:  # whatever a user's code does with made-up numbers
            first = first_line(error)
            raise ModelError(
                f"{refused}; watching one call failed too ({first[:200]}): give it an input that "
                "it takes, read_graph(model, inputs=...)"
            ) from error
    return watch.graph(result)


def _names(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def _arguments(
    adapter: Adapter, model: Any, inputs: Any, refused: Unseen
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What to call the model with."""
    import tensorflow as tf

    if inputs is not None:
        return (map_tree(inputs, tf.convert_to_tensor),), {}
    known = adapter.built_with(model)
    if known is None and not model.built:
        raise refused
    wanted = "give it an input to watch one call with: read_graph(model, inputs=...)"
    if known is None:
        raise ModelError(f"{refused}; {wanted}")

    def made(leaf: Any) -> Any:
        if not adapter.is_tensor(leaf):
            return leaf
        _, *sizes = tuple(leaf.shape)
        if None in sizes:
            raise ModelError(f"{refused}, and the size of its input is not known; {wanted}")
        return tf.ones((1, *sizes), leaf.dtype)

    args, kwargs = map_tree(known, made)
    return args, kwargs


@contextmanager
def _state_kept(model: Any) -> Iterator[None]:
    """Put back what a call changes of the variables that training does not."""
    kept = [(variable, variable.numpy()) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


class _Watch:
    """What was seen of a call so far.

    ``depth`` counts the layers that stay whole around the present call: nothing is recorded
    within. ``inside`` are the layers that were opened, the innermost last. ``alive`` keeps all
    tensors: their ids tell them apart, and would be used again.
    """

    def __init__(self, adapter: Adapter, model: Any) -> None:
        self.adapter, self.model = adapter, model
        self.source = LiveSource(adapter)
        self.builder = GraphBuilder(self.source)
        self.known: Known = {}
        self.alive: list[Any] = []
        self.entries: Any = None
        self.inside: list[Any] = [model]
        self.depth = 0

    def enter(self, arguments: Any) -> None:
        """Make an input of every tensor among the arguments."""
        args, kwargs = arguments
        self.entries = map_tree(
            args[0] if len(args) == 1 and not kwargs else arguments, self._input
        )

    def _input(self, leaf: Any) -> Any:
        if not _is_tensor(leaf):
            return leaf
        # The batch size of the made-up input means nothing.
        shape = (None, *self.adapter.shape(leaf)[1:])  # type: ignore[index]
        self.alive.append(leaf)
        return self.builder.add_input(leaf, shape, str(leaf.dtype.name), self.known)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record every call of a layer that this thread makes."""
        thread = threading.get_ident()
        # On the base classes, as Python looks __call__ up on the class and not on the instance.
        classes: list[Any] = [
            base
            for base in type(self.model).__mro__
            if base.__name__ in _CALLABLES and "__call__" in vars(base) and is_own(base)
        ]
        originals = [vars(base)["__call__"] for base in classes]

        def watched(original: Any) -> Any:
            def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
                # Other threads of the test may call models too, while the classes are patched.
                if threading.get_ident() != thread:
                    return original(layer, *args, **kwargs)
                return self.call(original, layer, args, kwargs)

            return call

        for base, original in zip(classes, originals, strict=True):
            base.__call__ = watched(original)
        try:
            yield
        finally:
            for base, original in zip(classes, originals, strict=True):
                base.__call__ = original

    def call(self, original: Any, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call and record it, or what is called inside."""
        # Layer.__call__ of Keras 3 calls that of Operation, which is patched too.
        if self.depth or layer is self.inside[-1]:
            return original(layer, *args, **kwargs)
        # Keras's own layers stay whole: what they are made of is no layer of the model.
        opens = is_model(type(layer)) or not is_own(type(layer))
        before = len(self.builder.nodes)
        self.inside.append(layer)
        self.depth += not opens
        try:
            result = original(layer, *args, **kwargs)
        finally:
            self.depth -= not opens
            self.inside.pop()
        # Nothing was recorded inside: it stays whole, or calls no layers.
        if len(self.builder.nodes) == before:
            self._record(layer, args, kwargs, result)
        return result

    def _record(
        self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        outputs = list(filter(_is_tensor, leaves(result)))
        training = kwargs.get("training")
        others = {name: value for name, value in kwargs.items() if name != "training"}
        others = in_call_order(layer, others)
        self.alive += [result, args, kwargs]
        prefix = "".join(f"{outer.name}/" for outer in self.inside[1:])
        plain = map_tree((args, others), self._plain)
        # False is what everything runs with here, and says nothing of the model.
        call = Call(layer, plain[0], plain[1], outputs, flag_of(training) or None)
        self.builder.add_call(call, self.known, Scope(prefix), call.training)

    def _plain(self, leaf: Any) -> Any:
        """The value of a tensor; None if no layer made it, as what it depends on was not seen."""
        return self.known.get(id(leaf)) if _is_tensor(leaf) else leaf

    def graph(self, result: Any) -> ModelGraph:
        """The graph; where a result comes from no layer, its outputs are all values never read."""
        outputs = map_tree(result, self._plain)
        nodes = self.builder.nodes
        read = {value for node in nodes for value in node.inputs}
        ends = [Value(n) for n in range(len(nodes)) if nodes[n].shapes and Value(n) not in read]
        # What TensorFlow computes after the last layer breaks the chain: then all values that
        # nothing reads stand for the outputs.
        if None in leaves(outputs) or set(ends) - set(values_in(outputs)):
            outputs = ends if len(ends) > 1 else ends[0]
        return ModelGraph(
            name=str(self.model.name),
            keras=f"{keras_label(self.model)}, one call watched",
            layers=tuple(self._described()),
            nodes=tuple(nodes),
            inputs=self.entries,
            outputs=outputs,
            top=tuple(type(layer).__name__ for layer in self.model.layers),
            seen="one call",
        )

    def _described(self) -> Iterator[Layer]:
        """The layers; those without one are inputs, which came before all calls."""
        layers, paths = self.builder.layers, self.builder.paths
        inputs = layers.count(None)
        yield from (Layer(path, "InputLayer", "input") for path in paths[:inputs])
        yield from self.source.describer.described(self.model, layers[inputs:], paths[inputs:])


def _is_tensor(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and not callable(leaf)
