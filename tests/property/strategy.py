"""Random recipes, valid by construction."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from tests.property.elementwise import AFFINE, POINTWISE, STOCHASTIC
from tests.property.kinds import Draw, Kind, flip, pick
from tests.property.merging import merge
from tests.property.moving import MOVING
from tests.property.recipe import Recipe, Shape, Step
from tests.property.weighted import WEIGHTED

LARGEST = 700  # elements in a value: a fault shows in the smallest tensor
IMAGES: tuple[Shape, ...] = ((6, 6, 4), (5, 6, 2), (7, 4), (6, 3), (3, 4, 3, 2), (4,), (6,))
FIRST: tuple[Shape, ...] = ((4, 6, 6), (2, 5, 6), (4, 7), (2, 3, 4, 3))
UNCHAINED = ("MultiHeadAttention",)
UNWRAPPED = ("MultiHeadAttention", "Resizing", "ActivityRegularization")
LAST_ONLY = ("Resizing",)
FIRST_ONLY = ("AveragePooling3D",)  # in float64 only XLA has it, which channels_first needs anyway
FAMILIES = {"affine": AFFINE, "weighted": WEIGHTED, "moving": MOVING, "pointwise": POINTWISE}
MIX = (
    *("affine",) * 6,
    *("weighted",) * 6,
    *("moving",) * 4,
    *("pointwise",) * 3,
    *("merge",) * 4,
    "again",
    "nested",
)


@st.composite
def recipes(draw: Draw, available: frozenset[str], smallest: int = 5, largest: int = 40) -> Recipe:
    """A model of about so many layers, out of the kinds of layer that are ``available``."""
    first = pick(draw, *[False] * 19, True)
    tokens = not first and pick(draw, *[False] * 9, True)
    shape = pick(draw, *(FIRST if first else IMAGES))
    inputs = ((5,),) if tokens else (shape,) * pick(draw, 1, 1, 1, 2)
    training = bool(pick(draw, *[False] * 9, True))
    drawing = _Drawing(draw, available, inputs, first=first, training=training, tokens=tokens)
    if tokens:
        embedding = {"input_dim": 5, "output_dim": 4}
        masked = {"mask_zero": True} if flip(draw) else {}
        drawing.add(Step("Embedding", (0,), embedding | masked), (5, 4))
    # What only XLA can compute takes seconds to compile.
    drawing.fill(draw(st.integers(smallest, min(largest, 10) if first else largest)))
    return Recipe(
        inputs=inputs,
        steps=tuple(drawing.steps),
        outputs=drawing.ends(),
        tokens=tokens,
        named=flip(draw),
        channels_first=first,
        seed=draw(st.integers(0, 2**16)),
    )


class _Drawing:
    """A recipe so far: its steps, and the shape of every value."""

    def __init__(
        self,
        draw: Draw,
        available: frozenset[str],
        inputs: tuple[Shape, ...],
        *,
        first: bool = False,
        training: bool = False,
        tokens: bool = False,
        depth: int = 0,
    ) -> None:
        self.draw, self.available, self.depth = draw, available, depth
        self.tokens = tokens
        self.first, self.training = first, training
        # Nothing but an Embedding fits what has no axes.
        self.shapes: list[Shape] = [()] if tokens else list(inputs)
        self.steps: list[Step] = []
        self.entries = len(inputs)
        self.made: list[int] = []  # the step behind each value after the inputs
        self.products = 0

    def fill(self, size: int, *, chain: bool = False) -> None:
        """Add steps until there are ``size`` calls; ``chain``: as a Sequential model has them."""
        families = [name for name in MIX if not chain or name in FAMILIES]
        calls = tries = 0
        while calls < size and tries < 2 * size:
            tries += 1
            source = self._source(chain=chain)
            before = len(self.steps)
            self._step(self.draw(st.sampled_from(families)), source, chain=chain)
            calls += sum(_calls(step) for step in self.steps[before:])

    def _source(self, *, chain: bool) -> int:
        last = len(self.shapes) - 1
        recent = chain or bool(pick(self.draw, True, True, True, True, False))
        return last if recent else self.draw(st.integers(int(self.tokens), last))

    def _step(self, family: str, source: int, *, chain: bool) -> None:
        if family == "merge":
            step = merge(self.draw, self.shapes, source)
            if step[0].kind.lower() == "multiply":
                self.products += 1  # each squares the magnitude, which must stay finite
            if step[0].kind.lower() != "multiply" or self.products <= 3:
                self.add(*step)
        elif family == "again":
            self._call_again(source)
        elif family == "nested":
            self._nest(source)
        else:
            self._layer(FAMILIES[family], source, chain=chain)

    def _layer(self, kinds: tuple[Kind, ...], source: int, *, chain: bool) -> None:
        shape = self.shapes[source]
        fitting = [
            kind
            for kind in kinds
            if kind.fits(shape)
            and kind.name in self.available
            and not (kind.name in FIRST_ONLY and not self.first)
            and not (chain and (_raw(kind) or kind.name in UNCHAINED))
        ]
        kind = self.draw(st.sampled_from(fitting))
        wrapped = len(shape) > 1 and not _raw(kind) and pick(self.draw, *[False] * 11, True)
        if wrapped and self._distributed(kinds, source):
            return
        config = self._config(kind, shape)
        if config is not None:
            self._add_layer(kind, source, config)

    def _distributed(self, kinds: tuple[Kind, ...], source: int) -> bool:
        """A TimeDistributed layer, if one of these kinds fits inside."""
        shape = self.shapes[source]
        inside = [k for k in kinds if k.fits(shape[1:]) and k.name in self.available]
        inside = [k for k in inside if not _raw(k) and k.name not in UNWRAPPED]
        if not inside or self.first:
            return False
        kind = self.draw(st.sampled_from(inside))
        config = self._config(kind, shape[1:])
        if config is None:
            return False
        out = (shape[0], *kind.shape(shape[1:], config))
        if len(out) <= 4 and math.prod(out) <= LARGEST:
            step = Step("TimeDistributed", (source,), {"layer": (kind.name, config)})
            self.add(step, out)
        return True

    def _config(self, kind: Kind, shape: Shape) -> dict[str, Any] | None:
        """Arguments for the layer, None if its output would be empty or large."""
        first = self.first and kind.formatted and kind.name not in LAST_ONLY
        laid = (*shape[1:], shape[0]) if first and len(shape) > 1 else shape
        config = kind.config(self.draw, laid)
        if first:
            config["data_format"] = "channels_first"
            if config.get("padding") == "causal":
                config["padding"] = "same"
        out = kind.shape(shape, config)
        return config if min(out) > 0 and math.prod(out) <= LARGEST and len(out) <= 4 else None

    def _add_layer(self, kind: Kind, source: int, config: dict[str, Any]) -> None:
        stateful = kind.name in STOCHASTIC or kind.name == "BatchNormalization"
        training = self.training and stateful and flip(self.draw)
        if self.training and kind.name in STOCHASTIC:
            config = dict.fromkeys(config, 0.0)  # so that it can be compared all the same
        step = Step(kind.name, (source,), config, training=training)
        self.add(step, kind.shape(self.shapes[source], config))

    def _call_again(self, source: int) -> None:
        """Call a layer or model that was called on a value of this shape before."""
        shape = self.shapes[source]
        found = [
            number
            for number, step in enumerate(self.steps)
            if not _joins(step) and self.shapes[step.inputs[0]] == shape and not step.training
        ]
        if found:
            number = self.draw(st.sampled_from(found))
            step = self.steps[number]
            number = number if step.again is None else step.again
            shapes = [self.shapes[v] for v in self._values(number)]
            self.add(Step(step.kind, (source,), step.config, again=number), *shapes)

    def _nest(self, source: int) -> None:
        """A model inside the model: Functional or Sequential, with one or two outputs."""
        if self.depth == 2:
            return
        chain = flip(self.draw)
        inner = _Drawing(
            self.draw,
            self.available,
            (self.shapes[source],),
            first=self.first,
            training=self.training,
            depth=self.depth + 1,
        )
        inner.fill(self.draw(st.integers(1, 6)), chain=chain)
        if inner.steps:
            outputs = (len(inner.shapes) - 1,) if chain else inner.ends()
            recipe = Recipe(inner.inputs, tuple(inner.steps), outputs, sequential=chain)
            training = self.training and bool(pick(self.draw, False, False, True))
            shapes = [inner.shapes[value] for value in outputs]
            self.add(Step("Model", (source,), {"recipe": recipe}, training=training), *shapes)

    def add(self, step: Step, *shapes: Shape) -> None:
        self.made += [len(self.steps)] * len(shapes)
        self.steps.append(step)
        self.shapes += shapes

    @property
    def inputs(self) -> tuple[Shape, ...]:
        return tuple(self.shapes[: self.entries])

    def _values(self, step: int) -> list[int]:
        return [self.entries + n for n, made in enumerate(self.made) if made == step]

    def ends(self) -> tuple[int, ...]:
        """Everything that nothing reads, and now and then something that is read too."""
        read = {value for step in self.steps for value in step.inputs}
        made = range(self.entries, len(self.shapes))
        leaves = [value for value in made if value not in read]
        inside = [value for value in made if value in read]
        if inside and pick(self.draw, False, False, False, True):
            leaves.insert(0, self.draw(st.sampled_from(inside)))
        return tuple(leaves)


def _raw(kind: Kind) -> bool:
    """Whether this is an operation, not a layer."""
    return kind.name.islower()


def _joins(step: Step) -> bool:
    return len(step.inputs) > 1 or step.kind.islower()


def _calls(step: Step) -> int:
    return step.config["recipe"].size if step.kind == "Model" else 1
