"""Activation functions that are several operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_layercount.model.readers.tensorflow.ops import Ref
from pytest_layercount.model.readers.tensorflow.steps import Step, Steps


def recognise_activations(steps: Steps) -> None:
    """Find swish and the hard functions, written out."""
    for step in steps.typed("Mul"):
        _silu(steps, step)
    # hard_silu is a product with a hard_sigmoid, which has to be known before it.
    for step in steps.typed("RealDiv", "Mul"):
        _hard_sigmoid(steps, step)
    for step in steps.typed("Maximum"):
        _clipped_sigmoid(steps, step)
    for step in steps.typed("Mul"):
        _hard_silu(steps, step)


def become_activation(steps: Steps, last: Step, parts: Iterable[Step], function: str) -> None:
    """Join the operations of an activation function. What they compute with is no weight."""
    steps.become(last, parts, "Activation", {"activation": function}).weights = {}


def _silu(steps: Steps, product: Step) -> None:
    # Mul (beta, which is 1) -> Sigmoid -> Mul (by data): tf.nn.silu, for both Keras's swish.
    # Sigmoid -> Mul (by data): the same by hand.
    for gate, data in _gates(steps, product, "Sigmoid"):
        scaled = steps.before(gate, "Mul")
        if gate.reads == [data]:
            become_activation(steps, product, [gate], "silu")
            break
        if scaled is not None and scaled.reads == [data]:
            become_activation(steps, product, [gate, scaled], "silu")
            break


def _hard_sigmoid(steps: Steps, last: Step) -> None:
    # AddV2 (3) -> Relu6 -> RealDiv (6): Keras 3. With Mul (1/6) as the last: by hand.
    scale = 6 if steps.op(last).type == "RealDiv" else 1 / 6
    parts = _chain(steps, last, ("Relu6", None), ("AddV2", 3))
    if steps.is_leaf(last.scope) and parts and computes_with(steps, last, scale):
        become_activation(steps, last, parts, "hard_sigmoid")


def _clipped_sigmoid(steps: Steps, last: Step) -> None:
    # Mul (0.2) -> AddV2 (0.5) -> Minimum (1) -> Maximum (0): Keras 2's hard sigmoid.
    parts = _chain(steps, last, ("Minimum", None), ("AddV2", 0.5), ("Mul", 0.2))
    if parts:
        become_activation(steps, last, parts, "hard_sigmoid")


def _hard_silu(steps: Steps, product: Step) -> None:
    # AddV2 (3) -> Relu6 -> RealDiv (6) -> Mul (by data), in one scope: hard_silu of Keras 3.
    for gate, data in _gates(steps, product):
        known = gate.type == "Activation" and gate.config["activation"] == "hard_sigmoid"
        if known and gate.reads == [data] and steps.is_leaf(product.scope):
            become_activation(steps, product, [gate], "hard_silu")
            break


def _gates(steps: Steps, product: Step, *types: str) -> Iterator[tuple[Step, Ref]]:
    """Both ways to read a product of two: the gate, and the data that it gates.

    A gate is a step of which only the product takes the result; ``types`` restrict it.
    """
    for slot, data in enumerate(reversed(product.reads)):
        gate = steps.before(product, *types, slot=slot)
        if gate is not None and len(product.reads) == 2:
            yield gate, data


def _chain(steps: Steps, last: Step, *types: tuple[str, float | None]) -> list[Step]:
    """The steps that lead to ``last``, the nearest first; empty unless they are as ``types`` say.

    ``types`` are pairs of an operation and the constant that it computes with, None for any.
    """
    chain = [last]
    for type_, constant in types:
        step = steps.before(chain[-1], type_)
        if step is None or not (constant is None or computes_with(steps, step, constant)):
            return []
        chain.append(step)
    return chain[1:] if all(len(step.reads) == 1 for step in chain) else []


def computes_with(steps: Steps, step: Step, constant: float) -> bool:
    """Tell whether a step computes with ``constant``, which may be rounded (1/6 is)."""
    number = steps.number(step.core)
    return number is not None and abs(number - constant) < 1e-4
