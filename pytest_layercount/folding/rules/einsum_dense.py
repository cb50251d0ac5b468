"""EinsumDense: a linear layer on any axes, its kernel laid out by an equation.

In ``ab...,bc->ac...`` each letter is an axis. A map along the output axis with
letter ``l`` multiplies the kernel along its own axis ``l``; a letter that the
kernel lacks is an axis the layer only carries, where nothing can be absorbed.
The same holds on the input side, where the response to a shift ``t`` is the
kernel times ``t``, summed over the letters that the output lacks. Input letters
that neither kernel nor output have are summed too: they multiply the
response by their size.

The bias has the axes named in ``bias_axes``. A map that makes it vary along others
adds these: a change of configuration.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import (
    Absorbs,
    Rule,
    Site,
    Stop,
    Weights,
    added_elsewhere,
    aligned,
)
from pytest_layercount.folding.rules.weighted import through_activation
from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.einsum import Letters, letters_of


class EinsumDense(Rule):
    """A kernel, then a bias, both over the axes that the equation names."""

    types = ("EinsumDense",)
    weights = ("kernel", "bias")

    def absorb_after(self, site: Site, affine: Affine) -> Absorbs:
        needs = through_activation(site)
        letters = _letters(site)
        here = _here(letters, letters.output, affine, site.output)
        taken = affine.scale_only() if needs else affine
        return replace(_absorbs(site, letters, _axes_after(site, here, taken)), needs=needs)

    def absorb_before(self, site: Site, affine: Affine) -> Absorbs:
        letters = _letters(site)
        _here(letters, letters.input, affine, site.input)
        if affine.zero_shift is not True and _times(site, letters) is None:
            raise Stop("unknown-shape")
        return _absorbs(site, letters, _axes_before(site, letters, affine))

    def after(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
        letters, here, scale, shift = _parts(site, affine, after=True)
        new = {"kernel": weights["kernel"] * _along(scale, here, letters.kernel)}
        axes = _axes_after(site, here, affine)
        if axes:
            bias = _full_bias(site, letters, weights) * _along(scale, here, letters.output)
            bias = bias + _along(shift, here, letters.output)
            new["bias"] = _laid_bias(site, letters, axes, bias)
        return new

    def before(self, site: Site, weights: Weights, affine: Affine) -> dict[str, Array]:
        letters, here, scale, shift = _parts(site, affine, after=False)
        kernel = weights["kernel"]
        new = {"kernel": kernel * _along(scale, here, letters.kernel)}
        axes = _axes_before(site, letters, affine)
        if axes:
            bias = _full_bias(site, letters, weights)
            if affine.zero_shift is not True:
                times = _times(site, letters)
                assert times is not None
                response = kernel * _along(shift, here, letters.kernel) * times
                bias = bias + _summed(response, letters)
            new["bias"] = _laid_bias(site, letters, axes, bias)
        return new


def _letters(site: Site) -> Letters:
    """The equation taken apart; nothing is absorbed if a letter stands twice in one operand."""
    found = letters_of(site.config["equation"])
    if found is None:
        raise Stop("nonlinear")
    letters, _ = found
    if any(len(set(part)) < len(part) for part in (letters.input, letters.kernel, letters.output)):
        raise Stop("nonlinear")
    return letters


def _here(letters: Letters, side: str, affine: Affine, shape: Shape) -> str:
    """The letter along which the map runs."""
    if shape is None:
        raise Stop("unknown-shape")
    letter = letters.letter(side, affine.axis, len(shape))
    if letter is None:
        raise Stop("channel-axis")
    aligned(affine, shape, letters.axis(side, letter, len(shape)))
    return letter


def _parts(site: Site, affine: Affine, *, after: bool) -> tuple[Letters, str, Array, Array]:
    letters = _letters(site)
    side, shape = (letters.output, site.output) if after else (letters.input, site.input)
    here = _here(letters, side, affine, shape)
    assert shape is not None
    axis = letters.axis(side, here, len(shape))
    return letters, here, *affine.along(axis, int(shape[axis] or 0)).arrays()


def _axes_after(site: Site, here: str, affine: Affine) -> str:
    """The letters of the bias once it has taken up a map along ``here``."""
    own = site.config["bias_axes"] or ""
    if here in own or (not own and affine.zero_shift is True):
        return own
    return own + here


def _axes_before(site: Site, letters: Letters, affine: Affine) -> str:
    own = site.config["bias_axes"] or ""
    if affine.zero_shift is True:
        return own
    return own + "".join(
        each for each in letters.output if each in letters.kernel and each not in own
    )


def _absorbs(site: Site, letters: Letters, axes: str) -> Absorbs:
    own = site.config["bias_axes"] or ""
    if any(added_elsewhere(_bias_shape(site, letters, each), site.output) for each in (own, axes)):
        raise Stop("ambiguous-axis")
    if axes == own:
        return Absorbs()
    sizes = [_size(site, letters, each) for each in axes]
    if 0 in sizes:
        raise Stop("unknown-shape")
    before = math.prod(_size(site, letters, each) for each in own) if own else 0
    return Absorbs(changes={"bias_axes": axes}, adds=math.prod(sizes) - before)


def _size(site: Site, letters: Letters, letter: str) -> int:
    """The size of an output axis, 0 where it is not known."""
    assert site.output is not None
    return int(site.output[letters.axis(letters.output, letter, len(site.output))] or 0)


def _times(site: Site, letters: Letters) -> int | None:
    """How often the response to a shift is summed over axes of the input alone."""
    assert site.input is not None
    alone = [each for each in letters.input if each not in letters.kernel + letters.output]
    sizes = [site.input[letters.axis(letters.input, each, len(site.input))] for each in alone]
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def _along(array: Array, letter: str, letters: str) -> Array:
    """A vector in the rank of ``letters``, along ``letter``."""
    return array.reshape([-1 if each == letter else 1 for each in letters])


def _summed(response: Array, letters: Letters) -> Array:
    """The response over the axes of the output, 1 where the kernel has none."""
    gone = tuple(axis for axis, each in enumerate(letters.kernel) if each not in letters.output)
    left = [each for each in letters.kernel if each in letters.output]
    summed: Array = response.sum(axis=gone)
    ordered = summed.transpose([left.index(each) for each in letters.output if each in left])
    return ordered.reshape(_shape(letters, left, dict(zip(left, summed.shape, strict=True))))


def _full_bias(site: Site, letters: Letters, weights: Weights) -> Array:
    """The bias over all axes of the output, 1 where it has none."""
    own = site.config["bias_axes"] or ""
    if "bias" not in weights:
        return np.zeros((1,) * len(letters.output))
    sizes = {each: _size(site, letters, each) for each in own}
    return weights["bias"].reshape(_shape(letters, own, sizes))


def _laid_bias(site: Site, letters: Letters, axes: str, bias: Array) -> Array:
    """A bias over all axes of the output, in the shape in which Keras keeps it."""
    sizes = {each: _size(site, letters, each) for each in axes}
    full = np.broadcast_to(bias, _shape(letters, axes, sizes))
    return full.reshape(_bias_shape(site, letters, axes))


def _bias_shape(site: Site, letters: Letters, axes: str) -> tuple[int, ...]:
    """The shape in which Keras keeps a bias: from its first axis on, 1 where it has none."""
    if not axes:
        return ()
    sizes = {each: _size(site, letters, each) for each in axes}
    first = min(letters.output.index(each) for each in axes)
    assert site.output is not None
    behind = 0 if letters.left else len(site.output) - len(letters.output)
    return _shape(letters, axes, sizes)[first:] + (1,) * behind


def _shape(letters: Letters, axes: str | list[str], sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(sizes[each] if each in axes else 1 for each in letters.output)
