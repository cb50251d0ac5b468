"""The mistakes that folding tools make, each as wrong weights for one fold.

A batch norm is ``y = gamma (x - mean) / sqrt(variance + epsilon) + beta``. A mistake in
reading it is planted by folding other statistics, which make the wrong formula the right
one; a mistake in writing, by wrong weights for the layer that absorbs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, Any]
Random = np.random.Generator


@dataclass(frozen=True)
class Absorber:
    """A layer that took up one batch norm, ``y = scale x + shift``.

    ``before`` are its own weights, ``after`` those of the right fold.
    """

    type: str
    config: Mapping[str, Any]
    side: str
    scale: Any
    shift: Any
    before: Arrays
    after: Arrays

    @property
    def kernel(self) -> str:
        """The name of the kernel that takes up what follows the layer."""
        names = ("pointwise_kernel", "kernel", "depthwise_kernel")
        return next((name for name in names if name in self.before), "")


def epsilon_left_out(batch_norm: Arrays, epsilon: float) -> Arrays:
    return {**batch_norm, "moving_variance": batch_norm["moving_variance"] - epsilon}


def sign_of_the_mean(batch_norm: Arrays, epsilon: float) -> Arrays:
    return {**batch_norm, "moving_mean": -batch_norm["moving_mean"]}


def variance_not_rooted(batch_norm: Arrays, epsilon: float) -> Arrays:
    squared = (batch_norm["moving_variance"] + epsilon) ** 2
    return {**batch_norm, "moving_variance": squared - epsilon}


def channels_off_by_one(batch_norm: Arrays, epsilon: float) -> Arrays:
    return {name: np.roll(array, 1) for name, array in batch_norm.items()}


def beta_before_gamma(batch_norm: Arrays, epsilon: float) -> Arrays:
    """``gamma (x + beta)``: the same where there is no gamma, or no beta."""
    both = {"gamma", "beta"} <= batch_norm.keys()
    return {**batch_norm, "beta": batch_norm["gamma"] * batch_norm["beta"]} if both else batch_norm


def batch_norm_skipped(batch_norm: Arrays, epsilon: float) -> Arrays:
    zero = np.zeros_like(batch_norm["moving_mean"])
    deviation = np.sqrt(batch_norm["moving_variance"] + epsilon)
    return {**batch_norm, "gamma": deviation, "beta": zero, "moving_mean": zero}


def bias_dropped(layer: Absorber, random: Random) -> Arrays | None:
    bias = layer.after.get("bias")
    return None if bias is None else {**layer.after, "bias": np.zeros_like(bias)}


def kernel_scaled_on_the_wrong_axis(layer: Absorber, random: Random) -> Arrays | None:
    """As if the kernel ended in (out, in)."""
    if layer.side != "after" or layer.kernel not in ("kernel", "pointwise_kernel"):
        return None
    kernel = layer.before[layer.kernel]
    scale = np.resize(layer.scale, kernel.shape[-2])
    return {**layer.after, layer.kernel: kernel * scale[:, None]}


def weights_not_copied(layer: Absorber, random: Random) -> Arrays | None:
    """As a layer made anew has them."""
    if not layer.kernel:
        return None
    kernel = layer.after[layer.kernel]
    fan = kernel.size / kernel.shape[-1]
    return {**layer.after, layer.kernel: random.normal(size=kernel.shape) / np.sqrt(fan)}


def depth_multiplier_order(layer: Absorber, random: Random) -> Arrays | None:
    """Output channels numbered by multiple first, then by input channel."""
    if layer.kernel != "depthwise_kernel" or layer.side != "after":
        return None
    kernel = layer.before[layer.kernel]
    channels, multiples = kernel.shape[-2:]
    return {**layer.after, layer.kernel: kernel * layer.scale.reshape(multiples, channels).T}


def groups_ignored(layer: Absorber, random: Random) -> Arrays | None:
    """Every group scaled like the first."""
    if layer.side != "before" or int(layer.config.get("groups") or 1) == 1:
        return None
    kernel = layer.before["kernel"]
    return {**layer.after, "kernel": kernel * layer.scale[: kernel.shape[-2], None]}


READING: Mapping[str, Callable[[Arrays, float], Arrays]] = {
    "epsilon left out": epsilon_left_out,
    "sign of the mean": sign_of_the_mean,
    "variance not rooted": variance_not_rooted,
    "channels off by one": channels_off_by_one,
    "beta before gamma": beta_before_gamma,
    "batch norm skipped": batch_norm_skipped,
}
WRITING: Mapping[str, Callable[[Absorber, Random], Arrays | None]] = {
    "bias dropped": bias_dropped,
    "wrong kernel axis": kernel_scaled_on_the_wrong_axis,
    "weights not copied": weights_not_copied,
    "depth multiplier order": depth_multiplier_order,
    "groups ignored": groups_ignored,
}
PADDING = "shift through padding"
MISTAKES = (*READING, *WRITING, PADDING)
