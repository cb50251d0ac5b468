"""The equation of an einsum, taken apart, and the sizes behind its letters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_layercount.model.graph import Shape


class Letters(NamedTuple):
    """The operands of an EinsumDense without their ellipsis, and whether that stands left.

    "...x,xy->...y" has the letters "x", "xy" and "y", and left is True: letters are counted from
    the end of a shape, and else from its start.
    """

    input: str
    kernel: str
    output: str
    left: bool

    def axis(self, letters: str, letter: str, rank: int) -> int:
        """The axis of ``letter`` in a tensor of ``rank`` axes."""
        return letters.index(letter) + (rank - len(letters) if self.left else 0)

    def letter(self, letters: str, axis: int | None, rank: int) -> str | None:
        """The letter at ``axis`` if the kernel has it; for no axis, the last that it has."""
        if axis is None:
            return next((letter for letter in reversed(letters) if letter in self.kernel), None)
        place = axis - (rank - len(letters) if self.left else 0)
        found = letters[place] if 0 <= place < len(letters) else ""
        return found if found and found in self.kernel else None


class Einsum(NamedTuple):
    """An EinsumDense built on an input of known rank.

    ``positions`` are the sizes of the axes that the kernel lacks.
    """

    kernel: tuple[int | None, ...]
    bias: tuple[int | None, ...]
    output: Shape
    positions: tuple[int | None, ...]


def operands(equation: Any) -> tuple[list[str], str]:
    """The operands of an equation, and its result."""
    taken, _, made = str(equation).replace(" ", "").partition("->")
    return taken.split(","), made


def letters_of(equation: Any) -> tuple[Letters, bool] | None:
    """The letters of an EinsumDense, and whether the input has an ellipsis."""
    taken, made = operands(equation)
    source, kernel = (taken[0], taken[1]) if len(taken) == 2 else ("", "")
    if not kernel or not made:
        return None
    first, second, third = (part.strip(".") for part in (source, kernel, made))
    return Letters(first, second, third, left=source.startswith(".")), "." in source


def einsum(config: Mapping[str, Any], shape: Shape, output: Shape = None) -> Einsum | None:
    """Kernel, bias and output shape; None for what Keras itself would not build.

    The sizes that the input does not tell are those that ``config`` wants, or else, of a
    layer that was called already, those of its ``output``.
    """
    parsed, wanted = letters_of(config.get("equation", "")), _wanted(config, output)
    if shape is None or parsed is None:
        return None
    (letters, elides), first, last = parsed, parsed[0].input, parsed[0].output
    elided = len(shape) - len(first)
    if elided < 0 or (elided and not elides):
        return None
    # The shape is that of the ellipsis (in front or behind) and of the letters.
    own = shape[elided:] if letters.left else shape[: len(first)]
    middle = shape[:elided] if letters.left else ()
    after = () if letters.left else shape[len(first) :]
    # Sizes by letter, first from the input, then those that only the output has.
    sizes: dict[str, int | None] = dict(zip(first, own, strict=True))
    named = last if letters.left else last[1:]  # the batch has no place among the sizes wanted
    rest = wanted[-len(named) :] if letters.left else wanted[: len(named)]
    if len(rest) != len(named):
        return None
    made = dict(zip(named, rest, strict=True))
    sizes.update({letter: size for letter, size in made.items() if size is not None})
    # A letter that the kernel lacks is a position at which the kernel is applied.
    carried = [size for letter, size in sizes.items() if letter not in letters.kernel]
    return Einsum(
        kernel=tuple(sizes.get(letter) for letter in letters.kernel),
        bias=tuple(sizes.get(letter) for letter in config.get("bias_axes") or ""),
        output=(*middle, *(sizes.get(letter) for letter in last), *after),
        positions=(*middle, *carried, *after),
    )


def _wanted(config: Mapping[str, Any], output: Shape) -> Sequence[int | None]:
    wanted = config.get("output_shape")
    if wanted is None and output is not None:
        return output[1:]
    return wanted if isinstance(wanted, (list, tuple)) else [wanted]


def multiplied(equation: str, left: Sequence[int], right: Sequence[int]) -> int | None:
    """The products of an einsum of two tensors; None for an equation with an ellipsis."""
    taken, _ = operands(equation)
    if "..." in equation or len(taken) != 2:
        return None
    # Each combination of all letters is one product.
    sizes = dict(zip(taken[0], left, strict=False)) | dict(zip(taken[1], right, strict=False))
    return math.prod(sizes.values())
