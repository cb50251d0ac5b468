"""The four questions a rule answers, and the forms an answer takes.

1. ``affine``: is this call a per-channel affine map? Which?
2. ``absorb``: can it take up a map applied to its output (``"after"`` it)?
3. Or one applied to its input (``"before"`` it)? ``absorbed`` are its weights then.
4. ``pass_up`` and ``pass_down``: can a map move through it?

A rule says no by raising a ``Stop``, and says why. An answer never looks further than
its own call: consumers, sharing, outputs and training are the planner's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pytest_layercount.folding.affine import Affine, Array, Fact
from pytest_layercount.model.graph import Layer, Node, Shape
from pytest_layercount.model.layers.base import is_first

Weights = Mapping[str, Array]
Maps = Mapping[int, Affine]
"""Maps on inputs, by slot, or on outputs, by number."""
Side = Literal["after", "before"]
"""Where a map is that a layer takes up: ``after`` on its output, ``before`` on its input."""


@dataclass(frozen=True)
class Site:
    """One call of a layer, with all that a rule may look at."""

    layer: Layer
    node: Node
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]

    @property
    def config(self) -> Mapping[str, Any]:
        """The layer's normalised attributes."""
        return self.layer.config

    @property
    def input(self) -> Shape:
        """The shape of the first input."""
        return self.shape("before")

    @property
    def output(self) -> Shape:
        """The shape of the first output."""
        return self.shape("after")

    def shape(self, side: Side, slot: int = 0) -> Shape:
        """The shape of an output (``after``) or input (``before``), None where it is not known."""
        shapes = self.outputs if side == "after" else self.inputs
        return shapes[slot] if slot < len(shapes) else None

    def setting(self, place: int | None, *names: str) -> Any:
        """A setting as the call passes it, at ``place`` or by name, else the layer's own.

        Keras 2 passes an operation's settings with the call; Keras 3 keeps them in the layer.
        """
        node = self.node
        # Without a place no positional argument may match, so it is looked for behind all of them.
        passed = node.argument(len(node.args) if place is None else place, *names)
        if passed is not None:
            return passed
        return next((self.config[name] for name in names if name in self.config), None)


class Stop(Exception):
    """Raised to say no, for the reason with this code (see ``folding/reasons.py``).

    ``blocker`` is the path of the layer it is about, empty for the one that was asked.
    """

    def __init__(self, reason: str, blocker: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.blocker = blocker


@dataclass(frozen=True)
class Need:
    """A fact that must hold for an answer to stand, and the reason if it does not."""

    fact: Fact
    otherwise: str


@dataclass(frozen=True)
class Absorbs:
    """Yes, given ``needs``.

    ``changes`` are the attributes of the layer that change with it and
    ``adds`` the number of parameters that it gains.
    """

    needs: tuple[Need, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    adds: int = 0


@dataclass(frozen=True)
class Route:
    """One way on, given ``needs``: a map for each input slot (up) or for each output (down)."""

    maps: Maps
    needs: tuple[Need, ...] = ()


# One fact may be needed for different reasons, and the user is told which.
ZERO_SHIFT = Need("zero_shift", "shift-not-zero")
NONNEGATIVE = Need("nonnegative", "scale-negative")
NO_BIAS = Need("zero_shift", "no-bias")
UNIT_SCALE = Need("unit_scale", "scale-not-one")


class Rule:
    """A layer family that answers "no" to everything; families override what they can.

    ``types`` are exact class names of built-in layers, ``operations`` canonical
    names of low-level operations; a rule that a hook returns needs neither.
    ``attributes`` are those of the user's own layer to be found in ``site.config``
    (without them: those of the Keras layer it is derived from). ``weights`` are
    the attributes of the live layer that absorbing reads and writes.
    ``training_matters`` says that a call with ``training=True`` computes something
    else, ``shape_only`` that nothing but the shape of an input matters. ``several`` says that
    the rule minds which of several inputs or outputs a map is on. A rule without it absorbs
    maps on the first input and on an only output, and lets no map through to or from
    several outputs.
    """

    types: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    training_matters = False
    shape_only = False
    several = False

    def removable(self, site: Site) -> bool:
        """Whether this call returns its input unchanged at inference."""
        return False

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        """The map this call is, ``None`` if it is none; symbolic where ``weights`` is None."""
        return None

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        """Whether maps on these outputs or inputs can be taken up together.

        ``None`` where the layer has no weights for that: then they may pass.
        """
        return None

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        """New weights with ``f'(x) = scale * f(x) + shift``, or ``f(scale * x + shift)`` before."""
        raise NotImplementedError

    # Of a map A after this call or before it:
    #
    #     pass_up      x ── f ── A ──   becomes   x ── A' ── f ──        one A' for each input
    #     pass_down    x ── A ── f ──   becomes   x ── f ── A' ──        one A' for each output
    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        """The ways to put maps on the inputs that equal ``affine`` on the output, best first.

        There is at least one.

        Raises:
            Stop: there is none.
        """
        raise Stop("nonlinear")

    def pass_down(self, site: Site, maps: Maps) -> Route:
        """The map on each output that equals ``maps`` on the inputs; an only output is slot 0.

        Raises:
            Stop: there is none.
        """
        raise Stop("nonlinear")


class Through(Rule):
    """A layer with one input that maps move through, changed on the way where it must be.

    Unless ``down`` says otherwise they are changed alike in both directions.
    """

    def needs(self, site: Site) -> tuple[Need, ...]:
        """What a map must fulfil to get through."""
        return ()

    def up(self, site: Site, affine: Affine) -> Affine:
        """The map on the input that equals ``affine`` on the output."""
        raise NotImplementedError

    def down(self, site: Site, affine: Affine) -> Affine:
        """The map on the output that equals ``affine`` on the input."""
        return self.up(site, affine)

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        return (Route({0: self.up(site, affine)}, self.needs(site)),)

    def pass_down(self, site: Site, maps: Maps) -> Route:
        if set(maps) != {0}:
            raise Stop("nonlinear")
        return Route({0: self.down(site, maps[0])}, self.needs(site))


class Channelwise(Through):
    """A layer that moves or combines positions, in every channel alike."""

    def up(self, site: Site, affine: Affine) -> Affine:
        return moved(affine, self.out_axis(site), self.in_axis(site))

    def down(self, site: Site, affine: Affine) -> Affine:
        return moved(affine, self.in_axis(site), self.out_axis(site))

    def in_axis(self, site: Site) -> int | None:
        """The channel axis of the input."""
        return channel_axis(site, site.input)

    def out_axis(self, site: Site) -> int | None:
        """The channel axis of the output."""
        return channel_axis(site, site.output)


def moved(affine: Affine, start: int | None, end: int | None) -> Affine:
    """Turn a map along axis ``start`` into one along ``end``; None is an axis not known.

    Raises:
        Stop: the map runs along another axis.
    """
    # A map of all elements alike is the same along any axis.
    if affine.axis is None:
        return affine
    if start is None or end is None:
        raise Stop("unknown-shape")
    if affine.axis != start:
        raise Stop("channel-axis")
    return affine.along(end, affine.channels)


def map_of(site: Site, scale: Array, shift: Array, axis: int | None) -> Affine:
    """The map that a call is.

    Raises:
        Stop: its numbers are not all finite.
    """
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        raise Stop("non-finite")
    return Affine.of(scale, shift, axis, ("layer", site.layer.path))


def channel_axis(site: Site, shape: Shape) -> int | None:
    """The channel axis of ``shape`` by the layer's own ``data_format``."""
    if shape is None:
        return None
    return 1 if is_first(site.config) else len(shape) - 1


def aligned(affine: Affine, shape: Shape, axis: int | None) -> Affine:
    """``affine`` as a map along ``axis`` of ``shape``, which may be negative.

    Raises:
        Stop: it runs along another axis, or has another number of channels.
    """
    if shape is None or axis is None or shape[axis] is None:
        raise Stop("unknown-shape")
    axis %= len(shape)
    channels = int(shape[axis] or 0)
    if affine.axis not in (None, axis):
        raise Stop("channel-axis")
    spread = affine.along(axis, channels)
    if spread.channels != channels:
        raise Stop("channel-axis")
    return spread


def added_elsewhere(vector: Sequence[int], shape: Shape) -> bool:
    """Whether some Keras adds an array of the shape ``vector`` along another axis than NumPy.

    Keras 3.15 on TensorFlow takes what has but one long axis for a bias: of the channels
    behind, or else of those in front, if there are as many. A (2, 1) is added to a
    (None, 2, 2) as if it were a (2,).
    """
    # Its ``ops.add`` hands a second operand with one axis longer than 1 to ``tf.nn.bias_add`` if
    # the last axis of the first operand has that size, or else if axis 1 has.
    meant = None if shape is None else only_axis(vector, len(shape))
    if shape is None or len(shape) < 2 or meant is None:
        return False
    size = vector[meant - len(shape)]
    same = [axis for axis in (len(shape) - 1, 1) if shape[axis] == size]
    return bool(same) and same[0] != meant


def only_axis(shape: Sequence[int], rank: int) -> int | None:
    """The only axis of a value of rank ``rank`` along which an array of ``shape`` varies."""
    # Shapes are aligned from the right, as for broadcasting. A scalar varies along none.
    long = [axis for axis, size in enumerate(shape) if size != 1]
    return long[0] + rank - len(shape) if len(long) == 1 and len(shape) <= rank else None
