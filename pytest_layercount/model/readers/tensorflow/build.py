"""From a traced function to a ModelGraph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import Kind, Layer, ModelGraph, Node, Value
from pytest_layercount.model.keras.adapter import canonical_operation, snake
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.readers.tensorflow.activations import recognise_activations
from pytest_layercount.model.readers.tensorflow.affine import recognise_maps
from pytest_layercount.model.readers.tensorflow.composites import recognise_composites
from pytest_layercount.model.readers.tensorflow.kernels import recognise_kernels
from pytest_layercount.model.readers.tensorflow.ops import Function, Ref
from pytest_layercount.model.readers.tensorflow.scopes import gather_scopes
from pytest_layercount.model.readers.tensorflow.singles import recognise_singles
from pytest_layercount.model.readers.tensorflow.steps import Step, Steps

# The order counts: layers with weights are found first, since activations and merges are told by
# what is left, and an operation that is a layer by itself only after all that it may be a part of.
# Scopes are last: they go by which steps have a name.
_PASSES: tuple[Callable[[Steps], None], ...] = (
    recognise_kernels,
    recognise_maps,
    recognise_activations,
    recognise_composites,
    recognise_singles,
    gather_scopes,
)


def graph_of_function(function: Function) -> ModelGraph:
    """The layers and calls that a function's operations amount to."""
    steps = Steps(function)
    for recognise in _PASSES:
        recognise(steps)
    return _Building(function, steps).graph()


class _Building:
    def __init__(self, function: Function, steps: Steps) -> None:
        self.function, self.steps = function, steps
        self.places: dict[int, int] = {}  # of nodes, by the last operations of their steps
        self.layers: list[Layer] = []
        self.nodes: list[Node] = []
        self.numbers: dict[Any, int] = {}
        self.counted: set[str] = set()
        self.names = _names(function, steps)
        self.leaves = steps.leaves()

    def graph(self) -> ModelGraph:
        steps = self.steps.steps
        computed = [ref for ref in self.steps.outputs if ref[0] in steps]
        if not computed:
            raise ModelError(
                f"{self.function.name!r}: nothing that it returns depends on what it takes"
            )
        entries = [*self.function.inputs.values()]
        for number in dict.fromkeys([*entries, *sorted(steps)]):
            if number in entries or steps[number].reads:
                self._add(steps[number])
        return ModelGraph(
            name=self.function.name,
            keras=f"TensorFlow {self.function.version}, traced function",
            layers=tuple(self.layers),
            nodes=tuple(self.nodes),
            inputs=_alone([Value(self.places[number]) for number in entries]),
            outputs=_alone([self._value(ref) for ref in computed]),
            seen="traced function",
        )

    def _value(self, ref: Ref) -> Value:
        return Value(self.places[ref[0]], ref[1])

    def _add(self, step: Step) -> None:
        op = self.function.ops[step.last]
        layer = self._layer(step)
        self.places[step.last] = len(self.nodes)
        self.nodes.append(
            Node(
                layer=layer,
                args=self._arguments(step),
                # A layer has one result here, whatever its last operation has: FusedBatchNormV3
                # returns statistics too.
                shapes=op.shapes[: 1 if step.type else None],
                dtypes=op.dtypes[: 1 if step.type else None],
                training=step.training,
            )
        )

    def _arguments(self, step: Step) -> tuple[Any, ...]:
        """What a step reads; for arithmetic the constants too."""
        if step.type or step.size > 1 or step.weights:
            return tuple(map(self._value, step.reads))
        arguments: list[Any] = []
        # Constants stand where the operation has them, so that x - 1 and 1 - x differ.
        for ref in self.steps.op(step).inputs:
            if self.steps.is_data(ref[0]):
                arguments.append(self._value(self.steps.resolved(ref)))
            elif isinstance(self.steps.operands[ref[0]].value, (int, float)):
                arguments.append(self.steps.operands[ref[0]].value)
        return tuple(arguments)

    def _layer(self, step: Step) -> int:
        """The number of the layer that a step calls: the one with the same weights."""
        # Steps without weights are layers of their own: a trace does not tell which object was
        # called. Those of another type with the same weights are other layers: a tied embedding and
        # its Dense.
        key = (step.type, *sorted(step.weights)) if step.weights else ("", step.last)
        if key not in self.numbers:
            self.numbers[key] = len(self.layers)
            # Weights that layers of several types share are counted once, as Keras does.
            weights = {name: n for name, n in step.weights.items() if name not in self.counted}
            self.counted |= set(weights)
            self.layers.append(self._described(step, weights))
        return self.numbers[key]

    def _described(self, step: Step, weights: dict[str, int]) -> Layer:
        op = self.steps.op(step)
        # Operations with weights that nothing recognised were made by a layer of the user's own.
        own = bool(step.config.get("own")) or (not step.type and bool(step.weights))
        operation = None
        kind: Kind = "layer"
        if step.type == "InputLayer":
            kind = "input"
        elif not step.type and not own:
            # Where there is no other name for it, canonical_operation() gives the name in lower
            # case: snake case reads better.
            known = canonical_operation(op.type)
            operation = snake(op.type) if known == op.type.lower() else known
            # An operation that is all that a scope holds was made by a layer of that name.
            kind = "layer" if len(self.leaves.get(step.scope, ())) == 1 else "operation"
        return Layer(
            path=self.names[step.last],
            type=step.type or op.type,
            kind=kind,
            builtin=not own,
            config={} if own else {**dict.fromkeys(row_of(step.type).attributes), **step.config},
            operation=operation,
            parameters=sum(weights.values()),
            trainable_parameters=sum(
                weights[name] for name in self.function.trainable & {*weights}
            ),
        )


def _alone(values: list[Value]) -> Any:
    return values[0] if len(values) == 1 else values


def _names(function: Function, steps: Steps) -> dict[int, str]:
    """A path for each step: its scope if no other step is in it, else the name of its operation.

    A first part that all paths have is the model's own name, and is left out.
    """
    scopes = [step.scope for number, step in steps.steps.items() if number not in steps.entries]
    roots = {scope.partition("/")[0] for scope in scopes}
    root = f"{roots.pop()}/" if len(roots) == 1 else ""
    names = {}
    for number, step in steps.steps.items():
        inside = [scope for scope in scopes if f"{scope}/".startswith(f"{step.scope}/")]
        alone = step.scope and len(inside) == 1
        names[number] = (step.scope if alone else function.ops[number].path).removeprefix(root)
    return {**names, **{place: name for name, place in function.inputs.items()}}
