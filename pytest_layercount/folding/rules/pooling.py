"""Pooling: many positions become one, in every channel alike.

For a mean with weights that sum to one, ``mean(s x + t) = s mean(x) + t``. At a
``same`` border the mean is taken over what lies inside the input, so the weights
sum to one there as well; and so they do for the mean over what a mask leaves. A
maximum keeps its place only where ``s >= 0``: ``max(s x + t) = s max(x) + t``;
``same`` pads it with minus infinity, which never wins.

The map must run along the channel axis. A global pooling without ``keepdims``
leaves batch and channels, so there the channel axis becomes axis 1.
"""

from __future__ import annotations

from pytest_layercount.folding.rule import (
    NONNEGATIVE,
    Channelwise,
    Need,
    Site,
    channel_axis,
)

_RANKS = ("1D", "2D", "3D")


class Pooling(Channelwise):
    """Means over windows."""

    types = tuple(
        f"{kind}{rank}" for kind in ("AveragePooling", "AdaptiveAveragePooling") for rank in _RANKS
    )


class MaxPooling(Pooling):
    """Maxima over windows."""

    types = tuple(
        f"{kind}{rank}" for kind in ("MaxPooling", "AdaptiveMaxPooling") for rank in _RANKS
    )

    def needs(self, site: Site) -> tuple[Need, ...]:
        return (NONNEGATIVE,)


class GlobalPooling(Channelwise):
    """Means over all positions."""

    types = tuple(f"GlobalAveragePooling{rank}" for rank in _RANKS)

    def out_axis(self, site: Site) -> int | None:
        return channel_axis(site, site.output) if site.config.get("keepdims") else 1


class GlobalMaxPooling(GlobalPooling):
    """Maxima over all positions."""

    types = tuple(f"GlobalMaxPooling{rank}" for rank in _RANKS)

    def needs(self, site: Site) -> tuple[Need, ...]:
        return (NONNEGATIVE,)
