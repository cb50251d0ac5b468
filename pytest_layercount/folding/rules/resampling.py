"""Layers that compute new positions from old ones: upsampling and resizing.

Each new position is a weighted sum of old ones in the same channel, with weights
that sum to one: one neighbour (nearest), two or four (bilinear), or a window
whose weights are divided by their sum, at the borders too (bicubic, Lanczos).
So ``up(s x + t) = s up(x) + t``. Resizing that pads what the aspect ratio leaves
free fills it with a constant, where a shift would be lost: it is left alone, and
so is every interpolation not named here.
"""

from __future__ import annotations

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import Channelwise, Site, Stop

_SUM_TO_ONE = ("bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")


class Resampling(Channelwise):
    """UpSampling1D, 2D and 3D; Resizing."""

    types = ("Resizing", "UpSampling1D", "UpSampling2D", "UpSampling3D")

    def up(self, site: Site, affine: Affine) -> Affine:
        _require_means_kept(site)
        return super().up(site, affine)

    def down(self, site: Site, affine: Affine) -> Affine:
        _require_means_kept(site)
        return super().down(site, affine)


def _require_means_kept(site: Site) -> None:
    interpolation = site.config.get("interpolation") or "nearest"
    if interpolation not in _SUM_TO_ONE or site.config.get("pad_to_aspect_ratio"):
        raise Stop("nonlinear")
