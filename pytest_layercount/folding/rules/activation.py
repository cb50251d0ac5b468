"""Activations. Only those that are positively homogeneous let a scale through.

``f(s x) = s f(x)`` for ``s >= 0`` holds for ReLU, LeakyReLU and PReLU (two
straight lines that meet in zero). It holds for no bounded one (ReLU6) and for
no curved one, and a shift moves through none.
"""

from __future__ import annotations

from typing import Any

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import NONNEGATIVE, ZERO_SHIFT, Need, Site, Stop, Through

HOMOGENEOUS = ("relu", "leaky_relu")


class Activation(Through):
    """Activation layers and the activations that have a layer or operation of their own."""

    types = ("Activation", "LeakyReLU", "PReLU", "ReLU")
    operations = HOMOGENEOUS

    def removable(self, site: Site) -> bool:
        return _function(site) == "linear"

    def needs(self, site: Site) -> tuple[Need, ...]:
        return () if _function(site) == "linear" else (ZERO_SHIFT, NONNEGATIVE)

    def up(self, site: Site, affine: Affine) -> Affine:
        if _function(site) not in ("linear", *HOMOGENEOUS):
            raise Stop("nonlinear")
        return affine


def _function(site: Site) -> str:
    """The activation's name; ``"bounded"`` for a ReLU with a ceiling or another threshold."""
    kind = site.layer.operation or site.layer.type
    if kind == "Activation":
        return str(site.config["activation"])
    if kind in ("ReLU", "relu"):
        # Keras 2 calls relu(x, alpha, max_value, threshold).
        return _relu(site.setting(2, "max_value"), site.setting(3, "threshold"))
    # A PReLU learns a slope for each element. Each is two straight lines by itself, whatever its
    # slope, and a map has one scale for all the elements of a channel.
    return "leaky_relu" if kind in ("LeakyReLU", "PReLU") else kind


def _relu(ceiling: Any, threshold: Any) -> str:
    return "relu" if ceiling is None and not threshold else "bounded"
