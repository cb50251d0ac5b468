"""The pass ``padding``: ZeroPadding and a ``valid`` convolution become a ``same`` one.

What ``same`` pads may depend on the size of the input (see ``rules/padding.py``), so it
agrees with fixed amounts only where it does not, or where the size is fixed. A Conv1D
padded on the left alone by all that its kernel reaches back becomes a ``causal`` one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_layercount.folding.rules.base import Site
from pytest_layercount.folding.rules.padding import same_padding, spatial
from pytest_layercount.folding.wiring import Wiring
from pytest_layercount.model.edit import Use
from pytest_layercount.model.graph import Value
from pytest_layercount.model.layers.base import is_first

CONVOLUTIONS = frozenset(
    f"{kind}{n}D" for kind in ("Conv", "DepthwiseConv", "SeparableConv") for n in (1, 2, 3)
)


def absorb_padding(wiring: Wiring) -> tuple[str, ...]:
    """Absorb what can be absorbed; the paths of the padding layers gone."""
    gone: list[str] = []
    for number, layer in enumerate(wiring.layers):
        calls = wiring.calls(number)
        if not (layer.builtin and layer.type.startswith("ZeroPadding") and calls):
            continue
        readers = [_only_reader(wiring, call) for call in calls]
        takers = {wiring.graph.nodes[reader].layer for reader in readers if reader is not None}
        if None in readers or len(takers) != 1:
            continue
        (taker,) = takers
        pairs = [(call, reader) for call, reader in zip(calls, readers, strict=True) if reader]
        kinds = {_equal(wiring.site(call), wiring.site(reader)) for call, reader in pairs}
        if set(readers) == set(wiring.calls(taker)) and len(kinds) == 1 and None not in kinds:
            config = {**wiring.layers[taker].config, "padding": kinds.pop()}
            wiring.layers[taker] = replace(wiring.layers[taker], config=config)
            for call in calls:
                wiring.alter(Value(call))
                wiring.bypass(call)
            gone.append(layer.path)
    return tuple(gone)


def _only_reader(wiring: Wiring, call: int) -> int | None:
    uses = wiring.uses(Value(call))
    if wiring.is_output(Value(call)) or len(uses) != 1 or uses != [Use(uses[0].node, 0)]:
        return None
    return uses[0].node


def _equal(padding: Site, convolution: Site) -> str | None:
    """The ``padding=`` that is the same for every input size the model admits, if there is one."""
    layer, config = convolution.layer, convolution.config
    if not (layer.builtin and layer.type in CONVOLUTIONS and config["padding"] == "valid"):
        return None
    first = is_first(config)
    if first != is_first(padding.config) or layer.sealed:
        return None
    amounts = _amounts(padding.config["padding"])
    if amounts == [same_padding(*axis) for axis in spatial(convolution, padding.input)]:
        return "same"
    back = [((k - 1) * d, 0) for _, k, _, d in spatial(convolution, padding.input)]
    return "causal" if layer.type == "Conv1D" and not first and amounts == back else None


def _amounts(padding: Any) -> list[tuple[int, int]]:
    """ZeroPadding1D gives one pair, the others a pair for each axis."""
    if all(isinstance(amount, int) for amount in padding):
        return [(padding[0], padding[1])]
    return [(amount[0], amount[1]) for amount in padding]
