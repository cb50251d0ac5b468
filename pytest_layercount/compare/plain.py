"""A model's plain form, ready to be aligned."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_layercount.compare.absorb import absorb, merge_linear
from pytest_layercount.compare.diff import View
from pytest_layercount.compare.form import Form, Item
from pytest_layercount.compare.rewrites import AFTER, BEFORE, gather_hard_activations
from pytest_layercount.compare.source import Source
from pytest_layercount.compare.vocabulary import COMMUTATIVE, configuration, kind, strict
from pytest_layercount.model.graph import Layer, ModelGraph, Value


@dataclass(frozen=True)
class Plain:
    """The steps of a model in its plain form, by their place in the order of walking."""

    graph: ModelGraph
    items: tuple[Item, ...]
    configs: tuple[dict[str, Any], ...]
    view: View
    counts_operations: bool
    spelled: bool = False

    @cached_property
    def readers(self) -> list[list[int]]:
        """For each step, those that read it."""
        return [[reader for reader, _ in found] for found in self.view.readers()]

    @cached_property
    def steps(self) -> dict[int, int]:
        """For each node of the model, the step that it went into."""
        return {node: step for step, item in enumerate(self.items) for node in item.nodes}

    @property
    def gathered(self) -> bool:
        """Whether activations that were written out have been gathered into one step."""
        return any(len(item.units) > 1 for item in self.items)

    def layer(self, node: int) -> Layer:
        """The layer that a node of the model calls."""
        return self.graph.layer_of(node)

    def path(self, step: int) -> str:
        """Where in the model a step is, or the layer that it is a part of."""
        nodes = self.items[step].nodes
        return self.layer(nodes[0]).path if nodes else self.owner(step).path

    def owner(self, step: int) -> Layer:
        """The layer that a step is a part of."""
        return self.graph.layers[self.items[step].call.layer]


@dataclass(frozen=True)
class Way:
    """How a model is brought into its plain form.

    Without ``gather``, activations written out as arithmetic stay so: folding may
    have taken a part of one of them away. With ``unshare`` every call of a layer has a
    layer of its own, as folding may have given it, and with ``merge`` linear layers in a row or
    side by side are one. ``whole`` and ``spelled`` are those of
    :func:`.vocabulary.configuration`.
    """

    gather: bool = True
    unshare: bool = False
    merge: bool = False
    whole: bool = True
    spelled: bool = False


def plain(source: Source, way: Way) -> Plain:
    """The plain form of a model."""
    form = Form(source.graph)
    if way.unshare:
        form.unshare()
    for rewrite in BEFORE:
        if way.gather or rewrite is not gather_hard_activations:
            rewrite(form)
    absorb(form, source.book)
    # Merged after all else that folds, so that each is explained by itself.
    if way.merge:
        merge_linear(form, source.book)
    for rewrite in AFTER:
        rewrite(form)
    return _viewed(form, way)


def _viewed(form: Form, way: Way) -> Plain:
    order = form.order()
    places = {number: place for place, number in enumerate(order)}

    def moved(value: Value) -> tuple[int, int]:
        return places[value.node], value.index

    items = tuple(form.items[number] for number in order)
    configs = tuple(configuration(one, whole=way.whole, spelled=way.spelled) for one in items)
    loose: tuple[Hashable, ...] = tuple(map(kind, items))
    view = View(
        strict=tuple(map(strict, items, configs)),
        loose=loose,
        reads=tuple(tuple(map(moved, form.inputs(number))) for number in order),
        commutes=tuple(name in COMMUTATIVE for name in loose),
        outputs=tuple(map(moved, form.outputs)),
        entries=tuple(places[number] for number in form.entries),
    )
    return Plain(form.graph, items, configs, view, form.counts_operations, way.spelled)
