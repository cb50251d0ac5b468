"""Layers whose kernel sees all features at once, and tables of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import (
    Call,
    Config,
    Kernel,
    LayerType,
    Scalars,
    Shapes,
    Sizes,
    bias,
    last,
    one,
    passed,
    product,
)
from pytest_layercount.model.layers.einsum import Einsum, einsum


def _features(config: Config, shape: Sizes) -> Shape:
    return (*shape[:-1], config["units"])


def _kernel(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    units = int(config["units"]) if output is None else last(output)
    # Applied at each position between the batch and the features.
    return (Kernel(last(shapes[0]) * units, (shapes[0] or ())[1:-1]),)


def _bias(config: Config, shapes: Shapes) -> Scalars:
    return bias(config, int(config["units"]))


def _einsum(call: Call) -> list[Shape]:
    config = call.config
    built = einsum(config, call.shape)
    if built is None or built.output is None:
        return [None]
    output, wanted = list(built.output), config.get("output_shape")
    if call.generation == 3 and isinstance(wanted, list) and len(wanted) == len(output) - 1:
        output[1:] = wanted  # Keras 3 takes a size that is left open for unknown
    return [tuple(output)]


def _built(config: Config, shapes: Shapes, output: Shape = None) -> Einsum:
    built = einsum(config, shapes[0], output)
    if built is None:
        raise ValueError("the sizes of its kernel are not known")
    return built


def _einsum_kernel(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    built = _built(config, shapes, output)
    return (Kernel(product(built.kernel), built.positions),)


def _einsum_bias(config: Config, shapes: Shapes) -> Scalars:
    axes = _built(config, shapes).bias
    return Scalars(product(axes) if axes else 0)


def _looked_up(config: Config, shape: Sizes) -> Shape:
    return (*shape, config["output_dim"])


def _table(config: Config, shapes: Shapes) -> Scalars:
    """No kernel: its rows are picked, not multiplied."""
    return Scalars(int(config["input_dim"]) * int(config["output_dim"]))


def _tables(config: Config, shapes: Shapes) -> Scalars:
    table = _table(config, shapes)
    return table if config.get("tie_weights", True) else table | table


def _drawn(config: Config, shape: Sizes) -> Shape:
    return (*shape[:-1], config["output_dim"])


def _random_features(config: Config, shapes: Shapes) -> Scalars:
    """Kernel and bias stay as they were drawn; only a scale of the kernel may be trained."""
    units = int(config["output_dim"])
    return Scalars(1, (last(shapes[0]) + 1) * units)


def _masks_zero(config: Config, masked: Sequence[bool]) -> bool:
    return bool(config.get("mask_zero"))


TYPES: Mapping[str, LayerType] = {
    "Dense": LayerType(
        attributes=("units", "use_bias", "activation"),
        writes=("units",),
        output=one(_features),
        masks=passed,
        kernels=_kernel,
        vectors=_bias,
        optional={"bias": "use_bias"},
    ),
    "EinsumDense": LayerType(
        attributes=("equation", "bias_axes", "activation"),
        writes=("equation",),
        output=_einsum,
        kernels=_einsum_kernel,
        vectors=_einsum_bias,
        optional={"bias": "bias_axes"},
    ),
    "Embedding": LayerType(
        attributes=("output_dim", "mask_zero"),
        defaults={"mask_zero": False},
        writes=("input_dim", "output_dim"),
        output=one(_looked_up),
        masks=_masks_zero,
        vectors=_table,
    ),
    "RandomFourierFeatures": LayerType(
        writes=("output_dim",), output=one(_drawn), vectors=_random_features, work_unknown=True
    ),
    "ReversibleEmbedding": LayerType(
        writes=("input_dim", "output_dim"),
        bases=("Embedding",),
        output=one(_looked_up),
        vectors=_tables,
    ),
}
