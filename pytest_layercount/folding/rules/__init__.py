"""The rules, one layer family a file, and the book that finds the one for a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module

from pytest_layercount.folding.rule import Rule
from pytest_layercount.folding.rules.recurrent import Bidirectional
from pytest_layercount.folding.rules.wrapper import TimeDistributed
from pytest_layercount.model.graph import Layer
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.names import names

Place = tuple[int | str, ...]
"""A layer of a graph by its number; one in a wrapper by the attribute that holds it as well."""

_FAMILIES = names("""
    activation arithmetic attention batch_norm einsum_dense embedding inert merge nonlinear
    normalization padding pooling product recurrent reduction resampling reshape scaling slicing
    weighted
    """)
"""The files of the rules for layers by themselves, without those of users and of wrappers."""


def _rules_in(family: str) -> Iterator[Rule]:
    """An instance of each rule in a file that names types or operations of its own."""
    module = import_module(f"{__name__}.{family}")
    for kind in vars(module).values():
        # Classes imported from other families are theirs. Abstract ones, such as ``Weighted``, name
        # no type; nor do those that other rules make themselves, such as ``Inherited``.
        own = isinstance(kind, type) and kind.__module__ == module.__name__
        if own and issubclass(kind, Rule) and {"types", "operations"} & vars(kind).keys():
            yield kind()


RULES: tuple[Rule, ...] = tuple(rule for family in sorted(_FAMILIES) for rule in _rules_in(family))
_BY_TYPE = {name: rule for rule in RULES for name in rule.types}
_BY_OPERATION = {name: rule for rule in RULES for name in rule.operations}
_WRAPPERS: Mapping[str, Callable[..., Rule]] = {
    "Bidirectional": Bidirectional,
    "TimeDistributed": TimeDistributed,
}
"""The rules of layers that hold others, made from the rules of these."""


class RuleBook:
    """The rules for the layers of a graph: ours, users' and those of wrappers.

    ``users`` are the rules that users' hooks gave for layers of a class of their own.
    """

    def __init__(self, users: Mapping[Place, Rule] | None = None) -> None:
        self.users: Mapping[Place, Rule] = users or {}

    def rule_for(self, layer: Layer, *place: int | str) -> Rule | None:
        """The rule for exactly this layer at ``place``, or None: nothing is known about it."""
        if not layer.builtin and place in self.users:
            return self.users[place]
        # Keras 2 wraps operations in layers of its own types (TFOpLambda): the operation counts.
        if layer.operation is not None:
            return _BY_OPERATION.get(layer.operation)
        if not layer.builtin:
            return None
        if layer.type not in _WRAPPERS:
            return _BY_TYPE.get(layer.type)
        rules = [self.rule_for(inner, *place, name) for name, inner in layer.wrapped.items()]
        whole = len(rules) == len(row_of(layer.type).inner)  # a record may hold a part of it
        return _WRAPPERS[layer.type](*rules) if whole and None not in rules else None

    def without_rule(self, layer: Layer, *place: int | str) -> Layer:
        """The layer for which there is no rule: this one, or one that it wraps."""
        for name, inner in layer.wrapped.items():
            if self.rule_for(inner, *place, name) is None:
                return self.without_rule(inner, *place, name)
        return layer

    def renumbered(self, origins: Sequence[int]) -> RuleBook:
        """The book for a graph whose layer ``n`` had the number ``origins[n]`` in this book."""
        if not self.users:
            return self
        every = enumerate(origins)
        return RuleBook(
            {
                (number, *place[1:]): rule
                for number, origin in every
                for place, rule in self.users.items()
                if place[0] == origin
            }
        )


OURS = RuleBook()
"""The book for a graph without layers of users' own, or of which nobody was asked."""
