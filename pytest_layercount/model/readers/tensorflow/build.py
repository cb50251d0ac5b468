"""From a traced function to a ModelGraph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import Kind, Layer, ModelGraph, Node, Value
from pytest_layercount.model.keras.adapter import canonical_operation, snake
from pytest_layercount.model.layers.attributes import ATTRIBUTES
from pytest_layercount.model.readers.tensorflow.activations import recognise_activations
from pytest_layercount.model.readers.tensorflow.affine import recognise_maps
from pytest_layercount.model.readers.tensorflow.composites import recognise_composites
from pytest_layercount.model.readers.tensorflow.kernels import recognise_kernels
from pytest_layercount.model.readers.tensorflow.ops import Function
from pytest_layercount.model.readers.tensorflow.scopes import gather_scopes
from pytest_layercount.model.readers.tensorflow.singles import recognise_singles
from pytest_layercount.model.readers.tensorflow.steps import Step, Steps

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
        self.known: dict[int, int] = {}
        self.layers: list[Layer] = []
        self.nodes: list[Node] = []
        self.numbers: dict[Any, int] = {}
        self.counted: set[str] = set()
        self.names = _names(function, steps)
        self.leaves = steps.leaves()

    def graph(self) -> ModelGraph:
        unread = [ref for ref in self.steps.outputs if ref[0] not in self.steps.steps]
        if len(unread) == len(self.steps.outputs):
            raise ModelError(
                f"{self.function.name!r}: nothing that it returns depends on what it takes"
            )
        for place in self.function.inputs.values():
            self._add(self.steps.steps[place])
        for number in sorted(self.steps.steps):
            if number not in self.known and self.steps.steps[number].reads:
                self._add(self.steps.steps[number])
        inputs = {name: Value(self.known[n]) for name, n in self.function.inputs.items()}
        outputs = [self._value(ref) for ref in self.steps.outputs if ref not in unread]
        values = list(inputs.values())
        return ModelGraph(
            name=self.function.name,
            keras=f"TensorFlow {self.function.version}, traced function",
            layers=tuple(self.layers),
            nodes=tuple(self.nodes),
            inputs=values[0] if len(values) == 1 else values,
            outputs=outputs[0] if len(outputs) == 1 else outputs,
            seen="traced function",
        )

    def _value(self, ref: tuple[int, int]) -> Value:
        return Value(self.known[ref[0]], ref[1])

    def _add(self, step: Step) -> None:
        op = self.function.ops[step.last]
        layer = self._layer(step)
        self.known[step.last] = len(self.nodes)
        self.nodes.append(
            Node(
                layer=layer,
                args=self._arguments(step),
                shapes=op.shapes[: 1 if step.type else None],
                dtypes=op.dtypes[: 1 if step.type else None],
                training=step.training,
            )
        )

    def _arguments(self, step: Step) -> tuple[Any, ...]:
        """What a step reads; for arithmetic the constants too."""
        reads = tuple(self._value(ref) for ref in step.reads)
        if step.type or step.size > 1 or step.weights:
            return reads
        found: list[Any] = []
        for ref in self.steps.op(step).inputs:
            if self.steps.is_data(ref[0]):
                found.append(self._value(self.steps.resolved(ref)))
                continue
            value = self.steps.operands[ref[0]].value
            if isinstance(value, (int, float)):
                found.append(value)
        return tuple(found)

    def _layer(self, step: Step) -> int:
        """The number of the layer that a step calls: the one with the same weights."""
        key = (step.type, *sorted(step.weights)) if step.weights else ("", step.last)
        if key in self.numbers:
            return self.numbers[key]
        number = self.numbers[key] = len(self.layers)
        fresh = {name: size for name, size in step.weights.items() if name not in self.counted}
        self.counted |= set(fresh)
        self.layers.append(self._described(step, fresh))
        return number

    def _described(self, step: Step, weights: dict[str, int]) -> Layer:
        op = self.steps.op(step)
        own = bool(step.config.get("own")) or (not step.type and bool(step.weights))
        operation = None
        kind: Kind = "layer"
        if step.type == "InputLayer":
            kind = "input"
        elif not step.type and not own:
            known = canonical_operation(op.type)
            operation = snake(op.type) if known == op.type.lower() else known
            kind = "layer" if self._stands_alone(step) else "operation"
        trained = {name for name in weights if name in self.function.trainable}
        return Layer(
            path=self.names[step.last],
            type=step.type or op.type,
            kind=kind,
            builtin=not own,
            config={} if own else {**dict.fromkeys(ATTRIBUTES.get(step.type, ())), **step.config},
            operation=operation,
            parameters=sum(weights.values()),
            trainable_parameters=sum(weights[name] for name in trained),
        )

    def _stands_alone(self, step: Step) -> bool:
        """Whether an operation is all that a layer's scope holds."""
        return len(self.leaves.get(step.scope, ())) == 1


def _names(function: Function, steps: Steps) -> dict[int, str]:
    """A path for each step: its scope where the scope is its own, else its operation's name."""
    named = {number: step for number, step in steps.steps.items() if number not in steps.entries}
    scopes = [step.scope for step in named.values()]
    roots = {scope.partition("/")[0] for scope in scopes}
    root = f"{roots.pop()}/" if len(roots) == 1 else ""
    found = {place: name for name, place in function.inputs.items()}
    for number, step in named.items():
        inside = [scope for scope in scopes if f"{scope}/".startswith(f"{step.scope}/")]
        alone = step.scope and len(inside) == 1
        found[number] = (step.scope if alone else function.ops[number].path).removeprefix(root)
    return found
