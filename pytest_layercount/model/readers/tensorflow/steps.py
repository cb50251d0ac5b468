"""The operations of a traced function that compute with data, as steps that can be joined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.tensorflow.ops import Function, Op, Ref

_SHAPES = names("Shape ShapeN Size Rank")
"""What these say of data is no data."""
_PASSING = names("""
    CheckNumerics EnsureShape Identity IdentityN PlaceholderWithDefault PreventGradient Snapshot
    StopGradient
    """)
_READING = names("Identity ReadVariableOp Enter")


class Side(NamedTuple):
    """What an operation that reads no data stands for.

    ``weights`` are the sizes of the variables in it by name, ``root`` is the root
    or reciprocal root that it takes last, ``value`` its value if it is a constant.
    """

    weights: dict[str, int]
    root: int | None = None
    value: Any = None


@dataclass
class Step:
    """A layer in the making: operations of which the last gives the result.

    ``core`` is the operation that says most about it; ``type`` is empty until it
    is known what the step is. ``reads`` are the data it takes.
    """

    last: int
    core: int
    scope: str
    reads: list[Ref]
    parts: list[int]
    weights: dict[str, int] = field(default_factory=dict)
    type: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    training: bool | None = None

    @property
    def weighted(self) -> bool:
        """Whether it is a layer that has a kernel."""
        return "use_bias" in self.config


class Steps:
    """The steps of a function, by the last operation of each."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.ops = function.ops
        self.entries = set(function.inputs.values())
        self.alias: dict[Ref, Ref] = {}
        self.sides: dict[int, Side] = {}
        self.steps: dict[int, Step] = {}
        for place, op in enumerate(self.ops):
            self._add(place, op)
        scopes = {step.scope for step in self.steps.values()}
        self.outer = {scope[:end] for scope in scopes for end in _slashes(scope)} | {""}
        self.outputs = [self.resolved(ref) for ref in function.outputs.values()]
        self.readers: dict[int, list[int]] = {}
        for ref in self.outputs:
            self.readers.setdefault(ref[0], []).append(-1)
        for number, step in self.steps.items():
            for source, _ in step.reads:
                self.readers.setdefault(source, []).append(number)

    def _add(self, place: int, op: Op) -> None:
        data = [ref for ref in map(self.resolved, op.inputs) if self.is_data(ref[0])]
        if place in self.entries:
            self.steps[place] = Step(place, place, "", [], [place], type="InputLayer")
        elif not data or op.type in _SHAPES:
            self.sides[place] = self._side(place, op)
        elif op.type in _PASSING or (op.type == "Cast" and _is_float(op.dtypes[0], self, data)):
            for index in range(len(op.shapes)):
                self.alias[place, index] = self.resolved(op.inputs[index])
        else:
            sides = [self.sides[ref[0]] for ref in op.inputs if ref[0] in self.sides]
            weights = {name: size for side in sides for name, size in side.weights.items()}
            self.steps[place] = Step(place, place, op.scope, data, [place], weights)

    def _side(self, place: int, op: Op) -> Side:
        captured = op.variable is not None and (op.type != "Const" or _size(op) > 1)
        if captured or op.type == "VarHandleOp":
            return Side({op.variable or op.name: _size(op)}, value=op.value)
        read = [self.sides[source] for source, _ in op.inputs if source in self.sides]
        weights = {name: size for side in read for name, size in side.weights.items()}
        if op.type in _READING and read:
            frozen = "ReadVariableOp" in op.name and not weights
            source = self.ops[op.inputs[0][0]]
            return Side({source.name: _size(source)} if frozen else weights, value=read[0].value)
        if op.type == "Const":
            varies = isinstance(op.value, tuple) and len(set(_leaves(op.value))) > 1
            large = op.value is None and "float" in op.dtypes[0]
            is_weight = "float" in op.dtypes[0] and (varies or large)
            return Side({op.name: _size(op)} if is_weight else {}, value=op.value)
        roots = [side.root for side in read if side.root is not None]
        inner = roots[0] if roots else None
        root = place if op.type in ("Rsqrt", "Sqrt") else inner
        same = op.type in ("Cast", "ExpandDims", "Reshape", "Squeeze")
        return Side(weights, root, read[0].value if same and read else None)

    def is_data(self, place: int) -> bool:
        """Whether an operation's result depends on the inputs of the function."""
        return place in self.steps or (place, 0) in self.alias

    def resolved(self, ref: Ref) -> Ref:
        """What stands for an output once operations that only pass data on are left out."""
        return self.alias.get(ref, ref)

    def is_leaf(self, scope: str) -> bool:
        """Whether a scope is that of one layer: it holds no other scope."""
        return scope not in self.outer

    def op(self, step: Step) -> Op:
        """The operation that says most about a step."""
        return self.ops[step.core]

    def side(self, step: Step, slot: int) -> Side | None:
        """What a step's core takes at ``slot``, None if that is data or not there."""
        inputs = self.op(step).inputs
        slot = slot % len(inputs) if inputs else slot
        return self.sides.get(inputs[slot][0]) if slot < len(inputs) else None

    def shape(self, ref: Ref) -> Shape:
        """The shape of an output."""
        shapes = self.ops[ref[0]].shapes
        return shapes[ref[1]] if ref[1] < len(shapes) else None

    def side_shape(self, step: Step, slot: int) -> Shape:
        """The shape of what a step's core takes at ``slot``."""
        return self.shape(self.op(step).inputs[slot])

    def before(self, step: Step, slot: int = 0) -> Step | None:
        """The step whose result a step alone takes, within the same scope."""
        if slot >= len(step.reads):
            return None
        source = self.steps.get(step.reads[slot][0])
        alike = source is not None and source.type != "InputLayer" and source.scope == step.scope
        return source if alike and source and self.reader(source) is step else None

    def after(self, step: Step) -> Step | None:
        """The only step that takes a step's result, within the same scope."""
        reader = self.reader(step)
        return reader if reader is not None and reader.scope == step.scope else None

    def reader(self, step: Step) -> Step | None:
        """The only step that takes a step's result."""
        reading = set(self.readers.get(step.last, ()))
        return self.steps.get(next(iter(reading))) if len(reading) == 1 else None

    def typed(self, *types: str) -> Iterator[Step]:
        """The steps not known yet whose core is of one of these types."""
        for step in list(self.steps.values()):
            alive = self.steps.get(step.last) is step
            if alive and not step.type and self.op(step).type in types:
                yield step

    def join(self, last: Step, others: Iterable[Step], like: Step | None = None) -> Step:
        """Make ``others``, all of which lead to ``last`` only, a part of it.

        What it is, is what ``like`` was.
        """
        group = {last.last: last, **{other.last: other for other in others}}
        reads: list[Ref] = []
        for number in sorted(group):
            reads += [
                ref for ref in group[number].reads if ref[0] not in group and ref not in reads
            ]
        for number, step in group.items():
            for source, _ in step.reads:
                self.readers[source].remove(number)
            last.weights = {**step.weights, **last.weights}
            if number != last.last:
                del self.steps[number]
        last.parts = sorted(part for step in group.values() for part in step.parts)
        last.reads = reads
        for source, _ in reads:
            self.readers.setdefault(source, []).append(last.last)
        if like is not None:
            last.core, last.type, last.config = like.core, like.type, like.config
            last.training = like.training
        return last

    def rewire(self, step: Step, reads: list[Ref]) -> None:
        """Let a step read ``reads``, one of them perhaps twice."""
        for source, _ in step.reads:
            self.readers[source].remove(step.last)
        step.reads = reads
        for source, _ in reads:
            self.readers[source].append(step.last)


def _slashes(scope: str) -> Iterator[int]:
    return (place for place, letter in enumerate(scope) if letter == "/")


def _size(op: Op) -> int:
    """How many scalars a variable or constant has."""
    shape: Shape = op.attributes.get("shape") if op.type == "VarHandleOp" else op.shapes[0]
    return 0 if shape is None else math.prod(size or 0 for size in shape)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_float(dtype: str, steps: Steps, data: list[Ref]) -> bool:
    """Whether a cast is only between floating-point types, as mixed precision makes many."""
    return "float" in dtype and "float" in steps.ops[data[0][0]].dtypes[data[0][1]]
