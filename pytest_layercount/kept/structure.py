"""A model's structure as a record has it: the same for the same model whatever Keras it is of.

Layers stand in the order in which :class:`.form.Form` walks them, not in that of their
construction, under names of :mod:`pytest_layercount.model.names`; names are stored beside
the structure and never compared.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_layercount.compare.form import Form
from pytest_layercount.kept.lines import lines
from pytest_layercount.kept.parse import parse
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.names import model_name, stable_paths


def canonical(graph: ModelGraph) -> tuple[ModelGraph, list[int]]:
    """``graph`` as a record has it, and where each layer stood before."""
    ordered, callers = Form(graph).as_graph()
    before = [graph.nodes[numbers[0]].layer for numbers in callers]
    layers = tuple(
        replace(layer, path=graph.layers[number].path)
        for layer, number in zip(ordered.layers, before, strict=True)
    )
    named = stable_paths(replace(ordered, layers=layers))
    layers = tuple(replace(layer, path=named[layer.path]) for layer in layers)
    # Read back from its lines, or it would differ from its own record.
    whole = all(layer.settings is not None for layer in layers)
    written = lines(replace(ordered, layers=layers), recorded=True)
    read = parse(graph.keras, graph.sequential, graph.seen, written, 1, whole=whole)
    return replace(read, name=model_name(graph), top=tuple(sorted(graph.top))), before
