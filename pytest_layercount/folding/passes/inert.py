"""The pass ``identity``: take out what does nothing at inference."""

from __future__ import annotations

from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.rules.base import Rule
from pytest_layercount.folding.wiring import Wiring
from pytest_layercount.model.graph import Value


def remove_inert(wiring: Wiring) -> tuple[str, ...]:
    """Bypass every call that does nothing; the paths of the layers wholly gone.

    A call with ``training=True`` does something, and so does one that changes
    the data type. One that returns an input of the model as it is stays: a
    model needs at least one call.
    """
    gone: list[str] = []
    for layer, described in enumerate(wiring.layers):
        rule = rule_for(described)
        if rule is None or type(rule).removable is Rule.removable:
            continue
        calls = wiring.calls(layer)
        inert = [call for call in calls if _does_nothing(wiring, rule, call)]
        if inert and len(inert) == len(calls):
            gone.append(described.path)
        for call in inert:
            wiring.bypass(call)
    return tuple(gone)


def _does_nothing(wiring: Wiring, rule: Rule, call: int) -> bool:
    site = wiring.site(call)
    if rule.training_matters and site.node.training is True:
        return False
    source = wiring.inputs[call][0]
    returned = wiring.is_output(Value(call)) and source in wiring.entries
    same = wiring.keeps_dtype(call) and wiring.keeps_mask(call)
    return rule.removable(site) and not returned and same
