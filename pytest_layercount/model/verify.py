"""What every :class:`~pytest_layercount.model.graph.ModelGraph` keeps, as code that checks it.

Readers, passes and rewrites rely on it, and the tests run it on each graph that any of
these makes. It costs a visit of every node, so nothing else runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from pytest_layercount.model.graph import (
    Kind,
    Layer,
    ModelGraph,
    Node,
    Value,
    needed,
    values_in,
)


def verify(graph: ModelGraph) -> None:
    """Check ``graph``.

    Raises:
        ValueError: it breaks a rule; the text says each one, and where.
    """
    broken = [*_layers(graph), *_nodes(graph)]
    broken = broken or [*_ends(graph)]  # which asks for the layers of the nodes
    if broken:
        raise ValueError(f"the graph of {graph.name!r} is broken: " + "; ".join(broken))


def _layers(graph: ModelGraph) -> Iterator[str]:
    paths: set[str] = set()
    for number, layer in enumerate(graph.layers):
        if layer.path in paths:
            yield f"two layers have the path {layer.path!r}"
        paths.add(layer.path)
        if number not in graph.calls:
            yield f"nothing calls {layer.path!r}"
        yield from _layer(layer)


def _layer(layer: Layer) -> Iterator[str]:
    if layer.kind not in get_args(Kind):
        yield f"{layer.path!r} is of no known kind: {layer.kind!r}"
    if layer.kind == "operation" and layer.operation is None:
        yield f"the operation {layer.path!r} has no name"
    if not 0 <= layer.trainable_parameters <= layer.parameters:
        yield f"{layer.path!r} trains {layer.trainable_parameters} of {layer.parameters} scalars"


def _nodes(graph: ModelGraph) -> Iterator[str]:
    for number, node in enumerate(graph.nodes):
        if not 0 <= node.layer < len(graph.layers):
            yield f"node {number} calls layer {node.layer} of {len(graph.layers)}"
            continue
        where = f"node {number} ({graph.layer_of(number).path})"
        yield from (f"{where} {what}" for what in _node(graph, number, node))


def _node(graph: ModelGraph, number: int, node: Node) -> Iterator[str]:
    for value in node.inputs:
        if value.node >= number:  # what is computed later cannot be read yet
            yield f"reads node {value.node}, which comes no earlier"
        elif not _exists(graph, value):
            yield f"reads output {value.index} of node {value.node}, which there is not"
    if graph.layer_of(number).kind == "input" and node.inputs:
        yield "is an input of the model, and reads something"
    for what, several in (("types", node.dtypes), ("masks", node.masked)):
        if several and len(several) != len(node.shapes):  # none where they are not known
            yield f"has {len(node.shapes)} outputs and {len(several)} {what}"


def _ends(graph: ModelGraph) -> Iterator[str]:
    entries, ends = list(values_in(graph.inputs)), list(values_in(graph.outputs))
    for what, values in (("takes", entries), ("returns", ends)):
        for value in values:
            if not 0 <= value.node < len(graph.nodes) or not _exists(graph, value):
                yield f"the model {what} output {value.index} of node {value.node}: there is none"
    for value in entries:
        if value.node < len(graph.nodes) and graph.nodes[value.node].inputs:
            yield f"the model takes node {value.node}, which reads something"
    if not ends:
        yield "the model returns nothing"
    # What is computed comes from the model's own inputs, and from no others.
    reached = needed(
        [value.node for value in ends if 0 <= value.node < len(graph.nodes)],
        lambda node: [value.node for value in graph.nodes[node].inputs if value.node < node],
    )
    given = {value.node for value in entries}
    for node in reached:
        if graph.layer_of(node).kind == "input" and node not in given:
            yield f"node {node} is an input that the model does not take"


def _exists(graph: ModelGraph, value: Value) -> bool:
    return 0 <= value.index < max(len(graph.nodes[value.node].shapes), 1)
