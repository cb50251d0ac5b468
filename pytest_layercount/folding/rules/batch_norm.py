"""BatchNormalization at inference, and how two maps in a row become one.

With the moving statistics ``m`` and ``v``::

    y = gamma * (x - m) / sqrt(v + epsilon) + beta  =  s x + t
    s = gamma / sqrt(v + epsilon)        t = beta - s m

``scale=False`` means gamma = 1 and ``center=False`` beta = 0. A layer that has
never been trained (m = 0, v = 1 everywhere) has t = beta and s = gamma, up to
epsilon; no fold may depend on that, because the next training step ends it.
Where no weights are read, a shift is taken not to be zero: a trained one is not.
"""

from __future__ import annotations

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import (
    Absorbs,
    Maps,
    Rule,
    Side,
    Site,
    Stop,
    Weights,
    aligned,
    map_of,
)


class BatchNormalization(Rule):
    """A map that can be read, and that takes up maps on either side of it."""

    types = ("BatchNormalization", "SyncBatchNormalization")
    weights = ("gamma", "beta", "moving_mean", "moving_variance")
    training_matters = True

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        if not _one_axis(site):
            raise Stop("channel-axis")
        axis = normalised_axis(site)
        if axis is None or site.input is None or site.input[axis] is None:
            raise Stop("unknown-shape")
        # s = gamma / sqrt(v + epsilon) has the sign of gamma, which is 1 where there is none.
        positive = None if site.config["scale"] else True
        if weights is None:
            channels, token = int(site.input[axis] or 0), ("layer", site.layer.path)
            return Affine(
                axis, channels, token, zero_shift=False, nonnegative=positive, unit_scale=False
            )
        affine = map_of(site, *scale_and_shift(site, weights), axis)
        if untrained(weights):
            # gamma may become negative in training, so it is taken to be, as a shift is taken to be
            # there.
            return affine.untrusted(zero_shift=False, nonnegative=bool(positive))
        return affine

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs:
        if not _one_axis(site):
            raise Stop("channel-axis")
        here = aligned(maps[0], site.input, normalised_axis(site))
        # Both are switched on whatever the map is, since ``absorbed`` returns both.
        missing = [name for name in ("scale", "center") if not site.config[name]]
        return Absorbs(changes=dict.fromkeys(missing, True), adds=len(missing) * here.channels)

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        gamma, beta = _gamma_beta(weights)
        mean, variance = weights["moving_mean"], weights["moving_variance"]
        scale, shift = maps[0].arrays()
        if side == "after":
            beta = scale * beta + shift
        else:
            # With the statistics kept and d = sqrt(v + epsilon), of the map a x + b before it:
            #
            #     gamma (a x + b - m) / d + beta
            #         = (a gamma) (x - m) / d + beta + gamma (a m + b - m) / d
            deviation = np.sqrt(variance + site.config["epsilon"])
            beta = beta + gamma * (scale * mean + shift - mean) / deviation
        return {
            "gamma": np.broadcast_to(scale * gamma, mean.shape).copy(),
            "beta": np.broadcast_to(beta, mean.shape).copy(),
            "moving_mean": mean,
            "moving_variance": variance,
        }


class Inherited(BatchNormalization):
    """A class of a user's own that computes what Keras's does: a map, which keeps its weights.

    Whether its ``__init__`` would take a ``scale`` or ``center`` is not known.
    """

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs:
        raise Stop("own-class")


def normalised_axis(site: Site) -> int | None:
    """The axis of the normalization as a position, None where that cannot be said."""
    # Keras 2 keeps a list of axes, Keras 3 one number.
    axis = site.config["axis"]
    if isinstance(axis, tuple):
        axis = axis[0]
    return None if site.input is None else int(axis) % len(site.input)


def scale_and_shift(site: Site, weights: Weights) -> tuple[Array, Array]:
    """``s`` and ``t`` of the module docstring, each of shape ``(channels,)``."""
    gamma, beta = _gamma_beta(weights)
    mean = weights["moving_mean"]
    with np.errstate(all="ignore"):
        # What is not finite here, as of a negative variance, ``map_of`` refuses.
        scale = gamma / np.sqrt(weights["moving_variance"] + site.config["epsilon"])
        return scale, beta - scale * mean


def untrained(weights: Weights) -> bool:
    """Whether the moving statistics are still the initial ones."""
    return not weights["moving_mean"].any() and bool((weights["moving_variance"] == 1).all())


def _one_axis(site: Site) -> bool:
    """Whether statistics run along one axis, over whole batches; Keras 2 has other settings."""
    axis = site.config["axis"]
    several = isinstance(axis, tuple) and len(axis) != 1
    return not several and site.config.get("virtual_batch_size") is None


def _gamma_beta(weights: Weights) -> tuple[Array, Array]:
    like = weights["moving_mean"]
    return weights.get("gamma", np.ones_like(like)), weights.get("beta", np.zeros_like(like))
