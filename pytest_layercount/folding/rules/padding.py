"""Padding with zeros, and cropping.

Padding puts zeros next to ``x``. After ``s x + t`` they are still zeros, where
moving the map through would make them ``t``: a scale passes, a shift does not,
unless there is nothing to pad. Cropping only drops positions: all passes.
"""

from __future__ import annotations

from typing import Any

from pytest_layercount.folding.rules.base import Channelwise, Need, Site

_NO_SHIFT = Need("zero_shift", "shift-meets-padding")


class Padding(Channelwise):
    """ZeroPadding1D, 2D and 3D."""

    types = ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")

    def needs(self, site: Site) -> tuple[Need, ...]:
        return (_NO_SHIFT,) if _any(site.config.get("padding", 1)) else ()


class Cropping(Channelwise):
    """Cropping1D, 2D and 3D; CenterCrop, which enlarges what is too small as Resizing does."""

    types = ("CenterCrop", "Cropping1D", "Cropping2D", "Cropping3D")


def _any(amounts: Any) -> bool:
    return any(map(_any, amounts)) if isinstance(amounts, tuple) else bool(amounts)
