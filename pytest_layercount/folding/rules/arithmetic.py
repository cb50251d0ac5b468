"""Arithmetic with a constant: ``x * c``, ``x + c``, ``x - c``, ``c - x`` and ``x / c``.

Each is the affine map with scale c, 1, 1, -1 or 1 / c. It is per channel where
the constant is a single number or varies along one axis only. Of a quotient of two
tensors the first is scaled with it: ``(s x) / y = s (x / y)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import (
    ZERO_SHIFT,
    Need,
    Site,
    Stop,
    Through,
    Weights,
    added_elsewhere,
    map_of,
    only_axis,
)
from pytest_layercount.model.graph import Shape, Value, leaves


class Divide(Through):
    """Division, which is a map where the divisor is a constant, and linear in what is divided."""

    operations = ("divide",)

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        return constant_map(site) if constants(site) else None

    def needs(self, site: Site) -> tuple[Need, ...]:
        return (ZERO_SHIFT,)

    def up(self, site: Site, affine: Affine) -> Affine:
        # In ``c / x`` the value is what is divided by, which is not linear.
        if not isinstance(operands(site)[0], Value):
            raise Stop("nonlinear")
        if constants(site):
            raise Stop("fixed-weights")
        if not spans(site, site.input, affine):
            raise Stop("channel-axis")
        return affine


class Negative(Through):
    """The same numbers with the other sign."""

    operations = ("negative",)

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        return Affine.of(-np.ones(1), np.zeros(1), None, ("layer", site.layer.path))

    def up(self, site: Site, affine: Affine) -> Affine:
        # s (-x) + t = -(s x - t)
        return affine.shift_times(-1.0)


def operands(site: Site) -> list[Any]:
    """What is combined, values and constants, in order."""
    named = [value for name, value in site.node.kwargs.items() if name != "name"]
    return list(leaves((site.node.args, named)))


def constants(site: Site) -> list[Any]:
    """The operands that are not values of the graph."""
    return [operand for operand in operands(site) if not isinstance(operand, Value)]


def spans(site: Site, shape: Shape, affine: Affine) -> bool:
    """Whether an input of this ``shape`` has all channels of the map, and is not broadcast."""
    if shape is None or site.output is None or len(shape) != len(site.output):
        return False
    if affine.axis is None:
        return True
    return shape[affine.axis] == site.output[affine.axis] == affine.channels


def constant_map(site: Site) -> Affine | None:
    """The map of an operation between one value and one constant, None if it is none.

    Raises:
        Stop: some Keras adds the constant along another axis.
    """
    both = operands(site)
    # A constant with more axes, or longer ones, would broadcast the value: that is no map of it.
    if len(both) != 2 or len(constants(site)) != 1 or site.output != site.input:
        return None
    first = isinstance(both[0], Value)
    constant = _as_array(both[1] if first else both[0])
    if constant is None or site.input is None:
        return None
    axis = only_axis(constant.shape, len(site.input))
    if axis is None and constant.size != 1:
        return None
    kind = site.layer.operation or site.layer.type.lower()
    # Subtraction, multiplication and division broadcast as NumPy does.
    if kind == "add" and added_elsewhere(constant.shape, site.output):
        raise Stop("ambiguous-axis")
    scale_and_shift = _scale_and_shift(kind, constant.ravel(), first)
    if scale_and_shift is None:
        return None
    return map_of(site, *scale_and_shift, axis)


def _scale_and_shift(kind: str, constant: Array, first: bool) -> tuple[Array, Array] | None:
    ones, zeros = np.ones_like(constant), np.zeros_like(constant)
    if kind == "multiply":
        return constant, zeros
    if kind == "add":
        return ones, constant
    if kind == "subtract":
        return (ones, -constant) if first else (-ones, constant)
    if kind == "divide" and first:
        # 1 / 0 is infinite, and ``map_of`` refuses it.
        with np.errstate(divide="ignore"):
            return 1 / constant, zeros
    return None


def _as_array(constant: Any) -> Array | None:
    """A number, array, eager tensor or variable as float64; None for anything else."""
    held = type(constant).__name__ == "EagerTensor" or hasattr(constant, "assign")
    plain = constant.numpy() if held else constant
    if isinstance(plain, (bool, str)) or not isinstance(
        plain, (int, float, list, tuple, np.ndarray, np.generic)
    ):
        return None
    # Complex numbers, truth values and objects are no scale.
    array = np.asarray(plain)
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None
