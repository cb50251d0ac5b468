"""Layers that do nothing at inference: a map passes through, and so could the tensor.

Dropout and noise layers act only in training (a call with ``training=True`` is
such a call); ActivityRegularization only adds a loss; ``Activation("linear")``
and Identity are what they say. StochasticDepth is the one of ``keras.applications``.
"""

from __future__ import annotations

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import Site, Through


class Inert(Through):
    """The identity at inference."""

    types: tuple[str, ...] = (
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "StochasticDepth",
    )
    training_matters = True

    def removable(self, site: Site) -> bool:
        return True

    def up(self, site: Site, affine: Affine) -> Affine:
        return affine


class AlwaysInert(Inert):
    """The identity in training as well; ActivityRegularization only adds a loss there."""

    types: tuple[str, ...] = ("ActivityRegularization", "Identity")
    operations = ("identity", "stop_gradient")
    training_matters = False
