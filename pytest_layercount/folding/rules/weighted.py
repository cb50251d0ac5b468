"""What convolutions and dense layers have in common: a linear kernel, then a bias.

For ``f(x) = K x + b`` and the map ``A(x) = s x + t``::

    A(f(x)) = (s K) x + (s b + t)          absorbed after
    f(A(x)) = (K s) x + (b + K t)          absorbed before

Where the layer pads its input with zeros, ``f(A(x))`` would need the padding to
be ``t``: before a padding layer only a map without shift is absorbed.
An ``activation=`` inside stands between the kernel and whatever follows: only a
positive scale gets through, and only through one that is homogeneous.
"""

from __future__ import annotations

import math

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rounding import scaled
from pytest_layercount.folding.rule import (
    Absorbs,
    Maps,
    Need,
    Rule,
    Side,
    Site,
    Stop,
    Weights,
    added_elsewhere,
    aligned,
    channel_axis,
)
from pytest_layercount.folding.rules.activation import HOMOGENEOUS
from pytest_layercount.folding.rules.padding import pads

NO_PADDING = Need("zero_shift", "shift-meets-padding")
INSIDE = (Need("zero_shift", "activation"), Need("nonnegative", "activation"))


class Weighted(Rule):
    """A linear layer. Subclasses say how a vector of channels meets the kernel."""

    def pads(self, site: Site) -> bool:
        """Whether zeros that are not the input's own can meet the kernel."""
        return False

    def bias_size(self, site: Site) -> int:
        """How many scalars a bias has."""
        axis = channel_axis(site, site.output)
        return 0 if site.output is None or axis is None else int(site.output[axis] or 0)

    def scale_out(self, weights: Weights, scale: Array) -> dict[str, Array]:
        """The kernels with each output channel multiplied by ``scale``."""
        raise NotImplementedError

    def scale_in(self, site: Site, weights: Weights, scale: Array) -> dict[str, Array]:
        """The kernels with each input channel multiplied by ``scale``."""
        raise NotImplementedError

    def response(self, site: Site, weights: Weights, shift: Array) -> Array:
        """What the kernel makes of an input that is ``shift`` everywhere."""
        raise NotImplementedError

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs:
        needs = through_activation(site) if side == "after" else ()
        shape = site.shape(side)
        aligned(maps[0], shape, channel_axis(site, shape))
        biased = _keeps_bias(site, maps[0])
        # A bias is scaled and shifted channel by channel, so it must be added along the channels.
        if biased and self.adds_bias_elsewhere(site):
            raise Stop("ambiguous-axis")
        if side == "before" and self.pads(site):
            needs = (NO_PADDING,)
        if site.config.get("use_bias") or not biased or needs:
            return Absorbs(needs)  # where something is needed only a map without shift gets through
        # The shift needs a bias, which the layer gains.
        return Absorbs((), {"use_bias": True}, self.bias_size(site))

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        shape = site.shape(side)
        scale, shift = aligned(maps[0], shape, channel_axis(site, shape)).arrays()
        bias = weights.get("bias", 0.0)
        after = side == "after"
        new = self.scale_out(weights, scale) if after else self.scale_in(site, weights, scale)
        # s (K x + b) + t = (s K) x + (s b + t)        K (s x + t) + b = (K s) x + (b + K t)
        if _keeps_bias(site, maps[0]):
            taken = scale * bias + shift if after else bias + self.response(site, weights, shift)
            new["bias"] = taken
        return new

    def adds_bias_elsewhere(self, site: Site) -> bool:
        """Whether some Keras adds the bias along another axis than that of the channels."""
        axis = channel_axis(site, site.output)
        if site.output is None or axis is None:
            return False
        vector = [1] * len(site.output)
        vector[axis] = self.bias_size(site)
        return added_elsewhere(vector, site.output)


class Convolution(Weighted):
    """Conv1D, Conv2D and Conv3D; kernel ``(*kernel_size, in / groups, out)``.

    Output channel ``o`` belongs to group ``o // (out / groups)`` and reads only
    the input channels of that group.
    """

    types = ("Conv1D", "Conv2D", "Conv3D")
    weights = ("kernel", "bias")

    def pads(self, site: Site) -> bool:
        return pads(site)

    def scale_out(self, weights: Weights, scale: Array) -> dict[str, Array]:
        return {"kernel": scaled(weights["kernel"], scale)}

    def scale_in(self, site: Site, weights: Weights, scale: Array) -> dict[str, Array]:
        return {"kernel": scaled(weights["kernel"], self._seen(site, weights, scale))}

    def response(self, site: Site, weights: Weights, shift: Array) -> Array:
        kernel = weights["kernel"]
        # sum over taps and inputs of K[tap, i, o] t[i]
        axes = tuple(range(kernel.ndim - 1))
        result: Array = (kernel * self._seen(site, weights, shift)).sum(axis=axes)
        return result

    def _seen(self, site: Site, weights: Weights, channels: Array) -> Array:
        """``channels`` as ``(in / groups, out)``: what each output channel reads."""
        out = weights["kernel"].shape[-1]
        groups = int(site.config.get("groups") or 1)
        # (in,) to one row a group, to one column a group, to one column for each of its outputs.
        return np.repeat(channels.reshape(groups, -1).T, out // groups, axis=1)


class Depthwise(Weighted):
    """DepthwiseConv1D and 2D; kernel ``(*kernel_size, in, depth_multiplier)``.

    Output channel ``i * depth_multiplier + m`` reads input channel ``i``.
    """

    types = ("DepthwiseConv1D", "DepthwiseConv2D")
    weights = ("depthwise_kernel", "bias")

    pads = Convolution.pads

    def scale_out(self, weights: Weights, scale: Array) -> dict[str, Array]:
        kernel = weights["depthwise_kernel"]
        return {"depthwise_kernel": scaled(kernel, scale.reshape(kernel.shape[-2:]))}

    def scale_in(self, site: Site, weights: Weights, scale: Array) -> dict[str, Array]:
        return {"depthwise_kernel": scaled(weights["depthwise_kernel"], scale[:, None])}

    def response(self, site: Site, weights: Weights, shift: Array) -> Array:
        return depthwise_response(weights["depthwise_kernel"], shift)


class Separable(Weighted):
    """SeparableConv1D and 2D: a depthwise kernel, then a 1x1 (pointwise) kernel.

    What follows goes into the pointwise kernel, what precedes into the depthwise.
    """

    types = ("SeparableConv1D", "SeparableConv2D")
    weights = ("depthwise_kernel", "pointwise_kernel", "bias")

    pads = Convolution.pads

    def scale_out(self, weights: Weights, scale: Array) -> dict[str, Array]:
        return {
            "depthwise_kernel": weights["depthwise_kernel"],
            "pointwise_kernel": scaled(weights["pointwise_kernel"], scale),
        }

    def scale_in(self, site: Site, weights: Weights, scale: Array) -> dict[str, Array]:
        return {
            "depthwise_kernel": scaled(weights["depthwise_kernel"], scale[:, None]),
            "pointwise_kernel": weights["pointwise_kernel"],
        }

    def response(self, site: Site, weights: Weights, shift: Array) -> Array:
        # (in,) -> (in * depth_multiplier,) -> (out,)
        middle = depthwise_response(weights["depthwise_kernel"], shift)
        pointwise = weights["pointwise_kernel"]
        result: Array = middle @ pointwise.reshape(-1, pointwise.shape[-1])
        return result


class Transposed(Weighted):
    """Conv1DTranspose, 2D and 3D; kernel ``(*kernel_size, out, in)``.

    At the borders, and between strides, an output position meets only part of
    the kernel, as if the input were padded with zeros: a shift before the layer
    is absorbed only by a 1x1 kernel with stride 1.
    """

    types = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
    weights = ("kernel", "bias")

    def pads(self, site: Site) -> bool:
        config = site.config
        # A 1x1 kernel with strides leaves positions between those of the inputs: the bias alone.
        return bool(math.prod(config["kernel_size"]) * math.prod(config["strides"]) > 1)

    def scale_out(self, weights: Weights, scale: Array) -> dict[str, Array]:
        return {"kernel": scaled(weights["kernel"], scale[:, None])}

    def scale_in(self, site: Site, weights: Weights, scale: Array) -> dict[str, Array]:
        return {"kernel": scaled(weights["kernel"], scale)}

    def response(self, site: Site, weights: Weights, shift: Array) -> Array:
        kernel = weights["kernel"]
        # sum over taps and inputs of K[tap, o, i] t[i]
        result: Array = (kernel @ shift).sum(axis=tuple(range(kernel.ndim - 2)))
        return result


class Dense(Weighted):
    """Dense, on the last axis of an input of any rank; kernel ``(in, units)``."""

    types = ("Dense",)
    weights = ("kernel", "bias")

    def scale_out(self, weights: Weights, scale: Array) -> dict[str, Array]:
        return {"kernel": scaled(weights["kernel"], scale)}

    def scale_in(self, site: Site, weights: Weights, scale: Array) -> dict[str, Array]:
        return {"kernel": scaled(weights["kernel"], scale[:, None])}

    def response(self, site: Site, weights: Weights, shift: Array) -> Array:
        return shift @ weights["kernel"]


def through_activation(site: Site) -> tuple[Need, ...]:
    """What a map must fulfil to get through the ``activation=`` of a layer to its kernel."""
    activation = site.config.get("activation")
    if activation in (None, "linear"):
        return ()
    if activation not in HOMOGENEOUS:
        raise Stop("activation")
    return INSIDE


def depthwise_response(kernel: Array, shift: Array) -> Array:
    """What a depthwise kernel makes of an input that is ``shift`` everywhere."""
    # t[i] times the sum over taps of K[tap, i, m], laid out as output channel i * multiplier + m
    taps = kernel.sum(axis=tuple(range(kernel.ndim - 2)), dtype=np.float64)
    result: Array = (taps * shift[:, None]).reshape(-1)
    return result


def _keeps_bias(site: Site, affine: Affine) -> bool:
    """Whether the layer has a bias afterwards."""
    return bool(site.config.get("use_bias")) or affine.zero_shift is not True
