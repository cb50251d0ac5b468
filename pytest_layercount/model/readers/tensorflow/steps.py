"""The operations of a traced function that compute with data, as steps that can be joined.

Each operation becomes one of three things. What depends on an input of the function is a *step*;
what does not is an *operand* of steps (variables, constants, and what is computed from them
alone); what only passes data on is an *alias* of what it passes. Of a batch normalization ::

    y = x * (gamma * rsqrt(variance + epsilon)) + (beta - mean * (gamma * rsqrt(...)))

two steps are left, Mul -> AddV2, each with an operand that knows its weights and its root.
The passes (``kernels`` and the others) then name steps, and join those that are one layer.
"""

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
# They return what they take, so that to a reader of structure they are not there.
_PASSING = names("""
    CheckNumerics EnsureShape Identity IdentityN PlaceholderWithDefault PreventGradient Snapshot
    StopGradient
    """)
# Between a variable and what computes with it: Enter stands where a loop of TensorFlow 1 begins.
_READING = names("Enter Identity ReadVariableOp")
# A constant behind these still has its numbers, if in another shape or type.
_KEEPING_VALUES = names("Cast ExpandDims Reshape Squeeze")


class Operand(NamedTuple):
    """What an operation computes with beside data: variables, a constant, or what is made of them.

    ``weights`` maps the variables to how many scalars each has. ``root`` is the place of the
    operation that takes a square root on the way, None where none does: a normalization divides
    by one. ``value`` holds the numbers of a constant, None for all else.
    """

    weights: dict[str, int]
    root: int | None = None
    value: Any = None


@dataclass
class Step:
    """A layer in the making: operations of which the last gives the result.

    ``last`` and ``core`` are places in ``Function.ops``; ``core`` is the operation that says most
    about the step (the Conv2D of a convolution with bias), ``size`` counts operations. ``type`` is
    the class of the layer, empty until it is known. ``reads`` are the data it takes, without
    weights and constants. ``training`` is True where the operation says that it trains, else None.
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
        # Operations stand after what they read, so that one walk sorts them all.
        self.alias: dict[Ref, Ref] = {}
        self.operands: dict[int, Operand] = {}
        self.steps: dict[int, Step] = {}
        for place, op in enumerate(self.ops):
            self._add(place, op)
        # Scopes that hold another scope: models, and layers that hold layers. The others are
        # leaves, each that of one call of one layer. "" is never a leaf: what stands there was made
        # by no layer.
        scopes = {step.scope for step in self.steps.values()}
        self.outer = {scope[:end] for scope in scopes for end in _slashes(scope)} | {""}
        self.outputs = [self.resolved(ref) for ref in function.outputs.values()]
        # Who reads each step, once for each time; the caller of the function is reader -1, so that
        # a step that the function returns never looks as if one other step alone took its result.
        self.readers: dict[int, list[int]] = {}
        for source, _ in self.outputs:
            self.readers.setdefault(source, []).append(-1)
        for number, step in self.steps.items():
            for source, _ in step.reads:
                self.readers.setdefault(source, []).append(number)

    def _add(self, place: int, op: Op) -> None:
        data = [ref for ref in map(self.resolved, op.inputs) if self.is_data(ref[0])]
        # Entries come first: a placeholder reads nothing, and would be an operand.
        if place in self.entries:
            self.steps[place] = Step(place, place, "", [], type="InputLayer")
        elif not data or op.type in _SIZES:
            self.operands[place] = self._operand(place, op)
        elif op.type in _PASSING or (op.type == "Cast" and self._stays_float(op, data[0])):
            # Output i of an identity is its input i; those that check something have further
            # inputs.
            for index in range(len(op.shapes)):
                self.alias[place, index] = self.resolved(op.inputs[index])
        else:
            self.steps[place] = Step(place, place, op.scope, data, _weights(self._operands_of(op)))

    def _stays_float(self, cast: Op, data: Ref) -> bool:
        """Whether a cast is between floating-point types, as mixed precision puts everywhere."""
        return "float" in cast.dtypes[0] and "float" in self.ops[data[0]].dtypes[data[1]]

    def _operand(self, place: int, op: Op) -> Operand:
        # A captured constant of one number is a scale or an axis, not a weight.
        captured = op.variable is not None and (op.type != "Const" or _size(op) > 1)
        if captured or op.type == "VarHandleOp":
            return Operand({op.variable or op.name: _size(op)}, value=op.value)
        if op.type == "Const":
            return Operand({op.name: _size(op)} if _is_weight(op) else {}, value=op.value)
        operands = self._operands_of(op)
        weights = _weights(operands)
        if op.type in _READING and operands:
            return Operand(weights or self._frozen(op), value=operands[0].value)
        # The nearest root counts: behind Rsqrt and Sqrt stands what an epsilon was added to.
        roots = [operand.root for operand in operands if operand.root is not None]
        root = place if op.type in ("Rsqrt", "Sqrt") else next(iter(roots), None)
        keeps = op.type in _KEEPING_VALUES and operands
        return Operand(weights, root, operands[0].value if keeps else None)

    def _frozen(self, op: Op) -> dict[str, int]:
        """The constant that a frozen function reads where it had a variable.

        That is a weight, though its numbers may all be the same.
        """
        # Freezing leaves Const -> Identity, under the name of the ReadVariableOp that was there.
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
        """What a step's core takes at ``slot``, counted from the end if negative.

        None if that is data or not there.
        """
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
        """The first constant number among what an operation takes, None where there is none."""
        for source, _ in self.ops[place].inputs:
            operand = self.operands.get(source)
            constant = None if operand is None or operand.weights else operand.value
            if isinstance(constant, (int, float)):
                return float(constant)
        return None

    def epsilon(self, root: int) -> float | None:
        """What is added to a variance before the operation ``root`` takes its root.

        None where nothing is: Rsqrt(AddV2(variance, epsilon)) is expected.
        """
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
        """The step that makes what ``step`` takes at ``slot``, if no other step takes it.

        None where it stands in another scope, or is an input of the function. With ``types``, also
        where it is none of these operations or is a layer already.
        """
        source = self.steps.get(step.reads[slot][0]) if slot < len(step.reads) else None
        if source is None or source.type == "InputLayer" or self.reader(source) is not step:
            return None
        return source if source.scope == step.scope and self._fits(source, types) else None

    def after(self, step: Step, *types: str) -> Step | None:
        """The only step that takes a step's result, under the conditions of :meth:`before`."""
        reader = self.reader(step)
        alike = reader is not None and reader.scope == step.scope and self._fits(reader, types)
        return reader if alike else None

    def _fits(self, step: Step, types: tuple[str, ...]) -> bool:
        return not types or (not step.type and self.op(step).type in types)

    def reader(self, step: Step) -> Step | None:
        """The only step that takes a step's result, None where it has several readers."""
        reading = set(self.readers.get(step.last, ()))
        return self.steps.get(next(iter(reading))) if len(reading) == 1 else None

    def typed(self, *types: str) -> Iterator[Step]:
        """The steps of no known layer whose core is of one of these types."""
        # The caller joins steps while it goes through these, so that some may be gone by their
        # turn.
        for step in list(self.steps.values()):
            if self.steps.get(step.last) is step and self._fits(step, types):
                yield step

    def join(self, last: Step, parts: Iterable[Step], like: Step | None = None) -> Step:
        """Make ``parts``, all of which lead to ``last`` only, a part of it.

        ``last`` stays the key, since readers refer to its result. It takes over what ``like`` was.
        """
        group = {step.last: step for step in (*parts, last)}
        reads: list[Ref] = []
        # In the order of the operations, since input_shape() takes the first for the layer's input.
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
        """Let a step read ``reads``, and keep account of who reads what."""
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
    """How many scalars a variable or constant has; 0 where its shape is not known."""
    shape: Shape = op.attributes.get("shape") if op.type == "VarHandleOp" else op.shapes[0]
    return 0 if shape is None else math.prod(size or 0 for size in shape)


def _is_weight(constant: Op) -> bool:
    """Tell whether a constant is a weight: one whose values are too many to look at, or differ.

    In a frozen function weights are constants like all others. Numbers that are all the same are
    taken for settings (a factor, an epsilon), integers for axes and sizes.
    """
    differs = isinstance(constant.value, tuple) and len(set(_leaves(constant.value))) > 1
    return "float" in constant.dtypes[0] and (constant.value is None or differs)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
