"""Rules for layers of the user's own, from the hook ``pytest_layercount_rule``."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.rule import Absorbs, Maps, Rule, Side, Site, Stop, Weights
from pytest_layercount.folding.rules import OURS, Place, RuleBook
from pytest_layercount.folding.rules.batch_norm import Inherited
from pytest_layercount.hookspecs import callers
from pytest_layercount.model.keras.adapter import replaces_call
from pytest_layercount.model.keras.attributes import normalise
from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.layers import row_of

if TYPE_CHECKING:
    from pytest_layercount.model.graph import Layer, ModelGraph
    from pytest_layercount.model.readers.live import OpenModel

INHERITED = Inherited()
_MAKING = frozenset(
    ("__init__", "__module__", "__doc__", "__dict__", "__weakref__", "get_config", "from_config")
)


def ask_hooks(opened: OpenModel) -> tuple[ModelGraph, RuleBook]:
    """Ask users' hooks for rules; the graph then holds the attributes that these look at.

    The hooks are asked for layers of the user's own, for those inside wrappers too.

    Raises:
        ModelError: a hook answers with something other than a Rule.
    """
    if not any(layer.own for layer in opened.graph.layers):
        return opened.graph, OURS
    users: dict[Place, Rule] = {}
    pairs = enumerate(zip(opened.graph.layers, opened.layers, strict=True))
    layers = tuple(_asked(users, layer, live, number) for number, (layer, live) in pairs)
    return replace(opened.graph, layers=layers), RuleBook(users)


def _asked(users: dict[Place, Rule], layer: Layer, live: Any, *place: int | str) -> Layer:
    """Put the rules for a layer and those that it wraps into ``users``.

    Returns the layer with the attributes that these rules look at.
    """
    if not layer.own:
        return layer
    # One of Keras's wrappers: what it holds is the user's own.
    if layer.builtin:
        inner = {
            name: _asked(users, wrapped, getattr(live, name), *place, name)
            for name, wrapped in layer.wrapped.items()
        }
        return replace(layer, config={**layer.config, **inner})
    rule = next((answer for ask in callers if (answer := ask(layer=live)) is not None), None)
    if rule is None and layer.is_a("BatchNormalization") and _computes_what_keras_does(live):
        rule = INHERITED
    if rule is None:
        return layer
    if not isinstance(rule, Rule):
        raise ModelError(
            f"the hook pytest_layercount_rule answered {rule!r} for the layer {layer.path!r} of "
            f"type {layer.type}; return an instance of a subclass of pytest_layercount.Rule, or "
            "None"
        )
    users[place] = _adapted(rule)
    # Rules see data, never a live layer, so what this one may look at is read here.
    names = rule.attributes or _inherited(live)
    return replace(layer, config={name: normalise(getattr(live, name, None)) for name in names})


def _adapted(rule: Rule) -> Rule:
    """A copy of a user's rule that answers as ours do.

    The rule may return a ``Stop`` instead of raising it, and have a method for each side:
    ``absorb_after`` and ``after``, ``absorb_before`` and ``before``.
    """
    adapted = copy(rule)
    vars(adapted).update(
        affine=_raising(rule.affine),
        absorb=partial(_absorb, rule),
        absorbed=partial(_absorbed, rule),
        pass_up=_raising(rule.pass_up),
        pass_down=_raising(rule.pass_down),
    )
    return adapted


def _raising(ask: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: _raised(ask(*args))


def _raised(answer: Any) -> Any:
    if isinstance(answer, Stop):
        raise Stop(answer.reason, answer.blocker)
    return answer


def _absorb(rule: Any, site: Site, side: Side, maps: Maps) -> Absorbs | None:
    ask = getattr(rule, f"absorb_{side}", None)
    # A method for one side knows one input and one output.
    if ask is not None and maps.keys() != {0}:
        return None
    answer: Absorbs | None
    try:
        answer = _raised(rule.absorb(site, side, maps) if ask is None else ask(site, maps[0]))
    except Stop as stop:
        if stop.reason != "fixed-weights":
            raise
        answer = None  # as of a rule of ours: the maps may pass
    return answer


def _absorbed(rule: Any, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
    ask = getattr(rule, side, None)
    new: dict[str, Array] = (
        rule.absorbed(site, side, weights, maps) if ask is None else ask(site, weights, maps[0])
    )
    return new


def _computes_what_keras_does(live: Any) -> bool:
    """Whether a class of the user's overrides nothing of Keras's class but how it is made.

    A change of ``__init__`` shows in the attributes, which are read.
    """
    base = next(cls for cls in type(live).__mro__ if is_own(cls))
    # The user's classes among its bases. A name that Keras's class has as well overrides it.
    own = set(type(live).__mro__).difference(base.__mro__)
    named = {name for cls in own for name in vars(cls)} - _MAKING
    changed = {name for name in named if hasattr(base, name)}
    return not changed and not replaces_call(live)


def _inherited(live: Any) -> tuple[str, ...]:
    """The attributes that decide what the layer of Keras's does from which ``live`` is derived."""
    for base in type(live).__mro__:
        if is_own(base):
            return row_of(base.__name__).attributes
    return ()
