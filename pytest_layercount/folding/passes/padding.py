"""The pass ``padding``: ZeroPadding and a ``valid`` convolution become a ``same`` one.

What ``same`` pads may depend on the size of the input (see ``rules/padding.py``), so it
agrees with fixed amounts only where it does not, or where the size is fixed. A Conv1D
padded on the left alone by all that its kernel reaches back becomes a ``causal`` one.
"""

from __future__ import annotations

from typing import Any

from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.passes.result import PassResult
from pytest_layercount.folding.rule import Site
from pytest_layercount.folding.rules.padding import same_padding, spatial
from pytest_layercount.model.edit import Use
from pytest_layercount.model.graph import Value
from pytest_layercount.model.layers.base import is_first

CONVOLUTIONS = frozenset(
    f"{kind}{n}D" for kind in ("Conv", "DepthwiseConv", "SeparableConv") for n in (1, 2, 3)
)


class Padding:
    """Every call of the padding layer must go into a call of the same convolution."""

    def __init__(self, edit: FoldEdit) -> None:
        self.edit = edit

    def run(self) -> PassResult:
        """Absorb what can be absorbed."""
        #     ZeroPadding ── conv valid ──        becomes        conv same ──  (or causal)
        edit = self.edit
        gone: list[str] = []
        for number, layer in enumerate(edit.layers):
            calls = edit.calls(number)
            if not (layer.builtin and layer.type.startswith("ZeroPadding") and calls):
                continue
            readers = [_only_reader(edit, call) for call in calls]
            takers = {edit.graph.nodes[reader].layer for reader in readers if reader is not None}
            if None in readers or len(takers) != 1:
                continue
            (taker,) = takers
            pairs = [(call, reader) for call, reader in zip(calls, readers, strict=True) if reader]
            kinds = {_equal(edit.site(call), edit.site(reader)) for call, reader in pairs}
            # The convolution gets one ``padding=`` for all of its calls, so each of them must come
            # from a call of this layer and need the same one.
            if set(readers) == set(edit.calls(taker)) and len(kinds) == 1 and None not in kinds:
                edit.change(taker, {"padding": kinds.pop()})
                for call in calls:
                    edit.alter(Value(call))
                    edit.bypass(call)
                gone.append(layer.path)
        return PassResult(tuple(gone))


def _only_reader(edit: FoldEdit, call: int) -> int | None:
    uses = edit.uses(Value(call))
    if edit.is_output(Value(call)) or len(uses) != 1 or uses != [Use(uses[0].node, 0)]:
        return None
    return uses[0].node


def _equal(padding: Site, convolution: Site) -> str | None:
    """The ``padding=`` that is the same for every input size the model admits, if there is one."""
    layer, config = convolution.layer, convolution.config
    if not (layer.builtin and layer.type in CONVOLUTIONS and config["padding"] == "valid"):
        return None
    # Both must agree which axes are padded.
    first = is_first(config)
    if first != is_first(padding.config) or layer.sealed:
        return None
    amounts = _amounts(padding.config["padding"])
    if amounts == [same_padding(*axis) for axis in spatial(convolution, padding.input)]:
        return "same"
    # Keras 3 has ``causal`` for Conv1D alone.
    back = [((k - 1) * d, 0) for _, k, _, d in spatial(convolution, padding.input)]
    return "causal" if layer.type == "Conv1D" and not first and amounts == back else None


def _amounts(padding: Any) -> list[tuple[int, int]]:
    """ZeroPadding1D gives one pair, the others a pair for each axis."""
    if all(isinstance(amount, int) for amount in padding):
        return [(padding[0], padding[1])]
    return [(amount[0], amount[1]) for amount in padding]
