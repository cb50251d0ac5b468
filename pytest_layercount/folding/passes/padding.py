"""The pass ``padding``: ZeroPadding and a ``valid`` convolution become a ``same`` one.

TensorFlow pads ``same`` so that the output has ``ceil(n / s)`` positions::

    total = max((ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
    before = total // 2         after = total - before

With stride 1 that is ``(k - 1) * d`` whatever the size ``n``; with a larger one
it depends on ``n``, so it agrees with fixed amounts only where ``n`` is fixed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_layercount.folding.rules.base import Site
from pytest_layercount.folding.wiring import Use, Wiring
from pytest_layercount.model.graph import Value

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
        if set(readers) == set(wiring.calls(taker)) and all(
            _agrees(wiring.site(call), wiring.site(reader)) for call, reader in pairs
        ):
            config = {**wiring.layers[taker].config, "padding": "same"}
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


def _agrees(padding: Site, convolution: Site) -> bool:
    """Whether the amounts are those of ``same`` for every input size the model admits."""
    layer, config = convolution.layer, convolution.config
    if not (layer.builtin and layer.type in CONVOLUTIONS and config["padding"] == "valid"):
        return False
    first = config.get("data_format") == "channels_first"
    if first != (padding.config.get("data_format") == "channels_first") or padding.input is None:
        return False
    sizes = padding.input[2:] if first else padding.input[1:-1]
    if layer.sealed:
        return False
    return list(_amounts(padding.config["padding"])) == [
        same_padding(size, kernel, stride, dilation)
        for size, kernel, stride, dilation in zip(
            sizes, config["kernel_size"], config["strides"], config["dilation_rate"], strict=True
        )
    ]


def same_padding(
    size: int | None, kernel: int, stride: int, dilation: int = 1
) -> tuple[int, int] | None:
    """What ``same`` pads before and after an axis; None where it depends on the size."""
    reach = (kernel - 1) * dilation + 1
    if stride == 1:
        total = reach - 1
    elif size is None:
        return None
    else:
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def _amounts(padding: Any) -> list[tuple[int, int]]:
    """ZeroPadding1D gives one pair, the others a pair for each axis."""
    if all(isinstance(amount, int) for amount in padding):
        return [(padding[0], padding[1])]
    return [(amount[0], amount[1]) for amount in padding]
