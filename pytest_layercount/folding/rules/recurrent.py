"""Recurrent layers: what comes before goes into the kernel that meets the input.

Each step begins in ``K x + b``, to which what the state contributes is added. So, as
for a dense layer, ``K (s x + t) + b = (K s) x + (K t + b)``, whatever the layer
goes on to do with it: gates, masked steps, either direction, any state it returns.
ConvLSTM's kernel is a convolution's, and padding stops a shift as it does there.
A GRU that resets after the product keeps two biases; the first is the input's.

What follows does not reach a kernel: the output is bounded by gates.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.folding.rule import (
    NO_BIAS,
    Absorbs,
    Maps,
    Need,
    Rule,
    Side,
    Site,
    Weights,
    aligned,
)
from pytest_layercount.folding.rules.weighted import NO_PADDING
from pytest_layercount.model.layers.recurrent import GATES


class Recurrent(Rule):
    """SimpleRNN, LSTM and GRU; kernel ``(in, gates * units)``."""

    types = tuple(GATES)
    weights = ("cell.kernel", "cell.recurrent_kernel", "cell.bias")
    training_matters = True

    def in_axis(self, site: Site) -> int:
        """The channel axis of the input."""
        return -1

    def needs(self, site: Site) -> tuple[Need, ...]:
        """What a map must fulfil whether or not there is a bias."""
        return ()

    def bias_shape(self, site: Site) -> tuple[int, ...]:
        """The shape of the bias."""
        gates = next(number for name, number in GATES.items() if site.layer.is_a(name))
        size = gates * int(site.config["units"])
        return (2, size) if site.config.get("reset_after") else (size,)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        if side == "after":
            return None
        affine, needs = maps[0], self.needs(site)
        aligned(affine, site.input, self.in_axis(site))
        # A need (no padding) lets only maps without shift through, which no bias has to take up.
        if site.config["use_bias"] or affine.zero_shift is True or needs:
            return Absorbs(needs)
        return Absorbs((), {"use_bias": True}, math.prod(self.bias_shape(site)))

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        affine, kernel = maps[0], weights["cell.kernel"]
        scale, shift = affine.along(0, kernel.shape[-2]).arrays()
        new = {**weights, "cell.kernel": kernel * scale[:, None]}
        if site.config["use_bias"] or affine.zero_shift is not True:
            bias = weights.get("cell.bias", np.zeros(self.bias_shape(site))).copy()
            # A view (row 0 is the input's): what is added below is added in ``bias``.
            of_input = bias[0] if bias.ndim == 2 else bias
            # sum over taps and inputs of K[tap, i, o] t[i], the kernel of an LSTM having no taps
            of_input += (kernel * shift[:, None]).sum(axis=tuple(range(kernel.ndim - 1)))
            new["cell.bias"] = bias
        return new


class ConvRecurrent(Recurrent):
    """ConvLSTM1D, 2D and 3D; kernel ``(*kernel_size, in, 4 * filters)``."""

    types = ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")

    def in_axis(self, site: Site) -> int:
        # Axis 1 is the time.
        return 2 if site.config["data_format"] == "channels_first" else -1

    def needs(self, site: Site) -> tuple[Need, ...]:
        pads = site.config["padding"] != "valid" and math.prod(site.config["kernel_size"]) > 1
        return (NO_PADDING,) if pads else ()

    def bias_shape(self, site: Site) -> tuple[int, ...]:
        return (4 * int(site.config["filters"]),)


class Bidirectional(Rule):
    """Two recurrent layers that read the same input; both take up the same map.

    Layers without a bias take up a scale only: they would both have to be made anew.
    """

    def __init__(self, forward: Rule, backward: Rule) -> None:
        self.rules = {"forward_layer": forward, "backward_layer": backward}
        self.weights = tuple(
            f"{name}.{weight}" for name, rule in self.rules.items() for weight in rule.weights
        )
        self.training_matters = forward.training_matters or backward.training_matters

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        needs: tuple[Need, ...] = ()
        for name, rule in self.rules.items():
            answer = None if side == "after" else rule.absorb(_inner(site, name), side, maps)
            if answer is None:
                return None
            # ``answer.changes`` is ``use_bias=True``, needed for a shift alone.
            needs += (NO_BIAS,) if answer.changes else answer.needs
        return Absorbs(needs)

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        new: dict[str, Array] = {}
        for name, rule in self.rules.items():
            prefix = f"{name}."
            own = {
                weight.removeprefix(prefix): array
                for weight, array in weights.items()
                if weight.startswith(prefix)
            }
            changed = rule.absorbed(_inner(site, name), side, own, maps)
            new |= {prefix + weight: array for weight, array in changed.items()}
        return new


def _inner(site: Site, name: str) -> Site:
    """The call as if it were one of the inner layer ``name``; its outputs are those of both."""
    return replace(site, layer=site.config[name])
