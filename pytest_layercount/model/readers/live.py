"""Open a live Keras model: nested models replaced by the layers inside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import ModelGraph, Shape, leaves
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.adapter import Adapter, Call, Unseen, keras_label, wraps_call
from pytest_layercount.model.keras.common import dtype_name, is_composite, leaving_no_trace
from pytest_layercount.model.readers.builder import GraphBuilder, Inner
from pytest_layercount.model.readers.describe import Describer
from pytest_layercount.model.readers.symbolic import trace, trace_root

Inside = Callable[[str], bool]
"""Whether to open the composite layer with this path."""


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
        Unseen: a subclassed model whose call cannot be followed.
        ModelError: a Sequential without an input shape.
    """
    adapter = adapter_for(model)
    subclassed = adapter.functional(model) is None
    closed: set[int] = set()
    with leaving_no_trace(model):
        # Until no layer that was opened turns out closed; ``closed`` only grows, so it ends.
        while True:
            source = LiveSource(adapter, subclassed, inside or _nowhere, closed)
            builder = GraphBuilder(source)
            inputs, outputs = builder.add_graph(_graph_of(adapter, model), followed=subclassed)
            if not closed & source.opened.keys():
                break  # else a layer was opened at one call, and could not be at another
    graph = ModelGraph(
        name=str(model.name),
        keras=keras_label(model),
        layers=tuple(source.describer.described(model, builder.layers, builder.paths)),
        nodes=tuple(builder.nodes),
        inputs=inputs,
        outputs=outputs,
        top=tuple(type(layer).__name__ for layer in model.layers),
        sequential=_is_sequential(model),
    )
    opened = tuple(source.opened.values())
    trained = frozenset(builder.trained)
    return OpenModel(graph, tuple(builder.layers), model, opened, trained=trained)


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
        raise Unseen(
            f"{type(model).__name__} {model.name!r} is a subclassed model whose graph cannot "
            f"be seen: {unseen}"
        ) from unseen


@dataclass
class LiveSource:
    """How a live model answers what the builder asks.

    ``wanted`` says by its path whether to open a composite layer, ``opened`` has those that
    were, and ``closed`` those that cannot be, all by their ids. In a ``subclassed`` model all
    are opened that can be.
    """

    adapter: Adapter
    subclassed: bool = False
    wanted: Inside = _nowhere
    closed: set[int] = field(default_factory=set)
    opened: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.describer = Describer(self.adapter)

    def calls(self, graph: Any) -> Iterator[Call]:
        return self.adapter.calls(graph)

    def ends(self, graph: Any) -> tuple[Any, Any, list[Any]]:
        return self.adapter.ends(graph)

    def operation(self, layer: Any) -> str | None:
        return self.adapter.operation(layer)

    def shape(self, tensor: Any) -> Shape:
        return self.adapter.shape(tensor)

    def is_masked(self, leaf: Any) -> bool:
        return self.adapter.is_masked(leaf)

    def entry_name(self, tensor: Any) -> str:
        return str(self.adapter.source(tensor).name)

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        return self.adapter.training(outer, own)

    def inside(
        self, call: Call, path: str, training: bool | None, reads_mask: Callable[[], bool]
    ) -> Inner | None:
        layer = call.layer
        # What its __call__ adds would be lost if call() alone were shown.
        if wraps_call(layer):
            return None
        if self.describer.traits(layer).model:
            functional = self.adapter.functional(layer)
            if functional is not None and self._fits(call, functional):
                return Inner(functional, call.first)
        elif not is_composite(layer):
            return None
        try:
            # Models, and all layers of a subclassed model, are opened as far as their call() can be
            # followed once; layers that Keras counts as one only if it does the same every time.
            if self.subclassed or self.describer.traits(layer).model:
                traced = trace(self.adapter, layer, call.args, call.kwargs, training=training)
            else:
                traced = self._followed(call, path.removesuffix("/"), training, reads_mask)
        except Unseen:
            return None
        return Inner(traced, self._tensors(call), followed=True)

    def _fits(self, call: Call, functional: Any) -> bool:
        """Whether a model inside is called on sizes like those that its graph was made with."""
        made = [self.adapter.shape(tensor) for tensor in self.adapter.ends(functional)[2]]
        read = [self.adapter.shape(tensor) for tensor in self._tensors(call)]
        # A shape that is not known, or a size, fits any.
        pairs = zip(made, read, strict=False)
        return not any(ours and theirs and _differ(ours, theirs) for ours, theirs in pairs)

    def _followed(
        self, call: Call, path: str, training: bool | None, reads_mask: Callable[[], bool]
    ) -> Any:
        """What is inside a composite layer that Keras counts as one."""
        from pytest_layercount.model.readers.composite import followed  # needs NumPy

        # A layer that is called twice is opened at both calls or at none, and under one path.
        number = id(call.layer)
        path = self.opened.get(number, path)
        if number in self.closed or not self.wanted(path):
            raise Unseen("it stays whole")
        try:
            traced = followed(self.adapter, call, training, reads_mask())
        except Unseen:
            self.closed.add(number)
            raise
        self.opened[number] = path
        return traced

    def _tensors(self, call: Call) -> list[Any]:
        """The tensors that a call takes, in the order of its arguments."""
        return list(filter(self.adapter.is_tensor, leaves((call.args, *call.kwargs.values()))))

    def hands_mask_on(self, layer: Any) -> bool:
        # Not if it takes the axis away that is masked.
        ends = type(layer).__name__.startswith("Global") or not getattr(
            layer, "return_sequences", True
        )
        return bool(getattr(layer, "supports_masking", False)) and not ends

    def dtype(self, layer: Any, tensor: Any) -> str:
        # Keras 3.3 lets a layer overwrite the type of what it reads.
        dtype = dtype_name(getattr(tensor, "dtype", ""))
        own = dtype_name(getattr(layer, "compute_dtype", None) or dtype)
        if own == dtype or "float" not in dtype or "float" not in own:
            return dtype
        traits = self.describer.traits(layer)
        plain = traits.kind == "layer" and traits.builtin and not traits.operation
        return own if plain else dtype


def _differ(shape: Sequence[int | None], other: Sequence[int | None]) -> bool:
    """Whether two shapes have a size that both know and that is not the same."""
    sizes = zip(shape, other, strict=False)
    return any(None not in (here, there) and here != there for here, there in sizes)


def _is_sequential(model: Any) -> bool:
    return any(base.__name__ == "Sequential" for base in type(model).__mro__)
