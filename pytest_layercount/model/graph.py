"""A model's structure as plain, frozen data.

A :class:`ModelGraph` is the *opened* model: nested models are replaced by the
layers inside them. It imports neither Keras nor NumPy, so everything built on
it can be tested in milliseconds and works on models of any Keras version.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, Literal, TypeVar

Shape = tuple[int | None, ...] | None
"""A tensor's shape, batch included; ``None`` where a size (or the rank) is unknown."""

Kind = Literal["input", "layer", "operation"]
"""``operation``: a raw Keras 3 ``Operation``, which ``model.layers`` leaves out."""

Seen = Literal["graph", "traced function", "one call"]
"""``graph``: as Keras keeps it. ``traced function``: from TensorFlow's operations.
``one call``: from watching the layers while the model ran once."""


@dataclass(frozen=True, slots=True)
class Value:
    """An edge's source: output number ``index`` of node number ``node``."""

    node: int
    index: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """A distinct layer object.

    ``type`` is the exact class name and ``builtin`` says that the class is
    Keras's own: a user's subclass of Conv2D is not a Conv2D. ``config`` holds
    the attributes that the folding rules ask about, normalised across Keras
    versions (see ``model/layers``). ``operation`` is the canonical name
    of a low-level operation (``"multiply"``), whether Keras counts it as a
    layer (Keras 2's TFOpLambda) or not (Keras 3's Operation). ``sealed`` says why
    the weights must not be rewritten: ``"quantized"``, ``"lora"`` or ``"tied"``.
    ``weighed`` is False where a file does not tell how many parameters it has.
    ``stored_bytes`` is the memory that the weights take, None for four bytes a scalar.
    ``bases`` are the names of the layer classes that its class derives from, nearest
    first; ``inside`` are the layers that it holds, where it stays whole: layers that it was
    given or that a class of the user's own makes, not what Keras's own layers are made of.
    Each layer of a model stands once, and what it weighs is counted with the layer that
    holds it. ``closed`` says that only code, or a SavedModel inside, tells what the layer
    is and holds.
    ``settings`` are all others that have an effect (see ``model/plain_settings.py``), None
    where they are not known.
    """

    path: str
    type: str
    kind: Kind = "layer"
    builtin: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)
    operation: str | None = None
    sealed: str | None = None
    parameters: int = 0
    trainable_parameters: int = 0
    weighed: bool = True
    stored_bytes: int | None = None
    bases: tuple[str, ...] = ()
    inside: tuple[Layer, ...] = ()
    closed: bool = False
    settings: Mapping[str, Any] | None = field(default=None, compare=False)

    def is_a(self, type_: str) -> bool:
        """Whether it is of this class, or of one that derives from it."""
        return type_ == self.type or type_ in self.bases

    @property
    def wrapped(self) -> Mapping[str, Layer]:
        """The layers inside a wrapper that are read with its attributes, by attribute."""
        return {name: value for name, value in self.config.items() if isinstance(value, Layer)}

    @property
    def own(self) -> bool:
        """Whether a class of the user's own computes it, or what is in this wrapper."""
        return not self.builtin or any(layer.own for layer in self.wrapped.values())

    def held(self) -> Iterator[Layer]:
        """What is inside, at every depth."""
        for layer in self.inside:
            yield layer
            yield from layer.held()

    @property
    def weight_bytes(self) -> int:
        """The memory that the weights take; four bytes a scalar unless something else is known."""
        return 4 * self.parameters if self.stored_bytes is None else self.stored_bytes

    @property
    def name(self) -> str:
        """The layer's own name, without the models that enclose it."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Node:
    """One call of a layer.

    ``args`` and ``kwargs`` are what the layer was called with, each symbolic
    tensor replaced by its :class:`Value`; ``kwargs`` stand in the order of the
    parameters of the layer's own ``call``. ``shapes`` and ``dtypes`` are those of
    its outputs. ``training`` is the flag this call
    runs with when nothing overrides it, whether given to the call itself or to
    a model that encloses it. ``masked`` says which outputs carry a mask.
    """

    layer: int
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = ()
    dtypes: tuple[str, ...] = ()
    training: bool | None = None
    masked: tuple[bool, ...] = ()

    @cached_property
    def inputs(self) -> tuple[Value, ...]:
        """The values this call reads, in order; one used twice stands twice."""
        # Most calls read one tensor; this saves the walk.
        if len(self.args) == 1 and isinstance(self.args[0], Value) and not self.kwargs:
            return self.args
        return tuple(values_in((self.args, tuple(self.kwargs.values()))))

    def argument(self, place: int, *names: str) -> Any:
        """The argument at ``place``, or by the first of ``names`` that was given, else None."""
        if place < len(self.args):
            return self.args[place]
        return next((self.kwargs[name] for name in names if name in self.kwargs), None)


@dataclass(frozen=True)
class ModelGraph:
    """An opened model: its layers, its calls in topological order, its ends.

    ``inputs`` and ``outputs`` keep the structure (a value, list, tuple or
    dictionary) in which the model takes and returns tensors. ``top`` holds the
    types of ``model.layers`` as Keras itself lists them. ``sequential`` models
    leave their InputLayer out of ``model.layers``, and so do our counts. ``seen``
    says how the model was read.
    """

    name: str
    keras: str
    layers: tuple[Layer, ...]
    nodes: tuple[Node, ...]
    inputs: Any
    outputs: Any
    top: tuple[str, ...] = ()
    sequential: bool = False
    seen: Seen = "graph"

    def every(self) -> Iterator[Layer]:
        """Its layers, each followed by those inside it at every depth."""
        for layer in self.layers:
            yield layer
            yield from layer.held()

    def layer_of(self, node: int) -> Layer:
        """The layer that node number ``node`` calls."""
        return self.layers[self.nodes[node].layer]

    def shape(self, value: Value) -> Shape:
        """The shape of ``value``, batch dimension included."""
        shapes = self.nodes[value.node].shapes
        return shapes[value.index] if value.index < len(shapes) else None

    def dtype(self, value: Value) -> str:
        """The data type of ``value``, empty where it is not known."""
        dtypes = self.nodes[value.node].dtypes
        return dtypes[value.index] if value.index < len(dtypes) else ""

    def is_masked(self, value: Value) -> bool:
        """Whether Keras carries a mask along with ``value``."""
        masked = self.nodes[value.node].masked
        return value.index < len(masked) and masked[value.index]

    @cached_property
    def calls(self) -> Mapping[int, tuple[int, ...]]:
        """For each layer, the nodes that call it."""
        calls: dict[int, list[int]] = {}
        for number, node in enumerate(self.nodes):
            calls.setdefault(node.layer, []).append(number)
        return {layer: tuple(numbers) for layer, numbers in calls.items()}


def leaves(tree: Any) -> Iterator[Any]:
    """What nested lists, tuples and dictionaries hold, dictionaries by key as in Keras."""
    if isinstance(tree, (list, tuple)):
        for item in tree:
            yield from leaves(item)
    elif isinstance(tree, Mapping):
        for key in sorted(tree, key=str):
            yield from leaves(tree[key])
    else:
        yield tree


def values_in(tree: Any) -> Iterator[Value]:
    """The values among the leaves of ``tree``, in the same order."""
    return (leaf for leaf in leaves(tree) if isinstance(leaf, Value))


def map_tree(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    """``tree`` with ``leaf`` applied to what is not a list, tuple or dictionary."""
    if isinstance(tree, (list, tuple)):
        items = [map_tree(item, leaf) for item in tree]
        if isinstance(tree, list):
            return items
        # A named tuple takes its items as arguments.
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    if isinstance(tree, Mapping):
        return {key: map_tree(item, leaf) for key, item in tree.items()}
    return leaf(tree)


Result = TypeVar("Result")


def once(function: Callable[[ModelGraph], Result]) -> Callable[[ModelGraph], Result]:
    """Remember what ``function`` says of a graph, which is frozen, for as long as it is there."""
    # By identity: graphs compare by all that they hold, which takes longer than most answers.
    known: dict[int, tuple[weakref.ref[ModelGraph], Result]] = {}

    @wraps(function)
    def remembered(graph: ModelGraph) -> Result:
        key = id(graph)
        if key in known:
            return known[key][1]
        result = function(graph)
        known[key] = weakref.ref(graph, lambda _: known.pop(key, None)), result
        return result

    return remembered


Key = TypeVar("Key", bound=Hashable)


class Cycle(Exception):
    """Something needs its own result. The argument is what."""


def needed(ends: Iterable[Key], reads: Callable[[Key], Iterable[Key]]) -> list[Key]:
    """Return what ``ends`` need, themselves included, each after what it reads.

    It is the order in which a walk from the ends finishes, so that the place of a node
    depends on what it needs alone. Nothing recurses: models are deeper than Python's stack.

    Raises:
        Cycle: some of them need one another.
    """
    finished: dict[Key, None] = {}
    under_way: set[Key] = set()
    for end in ends:
        # Each entry is a node and an iterator over what it still has to visit.
        stack = [] if end in finished else [(end, iter(reads(end)))]
        under_way.update(key for key, _ in stack)
        while stack:
            key, rest = stack[-1]
            following = next((read for read in rest if read not in finished), None)
            if following is None:
                stack.pop()
                under_way.discard(key)
                finished[key] = None
            elif following in under_way:
                raise Cycle(following)
            else:
                under_way.add(following)
                stack.append((following, iter(reads(following))))
    return list(finished)
