"""Normalizations, and layers of one scale for each channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_layercount.model.layers.base import (
    Config,
    LayerType,
    Scalars,
    Shapes,
    known,
    passed,
    product,
    same,
)


def _spanned(config: Config, shapes: Shapes) -> int:
    """The number of elements along the axes that a normalization names."""
    axes = config.get("axis", -1)
    axes = axes if isinstance(axes, list) else [axes]
    return product(known(shapes[0])[axis] for axis in axes)


def _learned(config: Config, shapes: Shapes) -> Scalars:
    """A scale and a shift, as far as they are wanted."""
    wanted = bool(config.get("scale", True)) + bool(config.get("center", True))
    return Scalars(_spanned(config, shapes) * wanted)


def _with_statistics(config: Config, shapes: Shapes) -> Scalars:
    return _learned(config, shapes) | Scalars(0, 2 * _spanned(config, shapes))


def _layer_norm(config: Config, shapes: Shapes) -> Scalars:
    return _scale(config, shapes) if config.get("rms_scaling") else _learned(config, shapes)


def _scale(config: Config, shapes: Shapes) -> Scalars:
    return Scalars(_spanned(config, shapes))


def _adapted(config: Config, shapes: Shapes) -> Scalars:
    """Mean, variance and the number of samples seen, unless the user gave them."""
    if config.get("mean") is not None:
        return Scalars()
    axes = config.get("axis", -1)
    axes = [] if axes is None else axes if isinstance(axes, list) else [axes]
    # No axes: one mean and one variance over all, the product of nothing being 1.
    return Scalars(0, 2 * product(known(shapes[0])[axis] for axis in axes) + 1)


def _layer_scale(config: Config, shapes: Shapes) -> Scalars:
    return Scalars(int(config["projection_dim"]))


def _prelu(config: Config, shapes: Shapes) -> Scalars:
    shared, sizes = config.get("shared_axes") or [], enumerate(known(shapes[0]))
    # Axis 0 is the batch.
    return Scalars(product(size for axis, size in sizes if axis and axis not in shared))


_BATCH_NORM = LayerType(
    attributes=("axis", "epsilon", "center", "scale", "trainable", "virtual_batch_size"),
    writes=("axis", "epsilon"),
    output=same,
    masks=passed,
    vectors=_with_statistics,
    optional={"gamma": "scale", "beta": "center"},
    usual={"renorm_clipping": ()},
)

TYPES: Mapping[str, LayerType] = {
    "BatchNormalization": _BATCH_NORM,
    "SyncBatchNormalization": replace(
        _BATCH_NORM, bases=("BatchNormalization",), masks=LayerType.masks
    ),
    "LayerNormalization": LayerType(
        attributes=("axis", "epsilon", "center", "scale", "rms_scaling"),
        writes=("axis", "epsilon"),
        output=same,
        masks=passed,
        vectors=_layer_norm,
    ),
    "GroupNormalization": LayerType(
        attributes=("axis", "epsilon", "center", "scale"),
        writes=("groups", "axis"),
        output=same,
        masks=passed,
        vectors=_learned,
    ),
    "RMSNormalization": LayerType(
        attributes=("axis", "epsilon"),
        writes=("axis", "epsilon"),
        arguments=("x",),
        output=same,
        vectors=_scale,
    ),
    "Normalization": LayerType(
        attributes=("axis", "invert", "input_mean"),
        defaults={"epsilon": 1e-7, "invert": False},
        keys={"input_mean": "mean"},
        asks=(("epsilon", "epsilon"),),
        writes=("axis",),
        output=same,
        vectors=_adapted,
        renamed={"mean": "input_mean"},  # as the attribute is called
    ),
    "UnitNormalization": LayerType(writes=("axis",), output=same, masks=passed),
    "LayerScale": LayerType(writes=("projection_dim",), output=same, vectors=_layer_scale),
    "PReLU": LayerType(writes=("shared_axes",), output=same, masks=passed, vectors=_prelu),
}
