"""Which rule answers for which layer: ours, users' and those of wrappers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pytest_layercount.folding import rules
from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.rule import Rule
from pytest_layercount.folding.rules import OURS, RULES, RuleBook
from pytest_layercount.folding.rules.batch_norm import BatchNormalization, Inherited
from pytest_layercount.folding.rules.recurrent import Bidirectional
from pytest_layercount.folding.rules.weighted import Dense
from pytest_layercount.folding.rules.wrapper import TimeDistributed
from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value

OTHER_FILES = {"__init__", "custom", "wrapper"}
OWN = Layer("own", "Own", builtin=False)


def each(inner: Layer) -> Layer:
    return Layer("each", "TimeDistributed", config={"layer": inner})


def both(forward: Layer, backward: Layer) -> Layer:
    config = {"forward_layer": forward, "backward_layer": backward}
    return Layer("both", "Bidirectional", config=config)


def test_no_type_and_no_operation_has_two_rules() -> None:
    types = Counter(name for rule in RULES for name in rule.types)
    operations = Counter(name for rule in RULES for name in rule.operations)
    assert not [name for name, count in (types + operations).items() if count > 1]
    assert len(RULES) == len({type(rule) for rule in RULES}) > 40


def test_every_family_is_in_the_book() -> None:
    assert all(type(rule) is not Inherited for rule in RULES)
    assert all(vars(kind).keys().isdisjoint(("types", "operations")) for kind in unused(Rule))
    files = {path.stem for path in Path(rules.__file__).parent.glob("*.py")}
    assert {type(rule).__module__.rpartition(".")[2] for rule in RULES} == files - OTHER_FILES


def unused(kind: type[Rule]) -> set[type[Rule]]:
    """The rules of ours that are in no book, but those of wrappers."""
    every: set[Any] = set()
    pending = [kind]
    while pending:
        pending += pending.pop().__subclasses__()
        every |= {one for one in pending if one.__module__.startswith("pytest_layercount.")}
    return every - {type(rule) for rule in RULES}


def test_ours_answer_for_exact_types_and_operations() -> None:
    assert isinstance(OURS.rule_for(Layer("d", "Dense"), 0), Dense)
    assert OURS.rule_for(Layer("d", "Dense", builtin=False, bases=("Dense",)), 0) is None
    assert OURS.rule_for(Layer("d", "dense"), 0) is None
    plus = Layer("p", "Add", "operation", builtin=False, operation="add")
    assert OURS.rule_for(plus, 0) is OURS.rule_for(Layer("a", "Add"), 1) is not None


def test_users_answer_for_the_layer_at_a_place() -> None:
    mine, other = Rule(), Rule()
    book = RuleBook({(1,): mine, (2, "layer"): other})
    assert book.rule_for(OWN, 1) is mine
    assert book.rule_for(OWN, 0) is None
    assert isinstance(book.rule_for(Layer("d", "Dense"), 1), Dense)  # it is Keras's own
    inside = book.rule_for(each(OWN), 2)
    assert isinstance(inside, TimeDistributed)
    assert inside.inner is other
    assert book.rule_for(each(OWN), 1) is None


def test_a_wrapper_has_the_rules_of_what_it_wraps() -> None:
    norm = OURS.rule_for(each(each(Layer("bn", "BatchNormalization"))), 0)
    assert isinstance(norm, TimeDistributed)
    assert isinstance(norm.inner, TimeDistributed)
    assert isinstance(norm.inner.inner, BatchNormalization)
    gru = Layer("gru", "GRU")
    assert isinstance(OURS.rule_for(both(gru, gru), 0), Bidirectional)
    half = Layer("both", "Bidirectional", config={"forward_layer": gru})
    assert OURS.rule_for(half, 0) is None


def test_the_layer_without_a_rule_is_the_innermost() -> None:
    gru, book = Layer("gru", "GRU"), RuleBook({(0, "forward_layer"): Rule()})
    other = Layer("other", "Own", builtin=False)
    assert OURS.without_rule(each(each(OWN)), 0) is OWN
    assert book.without_rule(both(OWN, other), 0) is other
    assert book.without_rule(both(gru, OWN), 0) is OWN
    assert OURS.without_rule(OWN, 0) is OWN


def test_a_book_follows_its_layers() -> None:
    mine, other = Rule(), Rule()
    book = RuleBook({(0,): mine, (2, "layer"): other}).renumbered([2, 1, 0, 0])
    assert book.users == {(2,): mine, (3,): mine, (0, "layer"): other}
    assert OURS.renumbered([0]) is OURS


def test_planning_asks_the_book_that_it_is_given() -> None:
    entry = Layer("x", "InputLayer", "input")
    nodes = (Node(0, shapes=((4,),)), Node(1, (Value(0),), shapes=((4,),)))
    graph = ModelGraph("net", "Keras 3.15", (entry, OWN), nodes, Value(0), Value(1))
    mine = Rule()
    edit = FoldEdit(graph, book=RuleBook({(1,): mine}))
    assert edit.rule(1) is mine
    assert FoldEdit(graph).rule(1) is None
    assert edit.unknown(1) is OWN
