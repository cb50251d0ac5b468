"""Counting views over a ModelGraph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.work import depth, work

Count = Literal["layers", "nodes", "top"]
COUNTS: tuple[str, ...] = get_args(Count)


@dataclass(frozen=True)
class LayerCount:
    """How many layers a model has, by the definition named in ``count``.

    ``by_type`` sums to ``total`` and is sorted by number, largest first.
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

    def __int__(self) -> int:
        return self.total


def count_graph(graph: ModelGraph, count: Count = "layers") -> LayerCount:
    """Count ``graph`` by layer objects, by calls or as Keras lists them."""
    if count not in COUNTS:
        raise ValueError(f"count={count!r}: expected one of {', '.join(map(repr, COUNTS))}")
    types = Counter(_types(graph, count))
    macs, uncounted = work(graph)
    return LayerCount(
        total=sum(types.values()),
        count=count,
        by_type=dict(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
        parameters=sum(layer.parameters for layer in graph.layers),
        trainable_parameters=sum(layer.trainable_parameters for layer in graph.layers),
        model=graph.name,
        keras=graph.keras,
        depth=depth(graph),
        weight_bytes=sum(layer.weight_bytes for layer in graph.layers),
        macs=sum(macs.values()),
        uncounted=uncounted,
        unweighed=tuple(layer.path for layer in graph.layers if not layer.weighed),
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
    if count == "nodes":
        called = [graph.layer_of(number) for number in range(len(graph.nodes))]
        return [layer.type for layer in called if layer.kind != "input"]
    skipped = {"operation", "input"} if graph.sequential else {"operation"}
    return [layer.type for layer in graph.layers if layer.kind not in skipped]
