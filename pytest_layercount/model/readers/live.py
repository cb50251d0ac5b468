"""Open a live Keras model: nested models replaced by the layers inside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value, leaves, map_tree
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.adapter import Adapter, Call, Unseen, keras_label, wraps_call
from pytest_layercount.model.keras.common import dtype_name, leaving_no_trace
from pytest_layercount.model.readers.describe import Describer
from pytest_layercount.model.readers.symbolic import (
    composite,
    trace,
    trace_root,
)

Inside = Callable[[str], bool]
"""Whether to open the composite layer with this path."""


class Untraceable(ModelError):
    """A subclassed model whose call cannot be followed on symbolic inputs."""


@dataclass(frozen=True)
class OpenModel:
    """A graph and the live layer behind each of ``graph.layers``.

    ``opened`` are the paths of composite layers that Keras counts as one and that were
    opened here, ``whole`` is the graph in which they are not. ``trained`` are those of layers
    that the ``call`` of a model calls with ``training=True``, whatever that is called with.
    """

    graph: ModelGraph
    layers: tuple[Any, ...]
    model: Any
    opened: tuple[str, ...] = ()
    whole: ModelGraph | None = None
    trained: frozenset[str] = frozenset()

    @property
    def counted(self) -> ModelGraph:
        """The graph in which layers count as Keras counts them."""
        return self.whole or self.graph


def open_model(model: Any, *, inside: Inside | None = None) -> OpenModel:
    """Read a live model.

    A subclassed model is called on symbolic inputs, and so are the subclassed
    models in it; layers of the user's own stay whole in a functional model and
    are opened in a subclassed one, which has no list of layers to agree with. In a
    functional one those are opened for whose path ``inside`` is true, if their call
    can be followed every time that they are called.

    Raises:
        ModelError: a subclassed model whose call cannot be followed, or a
            Sequential without an input shape.
    """
    adapter = adapter_for(model)
    subclassed = adapter.functional(model) is None
    closed: set[int] = set()
    with leaving_no_trace(model):
        while True:
            opening = Opening(adapter, subclassed, int(subclassed), inside or _nowhere, closed)
            inputs, outputs = opening.root(_graph_of(adapter, model))
            if not closed & opening.opened.keys():
                break  # else a layer was opened at one call, and could not be at another
    graph = ModelGraph(
        name=str(model.name),
        keras=keras_label(model),
        layers=tuple(opening.described(model)),
        nodes=tuple(opening.nodes),
        inputs=inputs,
        outputs=outputs,
        top=tuple(type(layer).__name__ for layer in model.layers),
        sequential=_is_sequential(model),
    )
    opened = tuple(opening.opened.values())
    trained = frozenset(opening.trained)
    return OpenModel(graph, tuple(opening.layers), model, opened, trained=trained)


def _nowhere(_path: str) -> bool:
    return False


def _graph_of(adapter: Adapter, model: Any) -> Any:
    functional = adapter.functional(model)
    if functional is not None:
        return functional
    if _is_sequential(model) and not model.built:
        raise ModelError(
            f"the Sequential model {model.name!r} has no input shape yet, so its graph is "
            "unknown: begin it with an Input or call model.build(input_shape) first"
        )
    try:
        return trace_root(adapter, model)
    except Unseen as unseen:
        raise Untraceable(
            f"{type(model).__name__} {model.name!r} is a subclassed model whose graph cannot "
            f"be seen: {unseen}"
        ) from unseen


class Code(NamedTuple):
    """What calls a layer: a ``followed`` method of the user's, or a functional model of Keras.

    ``trained`` says that such a method, further out, called all this with ``training=True``.
    """

    followed: bool
    trained: bool = False


@dataclass
class Opening:
    """The graph so far. ``known`` maps a symbolic tensor's id to its value.

    ``traced`` keeps the graphs of subclassed models alive: ids are only unique
    among objects that live. ``inside`` says by its path whether to open a composite layer,
    ``opened`` has those that were, and ``closed`` those that cannot be, all by their ids.
    """

    adapter: Adapter
    subclassed: bool = False
    tracing: int = 0
    inside: Inside = _nowhere
    closed: set[int] = field(default_factory=set)
    opened: dict[int, str] = field(default_factory=dict)
    layers: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    index: dict[int, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    traced: list[Any] = field(default_factory=list)
    masks: bool = False
    numbers: dict[str, int] = field(default_factory=dict)
    trained: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.describer = Describer(self.adapter)

    def root(self, functional: Any) -> tuple[Any, Any]:
        self.traced.append(functional)
        inputs, outputs, flat = self.adapter.ends(functional)
        known: dict[int, Value] = {}
        calls = list(self.adapter.calls(functional))
        fed = set(map(id, flat))
        for call in calls:
            if call.outputs and id(call.outputs[0]) in fed:
                self.add_node(call, "", known, None)
        self._walk(calls, "", known, None, Code(self.subclassed))
        return _valued(inputs, known), _valued(outputs, known)

    def _walk(
        self,
        calls: Iterable[Call],
        prefix: str,
        known: dict[int, Value],
        training: bool | None,
        code: Code,
    ) -> None:
        for call in calls:
            if known.keys() >= set(map(id, call.outputs)):
                continue  # an input, fed by whoever opened this model
            flag = self.adapter.training(training, call.training)
            if code.followed and call.training is not None:
                flag = call.training  # no model hands this call another
            trained = code.trained or (code.followed and flag is True)
            path = f"{prefix}{call.layer.name}/"
            inner, given, traced = self._inside(call, path, known, flag)
            if inner is None:
                self.add_node(call, prefix, known, flag)
                if trained:
                    self.trained.add(self.paths[self.index[id(call.layer)]])
                continue
            self.tracing += traced
            self._open_nested(call, inner, given, path, known, flag, Code(traced, trained))
            self.tracing -= traced

    def _inside(
        self, call: Call, path: str, known: dict[int, Value], training: bool | None
    ) -> tuple[Any, Any, bool]:
        """The graph inside a call (None if it stays whole), what feeds it, if it was traced."""
        layer = call.layer
        if wraps_call(layer):
            return None, None, False
        if self.describer.traits(layer).model:
            functional = self.adapter.functional(layer)
            if functional is not None and self._fits(call, functional):
                first = call.args[0] if call.args else next(iter(call.kwargs.values()))
                return functional, first, False
        elif not composite(layer):
            return None, None, False
        try:
            if self.subclassed or self.describer.traits(layer).model:
                traced = trace(self.adapter, layer, call.args, call.kwargs, training=training)
            else:
                traced = self._followed(call, path.removesuffix("/"), known, training)
        except Unseen:
            return None, None, False
        self.traced.append(traced)
        return traced, self._tensors(call), True

    def _fits(self, call: Call, functional: Any) -> bool:
        """Whether a model inside is called on sizes like those that its graph was made with."""
        made = [self.adapter.shape(tensor) for tensor in self.adapter.ends(functional)[2]]
        read = [self.adapter.shape(tensor) for tensor in self._tensors(call)]
        pairs = zip(made, read, strict=False)
        return not any(ours and theirs and _differ(ours, theirs) for ours, theirs in pairs)

    def _followed(
        self, call: Call, path: str, known: dict[int, Value], training: bool | None
    ) -> Any:
        """What is inside a composite layer that Keras counts as one."""
        from pytest_layercount.model.readers.composite import followed  # needs NumPy

        number = id(call.layer)
        path = self.opened.get(number, path)
        if number in self.closed or not self.inside(path):
            raise Unseen("it stays whole")
        try:
            traced = followed(self.adapter, call, training, self._reads_mask(call, known))
        except Unseen:
            self.closed.add(number)
            raise
        self.opened[number] = path
        return traced

    def _reads_mask(self, call: Call, known: dict[int, Value]) -> bool:
        tensors = self._tensors(call)
        values = [known[id(tensor)] for tensor in tensors if id(tensor) in known]
        noted = [any(self.nodes[value.node].masked[value.index :][:1]) for value in values]
        return any(noted) or any(map(self.adapter.is_masked, tensors))

    def _tensors(self, call: Call) -> list[Any]:
        """The tensors that a call takes, in the order of its arguments."""
        return list(filter(self.adapter.is_tensor, leaves((call.args, *call.kwargs.values()))))

    def _open_nested(
        self,
        call: Call,
        inner: Any,
        given: Any,
        path: str,
        known: dict[int, Value],
        training: bool | None,
        code: Code,
    ) -> None:
        structure, outputs, flat = self.adapter.ends(inner)
        inside = dict(_matched(self.adapter, structure, flat, _valued(given, known)))
        self._walk(self.adapter.calls(inner), path, inside, training, code)
        for tensor, value in zip(call.outputs, leaves(outputs), strict=True):
            known[id(tensor)] = inside[id(value)]

    def add_node(
        self, call: Call, prefix: str, known: dict[int, Value], training: bool | None = None
    ) -> None:
        """Add a call that stays whole and runs with this flag, and its layer the first time."""
        number = self.index.get(id(call.layer))
        if number is None:
            number = self.index[id(call.layer)] = len(self.layers)
            self.layers.append(call.layer)
            self.paths.append(prefix + self._name(call.layer, prefix))
        node = Node(
            layer=number,
            args=_valued(call.args, known),
            kwargs=_valued(call.kwargs, known) if call.kwargs else {},
            shapes=tuple([self.adapter.shape(tensor) for tensor in call.outputs]),
            dtypes=tuple([self._dtype(call.layer, tensor) for tensor in call.outputs]),
            training=training,
            masked=tuple([self.adapter.is_masked(tensor) for tensor in call.outputs]),
        )
        for position, tensor in enumerate(call.outputs):
            known[id(tensor)] = Value(len(self.nodes), position)
        node = self._with_unnoted_mask(node, call) if self.masks else node
        self.masks = self.masks or any(node.masked)
        self.nodes.append(node)

    def _with_unnoted_mask(self, node: Node, call: Call) -> Node:
        """A call as it runs: Keras does not note the masks with which a model inside is called."""
        reads = any(any(self.nodes[each.node].masked[each.index :][:1]) for each in node.inputs)
        noted = any(map(self.adapter.is_masked, leaves((call.args, call.kwargs))))
        if not reads or noted or any(node.masked) or not self._carries_mask(call.layer):
            return node
        return replace(node, masked=(True, *node.masked[1:]))

    def _carries_mask(self, layer: Any) -> bool:
        """Whether a layer hands a mask on: not if it takes the axis away that is masked."""
        ends = type(layer).__name__.startswith("Global") or not getattr(
            layer, "return_sequences", True
        )
        return bool(getattr(layer, "supports_masking", False)) and not ends

    def _dtype(self, layer: Any, tensor: Any) -> str:
        """The data type of an output; Keras 3.3 lets a layer overwrite that of what it reads."""
        dtype = dtype_name(getattr(tensor, "dtype", ""))
        own = dtype_name(getattr(layer, "compute_dtype", None) or dtype)
        if own == dtype or "float" not in dtype or "float" not in own:
            return dtype
        traits = self.describer.traits(layer)
        plain = traits.kind == "layer" and traits.builtin and not traits.operation
        return own if plain else dtype

    def _name(self, layer: Any, prefix: str) -> str:
        """The layer's name; an operation that tracing made is named by what it does."""
        name = self.adapter.operation(layer) if self.tracing else None
        if name is None:
            return str(layer.name)
        number = self.numbers[prefix + name] = self.numbers.get(prefix + name, -1) + 1
        return f"{name}_{number}" if number else name

    def described(self, model: Any) -> Iterator[Layer]:
        """The layers of ``model`` as plain data."""
        return self.describer.described(model, self.layers, self.paths)


def _differ(one: Sequence[int | None], two: Sequence[int | None]) -> bool:
    """Whether two shapes have a size that both know and that is not the same."""
    sizes = zip(one, two, strict=False)
    return any(None not in (here, there) and here != there for here, there in sizes)


def _is_sequential(model: Any) -> bool:
    return any(base.__name__ == "Sequential" for base in type(model).__mro__)


def _valued(tree: Any, known: dict[int, Value]) -> Any:
    if type(tree) in (list, tuple):
        return type(tree)([known.get(id(item)) or _valued(item, known) for item in tree])
    return map_tree(tree, lambda leaf: known.get(id(leaf), leaf))


def _matched(
    adapter: Adapter, structure: Any, flat: list[Any], given: Any
) -> Iterator[tuple[int, Value]]:
    """Pair a nested model's input tensors with the values it was called with."""
    if isinstance(given, Mapping) and not isinstance(structure, Mapping):
        named = {str(adapter.source(tensor).name): tensor for tensor in flat}
        if set(given) <= set(named):
            return ((id(named[key]), value) for key, value in given.items())
    return zip(map(id, leaves(structure)), leaves(given), strict=True)
