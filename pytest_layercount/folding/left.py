"""Batch normalizations that no rule was asked about: of a class of their own, or inside a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_layercount.folding import reasons
from pytest_layercount.folding.result import Refusal
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.model.graph import Layer, ModelGraph

_TYPE = "BatchNormalization"


def left_inside(graph: ModelGraph, refused: Mapping[str, Refusal]) -> Iterator[Refusal]:
    """The batch normalizations that stay in ``graph`` besides those at the paths ``refused``.

    One in a wrapper that is a map itself stays for the reason that the wrapper does.
    """
    for layer in graph.layers:
        if layer.is_a(_TYPE) and layer.path not in refused and rule_for(layer) is None:
            yield _refusal(layer, "own-class", layer.path)
        for held in layer.held():
            if held.is_a(_TYPE):
                said = refused.get(layer.path)
                if said is None:
                    yield _refusal(held, "inside-layer", layer.path)
                else:
                    yield Refusal(held.path, held.type, said.reason, said.blocker, said.message)


def _refusal(layer: Layer, reason: str, blocker: str) -> Refusal:
    return Refusal(layer.path, layer.type, reason, blocker, reasons.sentence(reason, blocker))
