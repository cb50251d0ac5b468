"""The operations of a traced function that compute with data, as steps that can be joined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.readers.tensorflow.ops import Function, Op, Ref

Recognised = tuple[str, dict[str, Any]] | None
"""The type and settings of the layer that some operations are, None where they are none."""

# Sizes are taken from data, but are none: what is computed with them is an operand.
_SIZES = names("Rank Shape ShapeN Size")
_PASSING = names("""
    CheckNumerics EnsureShape Identity IdentityN PlaceholderWithDefault PreventGradient Snapshot
    StopGradient
    """)
_READING = names("Enter Identity ReadVariableOp")
_KEEPING_VALUES = names("Cast ExpandDims Reshape Squeeze")


class Operand(NamedTuple):
    """What an operation computes with beside data: variables, a constant, or what is made of them.

    ``weights`` are the sizes of the variables by name, ``root`` is the operation that
    takes a root of them, ``value`` the numbers of a constant.
    """

    weights: dict[str, int]
    root: int | None = None
    value: Any = None


@dataclass
class Step:
    """A layer in the making: operations of which the last gives the result.

    ``core`` is the operation that says most about it, ``size`` the number of operations;
    ``type`` is empty until it is known what the step is. ``reads`` are the data it takes.
    """

    last: int
    core: int
    scope: str
    reads: list[Ref]
    weights: dict[str, int] = field(default_factory=dict)
    type: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    size: int = 1
    training: bool | None = None

    @property
    def weighted(self) -> bool:
        """Whether it is a layer that has a kernel."""
        return "use_bias" in self.config


class Steps:
    """The steps of a function, by the last operation of each."""

    def __init__(self, function: Function) -> None:
        self.ops = function.ops
        self.entries = set(function.inputs.values())
        self.alias: dict[Ref, Ref] = {}
        self.operands: dict[int, Operand] = {}
        self.steps: dict[int, Step] = {}
        for place, op in enumerate(self.ops):
            self._add(place, op)
        scopes = {step.scope for step in self.steps.values()}
        self.outer = {scope[:end] for scope in scopes for end in _slashes(scope)} | {""}
        self.outputs = [self.resolved(ref) for ref in function.outputs.values()]
        self.readers: dict[int, list[int]] = {}
        for source, _ in self.outputs:
            self.readers.setdefault(source, []).append(-1)
        for number, step in self.steps.items():
            for source, _ in step.reads:
                self.readers.setdefault(source, []).append(number)

    def _add(self, place: int, op: Op) -> None:
        data = [ref for ref in map(self.resolved, op.inputs) if self.is_data(ref[0])]
        if place in self.entries:
            self.steps[place] = Step(place, place, "", [], type="InputLayer")
        elif not data or op.type in _SIZES:
            self.operands[place] = self._operand(place, op)
        elif op.type in _PASSING or (op.type == "Cast" and self._stays_float(op, data[0])):
            for index in range(len(op.shapes)):
                self.alias[place, index] = self.resolved(op.inputs[index])
        else:
            self.steps[place] = Step(place, place, op.scope, data, _weights(self._operands_of(op)))

    def _stays_float(self, cast: Op, data: Ref) -> bool:
        """Whether a cast is between floating-point types, as mixed precision puts everywhere."""
        return "float" in cast.dtypes[0] and "float" in self.ops[data[0]].dtypes[data[1]]

    def _operand(self, place: int, op: Op) -> Operand:
        captured = op.variable is not None and (op.type != "Const" or _size(op) > 1)
        if captured or op.type == "VarHandleOp":
            return Operand({op.variable or op.name: _size(op)}, value=op.value)
        if op.type == "Const":
            return Operand({op.name: _size(op)} if _is_weight(op) else {}, value=op.value)
        operands = self._operands_of(op)
        weights = _weights(operands)
        if op.type in _READING and operands:
            return Operand(weights or self._frozen(op), value=operands[0].value)
        roots = [operand.root for operand in operands if operand.root is not None]
        root = place if op.type in ("Rsqrt", "Sqrt") else next(iter(roots), None)
        keeps = op.type in _KEEPING_VALUES and operands
        return Operand(weights, root, operands[0].value if keeps else None)

    def _frozen(self, op: Op) -> dict[str, int]:
        """The constant that a frozen function reads where it had a variable.

        That is a weight, though its numbers may all be the same.
        """
        source = self.ops[op.inputs[0][0]]
        return {source.name: _size(source)} if "ReadVariableOp" in op.name else {}

    def _operands_of(self, op: Op) -> list[Operand]:
        return [self.operands[source] for source, _ in op.inputs if source in self.operands]

    def is_data(self, place: int) -> bool:
        """Tell whether an operation's result depends on the inputs of the function."""
        return place in self.steps or (place, 0) in self.alias

    def resolved(self, ref: Ref) -> Ref:
        """Return what stands for an output where operations that only pass data on are left out."""
        return self.alias.get(ref, ref)

    def is_leaf(self, scope: str) -> bool:
        """Tell whether a scope is that of one layer: it holds no other scope."""
        return scope not in self.outer

    def leaves(self) -> dict[str, list[Step]]:
        """Group the steps by the layer whose scope they are in."""
        leaves: dict[str, list[Step]] = {}
        for step in self.steps.values():
            if self.is_leaf(step.scope):
                leaves.setdefault(step.scope, []).append(step)
        return leaves

    def op(self, step: Step) -> Op:
        """The operation that says most about a step."""
        return self.ops[step.core]

    def operand(self, step: Step, slot: int) -> Operand | None:
        """What a step's core takes at ``slot``, None if that is data or not there."""
        inputs = self.op(step).inputs
        slot = slot % len(inputs) if inputs else slot
        return self.operands.get(inputs[slot][0]) if slot < len(inputs) else None

    def operand_shape(self, step: Step, slot: int) -> Shape:
        """The shape of what a step's core takes at ``slot``."""
        return self.shape(self.op(step).inputs[slot])

    def value(self, step: Step, slot: int) -> Any:
        """The constant that a step's core takes at ``slot``, None if that is none."""
        operand = self.operand(step, slot)
        return None if operand is None else operand.value

    def number(self, place: int) -> float | None:
        """The number that an operation computes with, None where it takes none."""
        for source, _ in self.ops[place].inputs:
            operand = self.operands.get(source)
            constant = None if operand is None or operand.weights else operand.value
            if isinstance(constant, (int, float)):
                return float(constant)
        return None

    def epsilon(self, root: int) -> float | None:
        """What is added to a variance before its root is taken."""
        inner = self.ops[root].inputs[0][0]
        # A mean of squares without an epsilon computes with a number too: its axis.
        return None if self.ops[inner].type == "Mean" else self.number(inner)

    def shape(self, ref: Ref) -> Shape:
        """The shape of an output."""
        shapes = self.ops[ref[0]].shapes
        return shapes[ref[1]] if ref[1] < len(shapes) else None

    def input_shape(self, step: Step) -> Shape:
        """The shape of the first data that a step takes."""
        return self.shape(step.reads[0])

    def output_shape(self, step: Step) -> Shape:
        """The shape of a step's first result."""
        return self.shape((step.last, 0))

    def before(self, step: Step, *types: str, slot: int = 0) -> Step | None:
        """The step whose result a step alone takes, within the same scope.

        With ``types`` only where it is one of these operations, and of no layer yet.
        """
        source = self.steps.get(step.reads[slot][0]) if slot < len(step.reads) else None
        if source is None or source.type == "InputLayer" or self.reader(source) is not step:
            return None
        return source if source.scope == step.scope and self._fits(source, types) else None

    def after(self, step: Step, *types: str) -> Step | None:
        """The only step that takes a step's result, as :meth:`before`."""
        reader = self.reader(step)
        alike = reader is not None and reader.scope == step.scope and self._fits(reader, types)
        return reader if alike else None

    def _fits(self, step: Step, types: tuple[str, ...]) -> bool:
        return not types or (not step.type and self.op(step).type in types)

    def reader(self, step: Step) -> Step | None:
        """The only step that takes a step's result."""
        reading = set(self.readers.get(step.last, ()))
        return self.steps.get(next(iter(reading))) if len(reading) == 1 else None

    def typed(self, *types: str) -> Iterator[Step]:
        """The steps of no known layer whose core is of one of these types."""
        for step in list(self.steps.values()):
            if self.steps.get(step.last) is step and self._fits(step, types):
                yield step

    def join(self, last: Step, parts: Iterable[Step], like: Step | None = None) -> Step:
        """Make ``parts``, all of which lead to ``last`` only, a part of it.

        What it is, is what ``like`` was.
        """
        group = {step.last: step for step in (*parts, last)}
        reads: list[Ref] = []
        for _, step in sorted(group.items()):
            reads += [ref for ref in step.reads if ref[0] not in group and ref not in reads]
        last.size = sum(step.size for step in group.values())
        for number, step in group.items():
            last.weights = {**step.weights, **last.weights}
            if step is not last:
                self.rewire(step, [])
                del self.steps[number]
        self.rewire(last, reads)
        if like is not None:
            last.core, last.type, last.config = like.core, like.type, like.config
        return last

    def become(self, last: Step, parts: Iterable[Step], type_: str, config: dict[str, Any]) -> Step:
        """Join ``parts`` with ``last``, which is then a layer of a known type."""
        last.type, last.config = type_, config
        return self.join(last, parts)

    def rewire(self, step: Step, reads: list[Ref]) -> None:
        """Let a step read ``reads``, one of them perhaps twice."""
        for source, _ in step.reads:
            self.readers[source].remove(step.last)
        step.reads = reads
        for source, _ in reads:
            self.readers[source].append(step.last)


def _slashes(scope: str) -> Iterator[int]:
    return (place for place, letter in enumerate(scope) if letter == "/")


def _weights(operands: list[Operand]) -> dict[str, int]:
    return {name: size for operand in operands for name, size in operand.weights.items()}


def _size(op: Op) -> int:
    """How many scalars a variable or constant has."""
    shape: Shape = op.attributes.get("shape") if op.type == "VarHandleOp" else op.shapes[0]
    return 0 if shape is None else math.prod(size or 0 for size in shape)


def _is_weight(constant: Op) -> bool:
    """Tell whether a constant is a weight: one whose values are too many to look at, or differ."""
    differs = isinstance(constant.value, tuple) and len(set(_leaves(constant.value))) > 1
    return "float" in constant.dtypes[0] and (constant.value is None or differs)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
