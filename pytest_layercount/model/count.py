"""The numbers of a ModelGraph: its layers, its size and depth, its weights and its work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import Layer, ModelGraph, Shape, once
from pytest_layercount.model.layers.base import Unknown
from pytest_layercount.model.macs import macs

Count = Literal["layers", "nodes", "top"]
COUNTS: tuple[str, ...] = get_args(Count)

# Up to the first number and a letter after it: "block2a" of EfficientNet's "block2a_expand_conv".
_BLOCK = re.compile(r"\D*\d+[a-z]?(?=_|$)")
_NUMBER = re.compile(r"_\d+$")


@dataclass(frozen=True)
class Held:
    """A layer inside one that stays whole: its path, and those of the layers around it.

    ``types`` are its class and those that it derives from.
    """

    path: str
    types: tuple[str, ...]
    within: str


@dataclass(frozen=True)
class LayerCount:
    """How many layers a model has, by the definition named in ``count``.

    ``by_type`` has all of them by class, the largest number first, and also those that
    ``held`` lists: they are inside layers that stay whole, count as those do in ``total``,
    and are judged by type like all others. It sums to ``total`` where nothing is held.
    ``by_base`` counts a layer for its class and for each that it derives from. ``closed``
    are layers that are read without what they are and hold, and whether they have weights.
    ``parameters`` counts scalars, each variable once however often it is used, but
    for those of the layers ``unweighed``, of which a file does not tell how many they have.
    ``depth`` is the number of calls on the longest way from an input to an output;
    ``macs`` are multiply-accumulates for one sample, without those of the layers in
    ``uncounted``, which maps their paths to the reason.
    """

    total: int
    count: Count
    by_type: Mapping[str, int]
    parameters: int
    trainable_parameters: int
    model: str
    keras: str
    depth: int = 0
    weight_bytes: int = 0
    macs: int = 0
    uncounted: Mapping[str, str] = field(default_factory=dict)
    unweighed: tuple[str, ...] = ()
    by_base: Mapping[str, int] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    closed: Mapping[str, bool] = field(default_factory=dict)

    def __int__(self) -> int:
        return self.total

    def number_of(self, type_: str) -> int:
        """How many layers are of a class, or of one that derives from it; held ones too."""
        return self.by_base.get(type_) or self.by_type.get(type_, 0)

    def hidden_from(self, type_: str) -> list[str]:
        """The closed layers that may hold one of ``type_``: a normalization has weights."""
        weighs = type_.endswith("BatchNormalization")
        return [path for path, heavy in self.closed.items() if heavy or not weighs]


@dataclass(frozen=True)
class Share:
    """What some layers have of a model."""

    layers: int = 0
    parameters: int = 0
    weight_bytes: int = 0
    macs: int = 0


@dataclass(frozen=True)
class Metrics:
    """The numbers of a model.

    ``depth`` is the number of calls on the longest way from an input to an output.
    ``macs`` are multiply-accumulates for one sample, without those of the layers in
    ``uncounted``, which maps their paths to the reason. ``by_type`` divides it all by
    layer type. ``by_block`` divides it by nested model, and in a flat model by what
    the names that users gave begin with, up to the first number: ``block_13`` for
    ``block_13_expand``. Layers in no block are under ``""``.
    """

    model: str
    keras: str
    layers: int
    nodes: int
    top: int
    depth: int
    parameters: int
    trainable_parameters: int
    weight_bytes: int
    macs: int
    uncounted: Mapping[str, str]
    by_type: Mapping[str, Share]
    by_block: Mapping[str, Share]


def count_graph(graph: ModelGraph, count: Count = "layers") -> LayerCount:
    """Count ``graph`` by layer objects, by calls or as Keras lists them."""
    if count not in COUNTS:
        raise ValueError(f"count={count!r}: expected one of {', '.join(map(repr, COUNTS))}")
    types = Counter(_types(graph, count))
    counted = _counted(graph, count)
    held = [Held(part.path, _names(part), layer.path) for layer in counted for part in layer.held()]
    bases = Counter(name for layer in counted for name in _names(layer))
    bases.update(name for part in held for name in part.types)
    # model.layers lists no layers inside others.
    every = types + Counter(part.types[0] for part in held if count != "top")
    return LayerCount(
        total=sum(types.values()),
        count=count,
        by_type=dict(sorted(every.items(), key=lambda item: (-item[1], item[0]))),
        **_numbers(graph, *_work(graph)),
        unweighed=tuple(layer.path for layer in graph.layers if not layer.weighed),
        by_base={**types, **bases},
        held=tuple(held),
        closed={
            # What a closed layer inside another weighs is counted with the outer one: it may weigh.
            part.path: part is not layer or bool(layer.parameters) or not layer.weighed
            for layer in graph.layers
            for part in (layer, *layer.held())
            if part.closed
        },
    )


def measure_graph(graph: ModelGraph) -> Metrics:
    """Measure ``graph``, whole and in parts."""
    work, uncounted = _work(graph)
    return Metrics(
        layers=len(_counted(graph, "layers")),
        nodes=len(_counted(graph, "nodes")),
        top=len(graph.top),
        by_type=_shares(graph, work, lambda layer: layer.type),
        by_block=_shares(graph, work, _block),
        **_numbers(graph, work, uncounted),
    )


def require_parameters(measured: LayerCount) -> None:
    """Refuse to judge parameters that are not all known.

    Raises:
        ModelError: the model has layers of which a file does not tell how many they have.
    """
    if measured.unweighed:
        first, *others = measured.unweighed
        more = f" and {len(others)} more" if others else ""
        raise ModelError(
            f"{measured.model!r}: the file does not tell how many parameters {first}{more} has, "
            "a layer of a class of its own: count the model itself, or a file with its weights, "
            "where h5py is installed"
        )


def _types(graph: ModelGraph, count: Count) -> list[str]:
    if count == "top":
        if graph.seen == "traced function":
            raise ModelError(
                f"{graph.name!r} is a traced function, which has no model.layers to count: "
                "count='layers' or 'nodes'"
            )
        return list(graph.top)
    return [layer.type for layer in _counted(graph, count)]


def _counted(graph: ModelGraph, count: Count) -> list[Layer]:
    """The layers that count, once for each call where calls do; models at the top opened."""
    if count == "nodes":
        called = [graph.layer_of(number) for number in range(len(graph.nodes))]
        return [layer for layer in called if layer.kind != "input"]
    skipped = {"operation", "input"} if graph.sequential else {"operation"}
    return [layer for layer in graph.layers if layer.kind not in skipped]


def _names(layer: Layer) -> tuple[str, ...]:
    return (layer.type, *layer.bases)


def _numbers(
    graph: ModelGraph, work: Mapping[int, int], uncounted: Mapping[str, str]
) -> dict[str, Any]:
    """What counting by any definition and measuring say alike, from the ``work`` of each layer."""
    return {
        "model": graph.name,
        "keras": graph.keras,
        "depth": max(_depths(graph), default=0),
        "parameters": sum(layer.parameters for layer in graph.layers),
        "trainable_parameters": sum(layer.trainable_parameters for layer in graph.layers),
        "weight_bytes": sum(layer.weight_bytes for layer in graph.layers),
        "macs": sum(work.values()),
        "uncounted": dict(uncounted),
    }


@once
def _depths(graph: ModelGraph) -> list[int]:
    """The calls on the longest way from an input to each node, itself included."""
    # Nodes stand after what they read, so that one walk is enough.
    deepest: list[int] = []
    for number, node in enumerate(graph.nodes):
        own = int(graph.layer_of(number).kind != "input")
        deepest.append(own + max((deepest[value.node] for value in node.inputs), default=0))
    return deepest


def longest_way(graph: ModelGraph) -> list[Layer]:
    """The layers called on the longest way from an input to an output, in this order."""
    depths = _depths(graph)
    way: list[int] = []
    ends = list(range(len(depths)))
    while ends:
        # Of ways that are equally long the one through the first nodes.
        node = max(ends, key=lambda number: (depths[number], -number))
        way.append(node)
        ends = [value.node for value in graph.nodes[node].inputs]
    layers = [graph.layer_of(number) for number in reversed(way)]
    return [layer for layer in layers if layer.kind != "input"]


@dataclass(frozen=True)
class LayerRow:
    """A layer of a model: its path, its type, the shapes it gives, and what it costs.

    ``shapes`` are those of its first call. ``parameters`` and ``macs`` are None where they
    are not known.
    """

    path: str
    type: str
    shapes: tuple[Shape, ...]
    parameters: int | None
    macs: int | None


def rows(graph: ModelGraph) -> list[LayerRow]:
    """Every layer of ``graph``, in the order in which they are called first."""
    work, uncounted = _work(graph)
    first = {node.layer: node for node in reversed(graph.nodes)}
    order = dict.fromkeys(node.layer for node in graph.nodes)
    return [
        LayerRow(
            path=graph.layers[number].path,
            type=graph.layers[number].type,
            shapes=first[number].shapes,
            parameters=graph.layers[number].parameters if graph.layers[number].weighed else None,
            macs=None if graph.layers[number].path in uncounted else work[number],
        )
        for number in order
    ]


def largest(graph: ModelGraph, attribute: str) -> list[tuple[Layer, int]]:
    """The layers that have any of what ``attribute`` of a LayerCount adds up, the largest first.

    ``attribute`` is ``"parameters"``, ``"trainable_parameters"``, ``"weight_bytes"`` or
    ``"macs"``.
    """
    work, _ = _work(graph)
    shares = [
        (layer, work[number] if attribute == "macs" else getattr(layer, attribute))
        for number, layer in enumerate(graph.layers)
    ]
    return sorted([share for share in shares if share[1]], key=lambda share: -share[1])


@once
def _work(graph: ModelGraph) -> tuple[dict[int, int], dict[str, str]]:
    """The multiply-accumulates of each layer, over all its calls, and whose are not known."""
    work: dict[int, int] = dict.fromkeys(range(len(graph.layers)), 0)
    uncounted = {}
    for node in graph.nodes:
        try:
            work[node.layer] += macs(graph, node)
        except Unknown as unknown:
            uncounted[graph.layers[node.layer].path] = str(unknown)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            uncounted[graph.layers[node.layer].path] = "its configuration is not as expected"
    return work, uncounted


def _shares(
    graph: ModelGraph, work: Mapping[int, int], part: Callable[[Layer], str]
) -> dict[str, Share]:
    shares: dict[str, Share] = {}
    for number, layer in enumerate(graph.layers):
        if layer.kind == "input" and graph.sequential:
            continue
        name = part(layer)
        share = shares.get(name, Share())
        shares[name] = Share(
            layers=share.layers + (layer.kind != "operation"),
            parameters=share.parameters + layer.parameters,
            weight_bytes=share.weight_bytes + layer.weight_bytes,
            macs=share.macs + work[number],
        )
    return shares


def _block(layer: Layer) -> str:
    # "block_13_expand" is of block_13; a name that Keras made ("conv2d_3" of a Conv2D) says
    # nothing.
    models, _, name = layer.path.rpartition("/")
    if models:
        return models.partition("/")[0]
    base = _NUMBER.sub("", name).replace("_", "")
    if layer.operation is not None or layer.kind == "input" or base == layer.type.lower():
        return ""
    match = _BLOCK.match(name)
    return match[0] if match else ""
