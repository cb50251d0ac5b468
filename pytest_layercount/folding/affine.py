"""The per-channel affine map ``y = scale * x + shift``.

A map is *numeric* (its two arrays are known) or *symbolic* (only its facts
are). Both carry a ``token``, which two maps share exactly when they are equal
whatever the weights: plans made with and without weights decide alike.

Batch normalization at inference is such a map: Ioffe and Szegedy, "Batch
Normalization" (2015), section 3.1, equation for inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Fact = Literal["zero_shift", "nonnegative", "unit_scale"]


@dataclass(frozen=True)
class Affine:
    """A map along ``axis`` of a value; ``axis=None`` maps every element alike.

    ``scale`` and ``shift`` are float64 arrays of shape ``(channels,)``, or
    ``None`` where the map is symbolic. A fact is True, False or, for a
    symbolic map, ``None``: it depends on weights that were not read. The facts of a map that
    is not ``trusted`` are given, not read off: its statistics are those of a layer that was
    never trained, and the next training step changes them.
    """

    axis: int | None
    channels: int
    token: tuple[Any, ...]
    scale: Array | None = None
    shift: Array | None = None
    zero_shift: bool | None = None
    nonnegative: bool | None = None
    unit_scale: bool | None = None
    trusted: bool = True

    def __post_init__(self) -> None:
        # An only channel is every element. Such a map goes wherever a number may, across a Permute
        # too: in the folded model a number may be all that is left of it.
        if self.channels == 1 and self.axis is not None:
            object.__setattr__(self, "axis", None)

    @classmethod
    def of(cls, scale: Array, shift: Array, axis: int | None, token: tuple[Any, ...]) -> Affine:
        """A numeric map whose facts are read off its arrays."""
        return cls(axis, len(scale), token, scale, shift)._with_facts()

    @property
    def symbolic(self) -> bool:
        """Whether only facts are known, no arrays."""
        return self.scale is None or self.shift is None

    def arrays(self) -> tuple[Array, Array]:
        """Scale and shift of a numeric map."""
        assert self.scale is not None
        assert self.shift is not None
        return self.scale, self.shift

    def fact(self, name: Fact) -> bool | None:
        """The fact called ``name``."""
        value: bool | None = getattr(self, name)
        return value

    def equals(self, other: Affine) -> bool:
        """Whether both are the same map whatever the weights, along the same axis."""
        return (self.token, self.axis) == (other.token, other.axis)

    def untrusted(self, *, zero_shift: bool, nonnegative: bool) -> Affine:
        """This map with facts that hold for any statistics, not just its present ones."""
        return replace(
            self, trusted=False, zero_shift=zero_shift, nonnegative=nonnegative, unit_scale=False
        )

    def held_by(self, own: Affine) -> Affine:
        """This map as that of the layer whose map was ``own``, and trusted if that was."""
        return replace(self, trusted=own.trusted)._with_facts()

    def along(self, axis: int, channels: int) -> Affine:
        """The map along ``axis``; one that maps every element alike is spread over it."""
        # The axis is no part of the token: ``equals`` compares it beside the token.
        if self.axis is not None:
            return replace(self, axis=axis)
        spread = replace(self, axis=axis, channels=channels, token=("along", self.token, channels))
        return spread._indexed(np.zeros(channels, dtype=np.intp))

    def take(self, index: Sequence[int] | NDArray[np.intp], axis: int | None) -> Affine:
        """The map whose channel ``i`` is this map's channel ``index[i]``."""
        # The indices are part of the token: two maps taken alike from the same map are equal.
        order = np.asarray(index, dtype=np.intp)
        token = ("take", self.token, order.tobytes())
        taken = replace(self, axis=axis, channels=len(order), token=token)
        return taken._indexed(order)

    def part(self, start: int, stop: int) -> Affine:
        """Channels ``start`` to ``stop``."""
        return self.take(range(start, stop), self.axis)

    def scale_only(self) -> Affine:
        """The same scale with no shift."""
        # A map without shift equals its own scale, so that branches which get either agree.
        token = self.token if self.zero_shift is True else ("scale", self.token)
        shift = None if self.shift is None else np.zeros_like(self.shift)
        return replace(self, token=token, shift=shift, zero_shift=True)

    def shift_times(self, factor: float) -> Affine:
        """The same scale with the shift multiplied by ``factor``."""
        shift = None if self.shift is None else self.shift * factor
        # No factor is zero, so what is known of the shift stays known.
        return replace(self, token=("shift", self.token, factor), shift=shift)

    def plus_shift(self, other: Affine, factor: float = 1.0) -> Affine:
        """The same scale with ``factor`` times the shift of ``other`` added."""
        shift = None
        if self.shift is not None and other.shift is not None:
            shift = self.shift + factor * other.shift
        both = replace(
            self,
            token=("plus", self.token, other.token, factor),
            shift=shift,
            zero_shift=_all(self.zero_shift, other.zero_shift),
            trusted=self.trusted and other.trusted,
        )
        return both._with_facts()

    def then(self, other: Affine) -> Affine:
        """First this map, then ``other``, along the same axis."""
        scale = shift = None
        if not (self.symbolic or other.symbolic):
            (a, b), (c, d) = self.arrays(), other.arrays()
            # c (a x + b) + d
            scale, shift = c * a, c * b + d
        both = replace(
            self,
            token=("then", self.token, other.token),
            scale=scale,
            shift=shift,
            zero_shift=_all(self.zero_shift, other.zero_shift),
            nonnegative=_all(self.nonnegative, other.nonnegative),
            unit_scale=_all(self.unit_scale, other.unit_scale),
            trusted=self.trusted and other.trusted,
        )
        return both._with_facts()

    def _indexed(self, order: NDArray[np.intp]) -> Affine:
        if self.scale is None or self.shift is None:
            return self
        return replace(self, scale=self.scale[order], shift=self.shift[order])._with_facts()

    def _with_facts(self) -> Affine:
        if not self.trusted or self.scale is None or self.shift is None:
            return self
        return replace(
            self,
            zero_shift=not self.shift.any(),
            nonnegative=bool((self.scale >= 0).all()),
            unit_scale=bool((self.scale == 1).all()),
        )


def joined(parts: Sequence[Affine], axis: int) -> Affine:
    """The map that applies each of ``parts`` to its own run of channels."""
    # One symbolic part makes the whole symbolic.
    scales = [part.scale for part in parts if part.scale is not None]
    shifts = [part.shift for part in parts if part.shift is not None]
    known = len(scales) == len(shifts) == len(parts)
    return Affine(
        axis=axis,
        channels=sum(part.channels for part in parts),
        token=("joined", *(part.token for part in parts)),
        scale=np.concatenate(scales) if known else None,
        shift=np.concatenate(shifts) if known else None,
        zero_shift=_all(*(part.zero_shift for part in parts)),
        nonnegative=_all(*(part.nonnegative for part in parts)),
        unit_scale=_all(*(part.unit_scale for part in parts)),
        trusted=all(part.trusted for part in parts),
    )._with_facts()


def identity(axis: int, channels: int) -> Affine:
    """The map that changes nothing."""
    return Affine.of(np.ones(channels), np.zeros(channels), axis, ("identity", channels))


def _all(*facts: bool | None) -> bool | None:
    # True needs all, False one: two shifts may cancel, but a symbolic map cannot count on it. Of a
    # numeric map the facts are read off its arrays anyway.
    if all(fact is True for fact in facts):
        return True
    return None if all(fact is not False for fact in facts) else False
