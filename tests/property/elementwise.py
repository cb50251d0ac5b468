"""Affine maps, normalizations, activations and noise layers, at random."""

from __future__ import annotations

from typing import Any

from tests.property.kinds import Draw, Kind, flip, nothing, pick, same
from tests.property.recipe import Shape

ANY = (1, 2, 3, 4)


def _batch_norm(draw: Draw, shape: Shape) -> dict[str, Any]:
    axis = pick(draw, -1, -1, -1, 1, *range(1, len(shape) + 1))
    config = {"axis": axis, "center": not _rarely(draw), "scale": not _rarely(draw)}
    return {name: value for name, value in config.items() if value not in (-1, True)} | (
        {"axis": 1} if axis == 1 else {}
    )


def _rarely(draw: Draw) -> bool:
    return bool(pick(draw, False, False, False, True))


def _rescaling(draw: Draw, shape: Shape) -> dict[str, Any]:
    if flip(draw):
        return {"scale": pick(draw, 0.5, -2.0), "offset": pick(draw, 0.0, 0.25)}
    return {"scale": _channels(shape[-1], 0.3), "offset": _channels(shape[-1], -0.1)}


def _normalization(draw: Draw, shape: Shape) -> dict[str, Any]:
    config: dict[str, Any] = {"axis": -1, "mean": _channels(shape[-1], 0.1)}
    config["variance"] = tuple(1.0 + 0.5 * number for number in range(shape[-1]))
    if flip(draw):
        config = {"axis": None, "mean": 0.5, "variance": 2.0}
    return config | ({"invert": True} if _rarely(draw) else {})


def _channels(count: int, step: float) -> tuple[float, ...]:
    """Numbers of both signs, none of them zero."""
    return tuple(round((number - count // 2 + 0.5) * step, 3) for number in range(count))


def _constant(draw: Draw, shape: Shape) -> dict[str, Any]:
    """A raw operation's constant: a number, one for each channel, or laid along another axis."""
    kind = pick(draw, "number", "channels", "first")
    constant: Any = pick(draw, 2.0, -0.5)
    if kind == "channels":
        constant = _channels(shape[-1], 0.4)
    elif kind == "first" and len(shape) == 2:
        constant = tuple((value,) for value in _channels(shape[0], 0.4))
    # An array on the left would try to take the symbolic tensor apart itself.
    swapped = isinstance(constant, float) and flip(draw)
    return {"constant": constant} | ({"swapped": True} if swapped else {})


def _divisor(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"constant": pick(draw, 2.0, _channels(shape[-1], 0.4))}


def _activation(draw: Draw, shape: Shape) -> dict[str, Any]:
    names = ("relu", "linear", "relu6", "softmax", "swish", "tanh", "elu", "sigmoid", "gelu")
    return {"activation": pick(draw, *names)}


def _relu(draw: Draw, shape: Shape) -> dict[str, Any]:
    configs = ({}, {"negative_slope": 0.2}, {"max_value": 6.0}, {"threshold": 0.5})
    return dict(pick(draw, *configs))


def _prelu(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"shared_axes": [1]} if len(shape) > 1 and flip(draw) else {}


def _layer_norm(draw: Draw, shape: Shape) -> dict[str, Any]:
    axes: list[Any] = [-1, 1]
    if len(shape) > 1:
        axes += [(1, 2), (-1, 1)]
    config = {"axis": pick(draw, *axes), "center": flip(draw), "scale": flip(draw)}
    return {name: value for name, value in config.items() if value is not True}


def _group_norm(draw: Draw, shape: Shape) -> dict[str, Any]:
    groups = [g for g in (1, 2, -1) if shape[-1] % g == 0]
    config = {"groups": pick(draw, *groups), "center": flip(draw), "scale": flip(draw)}
    return {name: value for name, value in config.items() if value is not True}


def _rate(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"rate": 0.5}


def _attention(draw: Draw, shape: Shape) -> dict[str, Any]:
    config = {"num_heads": pick(draw, 2, 1), "key_dim": 2}
    return config | ({} if flip(draw) else {"use_bias": False})


BATCH_NORM = Kind("BatchNormalization", ANY, _batch_norm, same)

AFFINE = (
    BATCH_NORM,
    BATCH_NORM,
    BATCH_NORM,
    BATCH_NORM,
    BATCH_NORM,
    Kind("Rescaling", ANY, _rescaling, same),
    Kind("Normalization", ANY, _normalization, same),
    *(Kind(name, (1, 2, 3), _constant, same) for name in ("multiply", "add", "subtract")),
    Kind("divide", (1, 2, 3), _divisor, same),
)

POINTWISE = (
    Kind("Activation", ANY, _activation, same),
    Kind("ReLU", ANY, _relu, same),
    Kind("relu", ANY, nothing, same),
    Kind("LeakyReLU", ANY, nothing, same),
    Kind("PReLU", ANY, _prelu, same),
    Kind("ELU", ANY, nothing, same),
    Kind("Softmax", ANY, nothing, same),
    Kind("Dropout", ANY, _rate, same),
    Kind("GaussianDropout", ANY, _rate, same),
    Kind("GaussianNoise", ANY, lambda draw, shape: {"stddev": 0.5}, same),
    Kind("SpatialDropout1D", (2,), _rate, same),
    Kind("SpatialDropout2D", (3,), _rate, same),
    Kind("ActivityRegularization", ANY, lambda draw, shape: {"l2": 0.1}, same),
    Kind("Identity", ANY, nothing, same),
    Kind("LayerNormalization", ANY, _layer_norm, same),
    Kind("GroupNormalization", (2, 3), _group_norm, same),
    Kind("RMSNormalization", ANY, nothing, same),
    Kind("UnitNormalization", ANY, nothing, same),
    Kind("MultiHeadAttention", (2,), _attention, same),
)

STOCHASTIC = ("Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D")
