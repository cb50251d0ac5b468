"""The pass ``identity``: take out what does nothing at inference."""

from __future__ import annotations

from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.passes.result import PassResult
from pytest_layercount.folding.rule import Rule
from pytest_layercount.model.graph import Value


class Identity:
    """A call that does nothing is bypassed.

    A call with ``training=True`` does something, and so does one that changes
    the data type. One that returns an input of the model as it is stays: a
    model needs at least one call.
    """

    def __init__(self, edit: FoldEdit) -> None:
        self.edit = edit

    def run(self) -> PassResult:
        """Bypass every call that does nothing; layers with no call left are gone."""
        edit = self.edit
        gone: list[str] = []
        for number, layer in enumerate(edit.layers):
            rule = edit.rules[number]
            # The rule of most layers never says yes; then no call need be described for it.
            if rule is None or type(rule).removable is Rule.removable:
                continue
            calls = edit.calls(number)
            inert = [call for call in calls if _does_nothing(edit, rule, call)]
            if inert and len(inert) == len(calls):
                gone.append(layer.path)
            for call in inert:
                edit.bypass(call)
        return PassResult(tuple(gone))


def _does_nothing(edit: FoldEdit, rule: Rule, call: int) -> bool:
    site = edit.site(call)
    if rule.training_matters and site.node.training is True:
        return False
    source = edit.inputs[call][0]
    returned = edit.is_output(Value(call)) and source in edit.entries
    same = edit.keeps_dtype(call) and edit.keeps_mask(call)
    return rule.removable(site) and not returned and same
