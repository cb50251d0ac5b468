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
    Maps,
    Rule,
    Side,
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

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs:
        affine = maps[0]
        needs = through_activation(site) if side == "after" else ()
        letters = _letters(site)
        here = _here(site, letters, side, affine)
        if side == "before" and affine.zero_shift is not True and _times(site, letters) is None:
            raise Stop("unknown-shape")
        # Only a map without shift gets through an activation, so the bias need not grow for it.
        taken = affine.scale_only() if needs else affine
        axes = _axes(site, letters, side, here, taken)
        return replace(_absorbs(site, letters, axes), needs=needs)

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        affine, kernel, letters = maps[0], weights["kernel"], _letters(site)
        here = _here(site, letters, side, affine)
        scale, shift = aligned(affine, *_place(site, letters, side, here)).arrays()
        new = {"kernel": kernel * _along(scale, here, letters.kernel)}
        axes = _axes(site, letters, side, here, affine)
        if not axes:
            return new
        bias = _full_bias(site, letters, weights)
        if side == "after":
            # s (K x + b) + t = (s K) x + (s b + t), where s and t run along the letter ``here``
            bias = bias * _along(scale, here, letters.output) + _along(shift, here, letters.output)
        elif affine.zero_shift is not True:
            times = _times(site, letters)
            assert times is not None
            # K (s x + t) + b = (K s) x + (b + K t)
            bias = bias + _summed(kernel * _along(shift, here, letters.kernel) * times, letters)
        return {**new, "bias": _laid_bias(site, letters, axes, bias)}


def _letters(site: Site) -> Letters:
    """The equation taken apart.

    Raises:
        Stop: it cannot be, or a letter stands twice in one operand (a diagonal).
    """
    parsed = letters_of(site.config["equation"])
    if parsed is None:
        raise Stop("nonlinear")
    letters, _ = parsed
    if any(len(set(part)) < len(part) for part in (letters.input, letters.kernel, letters.output)):
        raise Stop("nonlinear")
    return letters


def _here(site: Site, letters: Letters, side: Side, affine: Affine) -> str:
    """The letter along which the map runs.

    Raises:
        Stop: it runs along an axis that the kernel lacks, or shapes are not known.
    """
    shape = site.shape(side)
    if shape is None:
        raise Stop("unknown-shape")
    letter = letters.letter(_of(letters, side), affine.axis, len(shape))
    if letter is None:
        raise Stop("channel-axis")
    aligned(affine, *_place(site, letters, side, letter))
    return letter


def _place(site: Site, letters: Letters, side: Side, letter: str) -> tuple[Shape, int]:
    """The shape on that side, and the axis in it that ``letter`` stands for."""
    shape = site.shape(side)
    assert shape is not None
    return shape, letters.axis(_of(letters, side), letter, len(shape))


def _of(letters: Letters, side: Side) -> str:
    return letters.output if side == "after" else letters.input


def _axes(site: Site, letters: Letters, side: Side, here: str, affine: Affine) -> str:
    """The letters of the bias once it has taken up a map along ``here``."""
    own = site.config["bias_axes"] or ""
    # Before the layer a scale leaves the bias alone. After it a scale multiplies the bias, which
    # then varies along the letter as well, unless there is none.
    if affine.zero_shift is True and (side == "before" or not own):
        return own
    # The response to a shift varies along whatever is left of the kernel in the output.
    kept = [letter for letter in letters.output if letter in letters.kernel]
    varies = here if side == "after" else kept
    return own + "".join(letter for letter in varies if letter not in own)


def _absorbs(site: Site, letters: Letters, axes: str) -> Absorbs:
    own = site.config["bias_axes"] or ""
    # As the bias is now and as it would be: a wrong axis today must not become right by a fold.
    if any(added_elsewhere(_bias_shape(site, letters, some), site.output) for some in (own, axes)):
        raise Stop("ambiguous-axis")
    if axes == own:
        return Absorbs()
    sizes = [_size(site, letters, letter) for letter in axes]
    if 0 in sizes:
        raise Stop("unknown-shape")
    before = math.prod(_size(site, letters, letter) for letter in own) if own else 0
    return Absorbs(changes={"bias_axes": axes}, adds=math.prod(sizes) - before)


def _size(site: Site, letters: Letters, letter: str) -> int:
    """The size of an output axis, 0 where it is not known."""
    assert site.output is not None
    return int(site.output[letters.axis(letters.output, letter, len(site.output))] or 0)


def _times(site: Site, letters: Letters) -> int | None:
    """How often the response to a shift is summed over axes of the input alone."""
    assert site.input is not None
    alone = [letter for letter in letters.input if letter not in letters.kernel + letters.output]
    sizes = [site.input[letters.axis(letters.input, letter, len(site.input))] for letter in alone]
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def _along(array: Array, letter: str, letters: str) -> Array:
    """A vector in the rank of ``letters``, along ``letter``."""
    return array.reshape([-1 if other == letter else 1 for other in letters])


def _summed(response: Array, letters: Letters) -> Array:
    """The response over the axes of the output, 1 where the kernel has none."""
    gone = tuple(axis for axis, letter in enumerate(letters.kernel) if letter not in letters.output)
    # Summed over the letters that the output lacks, brought into its order, and given axes of size
    # 1 where the kernel has no letter: ``ab,bdc->adc`` leaves ``dc``, of shape ``(1, d, c)``.
    left = [letter for letter in letters.kernel if letter in letters.output]
    summed: Array = response.sum(axis=gone)
    ordered = summed.transpose([left.index(letter) for letter in letters.output if letter in left])
    return ordered.reshape(_shape(letters, left, dict(zip(left, summed.shape, strict=True))))


def _full_bias(site: Site, letters: Letters, weights: Weights) -> Array:
    """The bias over all axes of the output, 1 where it has none."""
    own = site.config["bias_axes"] or ""
    if "bias" not in weights:
        return np.zeros((1,) * len(letters.output))
    sizes = {letter: _size(site, letters, letter) for letter in own}
    return weights["bias"].reshape(_shape(letters, own, sizes))


def _laid_bias(site: Site, letters: Letters, axes: str, bias: Array) -> Array:
    """A bias over all axes of the output, in the shape in which Keras keeps it."""
    sizes = {letter: _size(site, letters, letter) for letter in axes}
    full = np.broadcast_to(bias, _shape(letters, axes, sizes))
    return full.reshape(_bias_shape(site, letters, axes))


def _bias_shape(site: Site, letters: Letters, axes: str) -> tuple[int, ...]:
    """The shape in which Keras keeps a bias: from its first axis on, 1 where it has none."""
    if not axes:
        return ()
    sizes = {letter: _size(site, letters, letter) for letter in axes}
    first = min(letters.output.index(letter) for letter in axes)
    assert site.output is not None
    # The equation ``ab...,bc->ac...`` has axes behind its letters that it does not name.
    behind = 0 if letters.left else len(site.output) - len(letters.output)
    return _shape(letters, axes, sizes)[first:] + (1,) * behind


def _shape(letters: Letters, axes: str | list[str], sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(sizes[each] if each in axes else 1 for each in letters.output)
