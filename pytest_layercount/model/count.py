"""Counting views over a ModelGraph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import Layer, ModelGraph
from pytest_layercount.model.work import depth, work

Count = Literal["layers", "nodes", "top"]
COUNTS: tuple[str, ...] = get_args(Count)


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


def count_graph(graph: ModelGraph, count: Count = "layers") -> LayerCount:
    """Count ``graph`` by layer objects, by calls or as Keras lists them."""
    if count not in COUNTS:
        raise ValueError(f"count={count!r}: expected one of {', '.join(map(repr, COUNTS))}")
    types = Counter(_types(graph, count))
    macs, uncounted = work(graph)
    counted = _counted(graph, count)
    held = [Held(one.path, _names(one), layer.path) for layer in counted for one in layer.held()]
    bases = Counter(name for layer in counted for name in _names(layer))
    bases.update(name for one in held for name in one.types)
    every = types + Counter(one.types[0] for one in held if count != "top")
    return LayerCount(
        total=sum(types.values()),
        count=count,
        by_type=dict(sorted(every.items(), key=lambda item: (-item[1], item[0]))),
        parameters=sum(layer.parameters for layer in graph.layers),
        trainable_parameters=sum(layer.trainable_parameters for layer in graph.layers),
        model=graph.name,
        keras=graph.keras,
        depth=depth(graph),
        weight_bytes=sum(layer.weight_bytes for layer in graph.layers),
        macs=sum(macs.values()),
        uncounted=uncounted,
        unweighed=tuple(layer.path for layer in graph.layers if not layer.weighed),
        by_base={**types, **bases},
        held=tuple(held),
        closed={
            one.path: one is not layer or bool(layer.parameters) or not layer.weighed
            for layer in graph.layers
            for one in (layer, *layer.held())
            if one.closed
        },
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
