"""What a model costs: its size and depth, its weights and its work, whole and in parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import Layer, ModelGraph
from pytest_layercount.model.work import depth, work

_BLOCK = re.compile(r"\D*\d+[a-z]?(?=_|$)")
_NUMBER = re.compile(r"_\d+$")


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


def measure_graph(graph: ModelGraph) -> Metrics:
    """Measure ``graph``."""
    counted = count_graph(graph)
    each, uncounted = work(graph)
    return Metrics(
        model=graph.name,
        keras=graph.keras,
        layers=counted.total,
        nodes=count_graph(graph, "nodes").total,
        top=len(graph.top),
        depth=depth(graph),
        parameters=counted.parameters,
        trainable_parameters=counted.trainable_parameters,
        weight_bytes=sum(layer.weight_bytes for layer in graph.layers),
        macs=sum(each.values()),
        uncounted=uncounted,
        by_type=_shares(graph, each, lambda layer: layer.type),
        by_block=_shares(graph, each, _block),
    )


def _shares(
    graph: ModelGraph, macs: Mapping[int, int], part: Callable[[Layer], str]
) -> dict[str, Share]:
    found: dict[str, Share] = {}
    for number, layer in enumerate(graph.layers):
        if layer.kind == "input" and graph.sequential:
            continue
        name = part(layer)
        share = found.get(name, Share())
        found[name] = Share(
            layers=share.layers + (layer.kind != "operation"),
            parameters=share.parameters + layer.parameters,
            weight_bytes=share.weight_bytes + layer.weight_bytes,
            macs=share.macs + macs[number],
        )
    return found


def _block(layer: Layer) -> str:
    models, _, name = layer.path.rpartition("/")
    if models:
        return models.partition("/")[0]
    base = _NUMBER.sub("", name).replace("_", "")
    if layer.operation is not None or layer.kind == "input" or base == layer.type.lower():
        return ""
    match = _BLOCK.match(name)
    return match[0] if match else ""
