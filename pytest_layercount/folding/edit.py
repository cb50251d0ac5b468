"""A ModelGraph while layers are being folded: what rules may see, and what must stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_layercount.folding.integers import integers
from pytest_layercount.folding.rule import Rule, Site
from pytest_layercount.folding.rules import OURS, RuleBook
from pytest_layercount.model.edit import GraphEdit
from pytest_layercount.model.graph import Layer, ModelGraph


class FoldEdit(GraphEdit):
    """A graph under edit, as folding sees it.

    ``sealed`` maps the numbers of layers that must keep their weights to the reason why;
    ``rules`` has the rule for each layer, None where nothing is known about it.
    """

    def __init__(
        self, graph: ModelGraph, sealed: Mapping[int, str] | None = None, book: RuleBook = OURS
    ) -> None:
        super().__init__(graph)
        self.sealed: Mapping[int, str] = sealed or {}
        self.book = book
        self.rules = [book.rule_for(layer, number) for number, layer in enumerate(graph.layers)]
        self.integers = integers(graph, self.rules)

    def rule(self, node: int) -> Rule | None:
        """The rule for the layer that ``node`` calls."""
        return self.rules[self.graph.nodes[node].layer]

    def unknown(self, node: int) -> Layer:
        """The layer for which there is no rule: the one that ``node`` calls, or one inside it."""
        number = self.graph.nodes[node].layer
        return self.book.without_rule(self.layers[number], number)

    def seal(self, node: int) -> str | None:
        """Why the layer that ``node`` calls must keep its weights, None if it need not."""
        return self.layer(node).sealed or self.sealed.get(self.graph.nodes[node].layer)

    def change(self, number: int, changes: Mapping[str, Any], gained: int = 0) -> None:
        """Give a layer other settings, and so many more parameters, which train if it does."""
        layer = self.layers[number]
        trained = layer.trainable_parameters
        # A batch normalization may train and have no parameters that do, as long as it has neither
        # a scale nor a shift. Of other layers only their parameters tell.
        trains = layer.config.get("trainable", trained > 0)
        self.layers[number] = replace(
            layer,
            config={**layer.config, **changes},
            parameters=layer.parameters + gained,
            trainable_parameters=trained + gained if trains else 0,
        )

    def site(self, node: int) -> Site:
        """What a rule may see of ``node``."""
        call = self.graph.nodes[node]
        shapes = tuple([self.graph.shape(value) for value in self.inputs[node]])
        return Site(self.layers[call.layer], call, shapes, call.shapes)
