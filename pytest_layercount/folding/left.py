"""Batch normalizations that no rule was asked about: of a class of their own, or inside a layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pytest_layercount.folding import reasons
from pytest_layercount.folding.result import Refusal
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.model.graph import Layer, ModelGraph


def left_inside(graph: ModelGraph, refused: Collection[str]) -> Iterator[Refusal]:
    """The batch normalizations that stay in ``graph`` besides those at the paths ``refused``.

    A wrapper that is refused is so for what it wraps: that is said once, of the wrapper.
    """
    for layer in graph.layers:
        if layer.path in refused:
            continue
        if _is_batch_norm(layer) and rule_for(layer) is None:
            yield _refusal(layer, "own-class", layer.path)
        for held in filter(_is_batch_norm, layer.held()):
            yield _refusal(held, "inside-layer", layer.path)


def _is_batch_norm(layer: Layer) -> bool:
    return layer.is_a("BatchNormalization")


def _refusal(layer: Layer, reason: str, blocker: str) -> Refusal:
    return Refusal(layer.path, layer.type, reason, blocker, reasons.sentence(reason, blocker))
