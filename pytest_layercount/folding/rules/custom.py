"""Rules for layers of the user's own, from the hook ``pytest_layercount_rule``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_layercount.errors import ModelError
from pytest_layercount.folding.rules.base import Rule
from pytest_layercount.hookspecs import callers
from pytest_layercount.model.attributes import ATTRIBUTES, normalise

if TYPE_CHECKING:
    from pytest_layercount.model.graph import Layer
    from pytest_layercount.model.readers.live import OpenModel


def with_custom_rules(opened: OpenModel) -> OpenModel:
    """``opened`` with the rules that users' hooks give for its layers.

    Raises:
        ModelError: a hook answers with something other than a Rule.
    """
    if not callers:
        return opened
    pairs = zip(opened.graph.layers, opened.layers, strict=True)
    layers = tuple(_with_rule(layer, live) for layer, live in pairs)
    return replace(opened, graph=replace(opened.graph, layers=layers))


def _with_rule(layer: Layer, live: Any) -> Layer:
    if layer.builtin:
        return layer
    rule = next((found for ask in callers if (found := ask(layer=live)) is not None), None)
    if rule is None:
        return layer
    if not isinstance(rule, Rule):
        raise ModelError(
            f"the hook pytest_layercount_rule answered {rule!r} for the layer {layer.path!r} of "
            f"type {layer.type}; return an instance of a subclass of pytest_layercount.Rule, or "
            "None"
        )
    names = rule.attributes or _inherited(live)
    config = {name: normalise(getattr(live, name, None)) for name in names}
    return replace(layer, rule=rule, config=config)


def _inherited(live: Any) -> tuple[str, ...]:
    """The attributes that decide what the Keras layer does that ``live`` is derived from."""
    for base in type(live).__mro__:
        if base.__module__.partition(".")[0] in ("keras", "tf_keras"):
            return ATTRIBUTES.get(base.__name__, ())
    return ()
