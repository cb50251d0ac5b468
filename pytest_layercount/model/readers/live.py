"""Open a live Keras model: nested models replaced by the layers inside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.attributes import INNER, attributes_of
from pytest_layercount.model.graph import Kind, Layer, ModelGraph, Node, Value, map_tree
from pytest_layercount.model.readers.dialect import Call, Dialect, keras_label
from pytest_layercount.model.readers.dialects import dialect_of
from pytest_layercount.model.readers.dtypes import item_size
from pytest_layercount.model.readers.trace import (
    Unseen,
    composite,
    leaving_no_trace,
    trace,
    trace_root,
)


class Untraceable(ModelError):
    """A subclassed model whose call cannot be followed on symbolic inputs."""


@dataclass(frozen=True)
class OpenModel:
    """A graph and the live layer behind each of ``graph.layers``."""

    graph: ModelGraph
    layers: tuple[Any, ...]
    model: Any


def open_model(model: Any) -> OpenModel:
    """Read a live model.

    A subclassed model is called on symbolic inputs, and so are the subclassed
    models in it; layers of the user's own stay whole in a functional model and
    are opened in a subclassed one, which has no list of layers to agree with.

    Raises:
        ModelError: a subclassed model whose call cannot be followed, or a
            Sequential without an input shape.
    """
    dialect = dialect_of(model)
    subclassed = dialect.functional(model) is None
    opening = Opening(dialect, subclassed=subclassed, tracing=int(subclassed))
    with leaving_no_trace(model):
        inputs, outputs = opening.root(_graph_of(dialect, model))
    graph = ModelGraph(
        name=str(model.name),
        keras=keras_label(model),
        layers=tuple(opening.described()),
        nodes=tuple(opening.nodes),
        inputs=inputs,
        outputs=outputs,
        top=tuple(type(layer).__name__ for layer in model.layers),
        sequential=_is_sequential(model),
    )
    return OpenModel(graph, tuple(opening.layers), model)


def _graph_of(dialect: Dialect, model: Any) -> Any:
    functional = dialect.functional(model)
    if functional is not None:
        return functional
    if _is_sequential(model) and not model.built:
        raise ModelError(
            f"the Sequential model {model.name!r} has no input shape yet, so its graph is "
            "unknown: begin it with an Input or call model.build(input_shape) first"
        )
    try:
        return trace_root(dialect, model)
    except Unseen as unseen:
        raise Untraceable(
            f"{type(model).__name__} {model.name!r} is a subclassed model whose graph cannot "
            f"be seen: {unseen}"
        ) from unseen


@dataclass
class Opening:
    """The graph so far. ``known`` maps a symbolic tensor's id to its value.

    ``traced`` keeps the graphs of subclassed models alive: ids are only unique
    among objects that live.
    """

    dialect: Dialect
    layers: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    index: dict[int, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    traced: list[Any] = field(default_factory=list)
    subclassed: bool = False
    tracing: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    def root(self, functional: Any) -> tuple[Any, Any]:
        self.traced.append(functional)
        inputs, outputs, flat = self.dialect.ends(functional)
        known: dict[int, Value] = {}
        for call in self.dialect.calls(functional):
            if call.outputs and any(call.outputs[0] is tensor for tensor in flat):
                self.add_node(call, "", known, None)
        self._walk(functional, "", known, None)
        return _valued(inputs, known), _valued(outputs, known)

    def _walk(
        self, functional: Any, prefix: str, known: dict[int, Value], training: bool | None
    ) -> None:
        for call in self.dialect.calls(functional):
            if all(id(tensor) in known for tensor in call.outputs):
                continue  # an input, fed by whoever opened this model
            inner, given, traced = self._inside(call)
            if inner is None:
                self.add_node(call, prefix, known, training)
                continue
            flag = self.dialect.training(training, call.training)
            path = f"{prefix}{call.layer.name}/"
            self.tracing += traced
            self._open_nested(call, inner, given, path, known, flag)
            self.tracing -= traced

    def _inside(self, call: Call) -> tuple[Any, Any, bool]:
        """The graph inside a call (None if it stays whole), what feeds it, if it was traced."""
        layer = call.layer
        if is_model(layer):
            functional = self.dialect.functional(layer)
            if functional is not None:
                first = call.args[0] if call.args else next(iter(call.kwargs.values()))
                return functional, first, False
        elif not (self.subclassed and composite(layer)):
            return None, None, False
        try:
            traced = trace(self.dialect, layer, call.args, call.kwargs)
        except Unseen:
            return None, None, False
        self.traced.append(traced)
        given: list[Any] = []
        map_tree((call.args, call.kwargs), given.append)
        return traced, [leaf for leaf in given if self.dialect.is_tensor(leaf)], True

    def _open_nested(
        self,
        call: Call,
        inner: Any,
        given: Any,
        path: str,
        known: dict[int, Value],
        training: bool | None,
    ) -> None:
        structure, outputs, flat = self.dialect.ends(inner)
        inside = dict(_matched(structure, flat, _valued(given, known)))
        self._walk(inner, path, inside, training)
        for tensor, value in zip(call.outputs, _leaves(outputs), strict=True):
            known[id(tensor)] = inside[id(value)]

    def add_node(
        self, call: Call, prefix: str, known: dict[int, Value], training: bool | None = None
    ) -> None:
        """Add a call that stays whole, and its layer the first time."""
        number = self.index.get(id(call.layer))
        if number is None:
            number = self.index[id(call.layer)] = len(self.layers)
            self.layers.append(call.layer)
            self.paths.append(prefix + self._name(call.layer, prefix))
        node = Node(
            layer=number,
            args=_valued(call.args, known),
            kwargs=_valued(call.kwargs, known),
            shapes=tuple(map(self.dialect.shape, call.outputs)),
            dtypes=tuple(self._dtype(call.layer, tensor) for tensor in call.outputs),
            training=self.dialect.training(training, call.training),
            masked=tuple(map(_is_masked, call.outputs)),
        )
        for position, tensor in enumerate(call.outputs):
            known[id(tensor)] = Value(len(self.nodes), position)
        self.nodes.append(node)

    def _dtype(self, layer: Any, tensor: Any) -> str:
        """The data type of an output; Keras 3.3 lets a layer overwrite that of what it reads."""
        dtype = _dtype_name(getattr(tensor, "dtype", ""))
        own = _dtype_name(getattr(layer, "compute_dtype", None) or dtype)
        keeps = self._kind(layer) == "input" or not is_built_in(type(layer))
        return dtype if keeps or "float" not in dtype or "float" not in own else own

    def _name(self, layer: Any, prefix: str) -> str:
        """The layer's name; an operation that tracing made is named by what it does."""
        name = self.dialect.operation(layer)
        if name is None or not self.tracing:
            return str(layer.name)
        number = self.numbers[prefix + name] = self.numbers.get(prefix + name, -1) + 1
        return f"{name}_{number}" if number else name

    def described(self) -> Iterator[Layer]:
        """The layers as plain data, each variable's size counted once."""
        owners: dict[int, int] = {}
        variables = [_variables(layer) for layer in self.layers]
        for own in variables:
            for variable in own:
                owners[id(variable)] = owners.get(id(variable), 0) + 1
        counted: set[int] = set()
        for layer, path, own in zip(self.layers, self.paths, variables, strict=True):
            tied = any(owners[id(variable)] > 1 for variable in own)
            fresh = [variable for variable in own if id(variable) not in counted]
            counted.update(map(id, fresh))
            yield self._describe(layer, path, fresh, tied)

    def _describe(self, layer: Any, path: str, own: list[Any], tied: bool) -> Layer:
        cls = type(layer)
        builtin = is_built_in(cls)
        config = attributes_of(layer) if builtin else {}
        for name in INNER.get(cls.__name__, ()) if builtin else ():
            inner = getattr(layer, name)
            config[name] = self._describe(inner, f"{path}/{inner.name}", [], tied)
        trainable = {id(variable) for variable in getattr(layer, "trainable_weights", ())}
        return Layer(
            path=path,
            type=cls.__name__,
            kind=self._kind(layer),
            builtin=builtin,
            config=config,
            operation=self.dialect.operation(layer),
            sealed=_seal(layer) or ("tied" if tied else None),
            parameters=sum(map(_size, own)),
            trainable_parameters=sum(_size(v) for v in own if id(v) in trainable),
            stored_bytes=sum(_size(v) * item_size(_dtype_name(v.dtype)) for v in own) or None,
        )

    def _kind(self, layer: Any) -> Kind:
        if type(layer).__name__ == "InputLayer":
            return "input"
        return "layer" if self.dialect.counted(layer) else "operation"


def is_built_in(cls: type) -> bool:
    """Whether a class is Keras's own."""
    return cls.__module__.partition(".")[0] in ("keras", "tf_keras")


def is_model(layer: Any) -> bool:
    """Whether a layer is a model."""
    return any(base.__name__ == "Model" for base in type(layer).__mro__)


def _is_sequential(model: Any) -> bool:
    return any(base.__name__ == "Sequential" for base in type(model).__mro__)


def _variables(layer: Any) -> list[Any]:
    unique = {id(variable): variable for variable in getattr(layer, "weights", ())}
    return list(unique.values())


def _size(variable: Any) -> int:
    size = 1
    for dimension in variable.shape:
        size *= int(dimension)
    return size


def _dtype_name(dtype: Any) -> str:
    return str(getattr(dtype, "name", dtype))


def _is_masked(tensor: Any) -> bool:
    return getattr(tensor, "_keras_mask", None) is not None


def _seal(layer: Any) -> str | None:
    """Why the weights must stay, for the layer or for any part of it."""
    parts = layer._flatten_layers() if hasattr(layer, "_flatten_layers") else [layer]
    return next(filter(None, map(_own_seal, parts)), None)


def _own_seal(layer: Any) -> str | None:
    policy = str(getattr(getattr(layer, "dtype_policy", None), "name", ""))
    if getattr(layer, "quantization_mode", None) or "int8" in policy or "float8" in policy:
        return "quantized"
    return "lora" if getattr(layer, "lora_enabled", False) else None


def _valued(tree: Any, known: dict[int, Value]) -> Any:
    return map_tree(tree, lambda leaf: known.get(id(leaf), leaf))


def _leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    if isinstance(tree, Mapping):
        for key in sorted(tree, key=str):
            found += _leaves(tree[key])
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            found += _leaves(item)
    else:
        found.append(tree)
    return found


def _matched(structure: Any, flat: list[Any], given: Any) -> Iterator[tuple[int, Value]]:
    """Pair a nested model's input tensors with the values it was called with."""
    if isinstance(given, Mapping) and not isinstance(structure, Mapping):
        named = {tensor_name(tensor): tensor for tensor in flat}
        if set(given) <= set(named):
            return ((id(named[key]), value) for key, value in given.items())
    return zip(map(id, _leaves(structure)), _leaves(given), strict=True)


def tensor_name(tensor: Any) -> str:
    """The name of the InputLayer behind an input tensor."""
    layer = getattr(tensor._keras_history, "operation", None) or tensor._keras_history[0]
    return str(layer.name)
