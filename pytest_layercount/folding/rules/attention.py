"""Multi-head attention: maps go into its projections, before and after.

The layer begins in ``K x + b`` for each of query, key and value and ends in
``K z + b`` over heads and their features. What follows is absorbed by the last of
these, what precedes an input by the projections of that input: ``K (s x + t) + b =
(K s) x + (K t + b)``. Where no key is given, the value is the key as well. Attention
scores are computed before the output projection, so they stay as they are.

Its ``use_bias`` switches all projections at once. Without it only a scale is
absorbed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import (
    NO_BIAS,
    Absorbs,
    Maps,
    Rule,
    Side,
    Site,
    Stop,
    Weights,
    aligned,
)
from pytest_layercount.model.graph import Value
from pytest_layercount.model.layers.attention import ATTENDED, PROJECTING

_PROJECTIONS = ("query", "value", "key", "gate", "output")


class Attention(Rule):
    """MultiHeadAttention and GroupQueryAttention."""

    types = PROJECTING
    weights = tuple(f"{name}_dense.{kind}" for name in _PROJECTIONS for kind in ("kernel", "bias"))
    several = True

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs:
        known = {0} if side == "after" else _roles(site).keys()  # no scores, no masks
        for slot, affine in maps.items():
            if slot not in known:
                raise Stop("nonlinear")
            aligned(affine, site.shape(side, slot), -1)
        # A bias is not switched on, unlike in other layers: it would be one of every projection.
        return Absorbs(() if site.config["use_bias"] else (NO_BIAS,))

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        new, roles = dict(weights), _roles(site)
        for slot, affine in maps.items():
            if side == "after":
                _scale(new, "output_dense", affine)
                continue
            # Each input has its slot, also where one tensor is query, key and value at once: then
            # every slot has the map, and each projection takes it up once.
            for name in _projections(roles, slot):
                _project(new, f"{name}_dense", affine)
        return new


def _roles(site: Site) -> dict[int, str]:
    """What each input slot is; masks and the like are left out."""
    names = (*ATTENDED, *[""] * len(site.node.args))  # the arguments after these are masks
    arguments = [*zip(names, site.node.args, strict=False), *site.node.kwargs.items()]
    values = [role for role, argument in arguments if isinstance(argument, Value)]
    return {slot: role for slot, role in enumerate(values) if role in ATTENDED}


def _projections(roles: Mapping[int, str], slot: int) -> tuple[str, ...]:
    if roles[slot] == "query":
        # With ``use_gate`` (Keras 3.15) the gate is made of the query, too.
        return ("query", "gate")
    alone = "key" not in roles.values()
    return ("value", "key") if roles[slot] == "value" and alone else (roles[slot],)


def _scale(weights: dict[str, Array], name: str, affine: Affine) -> None:
    """Put ``affine`` on the output of a projection into its kernel and bias."""
    # The kernel is (heads, width, out), the bias (out,).
    scale, shift = affine.arrays()
    weights[f"{name}.kernel"] = weights[f"{name}.kernel"] * scale
    if f"{name}.bias" in weights:
        weights[f"{name}.bias"] = weights[f"{name}.bias"] * scale + shift


def _project(weights: dict[str, Array], name: str, affine: Affine) -> None:
    """Put ``affine`` on the input of a projection into its kernel and bias."""
    kernel = weights.get(f"{name}.kernel")
    if kernel is None:
        return
    # The kernel is (in, heads, width), the bias (heads, width).
    scale, shift = affine.along(0, kernel.shape[0]).arrays()
    weights[f"{name}.kernel"] = kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
    if f"{name}.bias" in weights:
        weights[f"{name}.bias"] = weights[f"{name}.bias"] + np.tensordot(shift, kernel, 1)
