"""A model's plain form, ready to be aligned."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_layercount.compare.absorb import absorb
from pytest_layercount.compare.diff import View
from pytest_layercount.compare.form import Form, Item
from pytest_layercount.compare.rewrites import AFTER, BEFORE, gather_hard_activations
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
        """Where in the model a step is; empty if no layer of the model stands there."""
        nodes = self.items[step].nodes
        return self.layer(nodes[0]).path if nodes else ""


def plain(graph: ModelGraph, *, gather: bool = True) -> Plain:
    """The plain form of ``graph``.

    Without ``gather``, activations written out as arithmetic stay so: folding may
    have taken a part of one of them away.
    """
    form = Form(graph)
    for rewrite in BEFORE:
        if gather or rewrite is not gather_hard_activations:
            rewrite(form)
    absorb(form)
    for rewrite in AFTER:
        rewrite(form)
    return _viewed(form)


def _viewed(form: Form) -> Plain:
    order = form.order()
    places = {number: place for place, number in enumerate(order)}

    def moved(value: Value) -> tuple[int, int]:
        return places[value.node], value.index

    items = tuple(form.items[number] for number in order)
    configs = tuple(map(configuration, items))
    loose: tuple[Hashable, ...] = tuple(map(kind, items))
    view = View(
        strict=tuple(map(strict, items, configs)),
        loose=loose,
        reads=tuple(tuple(map(moved, form.inputs(number))) for number in order),
        commutes=tuple(name in COMMUTATIVE for name in loose),
        outputs=tuple(map(moved, form.outputs)),
        entries=tuple(places[number] for number in form.entries),
    )
    return Plain(form.graph, items, configs, view, form.counts_operations)
