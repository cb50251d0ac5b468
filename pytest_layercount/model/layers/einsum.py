"""The sizes behind the letters of an EinsumDense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_layercount.model.graph import Shape


class Einsum(NamedTuple):
    """An EinsumDense built on an input of known rank."""

    kernel: tuple[int | None, ...]
    bias: tuple[int | None, ...]
    output: Shape


def einsum(config: Mapping[str, Any], shape: Shape) -> Einsum | None:
    """Kernel, bias and output shape; None for what Keras itself would not build."""
    given, _, output = str(config.get("equation", "")).replace(" ", "").partition("->")
    source, _, kernel = given.partition(",")
    wanted = config.get("output_shape")
    wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    if shape is None or not kernel or not output:
        return None
    first, last = source.strip("."), output.strip(".")
    elided = len(shape) - len(first)
    if elided < 0 or (elided and "." not in source):
        return None
    left = source.startswith(".")
    own = shape[elided:] if left else shape[: len(first)]
    sizes: dict[str, int | None] = dict(zip(first, own, strict=True))
    named = last if left else last[1:]  # the batch has no place among the sizes wanted
    rest = wanted[-len(named) :] if left else wanted[: len(named)]
    if len(rest) != len(named):
        return None
    made = dict(zip(named, rest, strict=True))
    sizes.update({letter: size for letter, size in made.items() if size is not None})
    middle = shape[:elided] if left else ()
    after = () if left else shape[len(first) :]
    bias = config.get("bias_axes") or ""
    return Einsum(
        kernel=tuple(sizes.get(letter) for letter in kernel.strip(".")),
        bias=tuple(sizes.get(letter) for letter in bias),
        output=(*middle, *(sizes.get(letter) for letter in last), *after),
    )
