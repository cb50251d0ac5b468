"""What two runs of a model may differ by.

The criterion is a backward error: a fold is right if its outputs are no further from
the model's than when everything that any layer of the model reads is moved by a
relative 1e-11, four orders above the rounding of float64. That is as tight
on every graph as its conditioning allows, without a constant that would suit one
graph and not another: cancellation (``x - x``) and long chains count by themselves.
One draw of such moves is enough, for what it stands for is ten thousand times smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import reject

from tests.property.build import Built

RELATIVE = 1e-11
MARGIN = 4.0


def differences(
    built: Built, folded: Any, seed: int, kept: Sequence[int] | None = None
) -> list[tuple[float, float, float]]:
    """For each output, how far the fold is off, how far it may be, and how large it is.

    ``kept`` are the positions of the outputs that the folded model still has.
    """
    inputs = make_inputs(built, seed)
    xla = built.recipe.xla
    try:
        before = flat(run(built.model, built, inputs, xla=xla))
    except ValueError:  # Keras's own: a Softmax, for one, takes no mask that has fewer axes
        reject()
    after = flat(run(folded, built, inputs, xla=xla))
    moved = disturbed(built, inputs, xla=xla)
    pairs = list(zip(before, moved, strict=True))
    if kept is not None:
        pairs = [pairs[number] for number in kept]
    return [
        (largest(one - other), limit(one, near), largest(one))
        for (one, near), other in zip(pairs, after, strict=True)
    ]


def limit(output: Any, near: Any) -> float:
    return max(MARGIN * largest(output - near), RELATIVE * largest(output), 1e-300)


def largest(array: Any) -> float:
    return float(np.abs(array).max()) if array.size else 0.0


def make_inputs(built: Built, seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    shapes = [(3, *shape) for shape in built.recipe.inputs]
    if built.recipe.tokens:
        return [random.integers(0, 5, shape).astype("int32") for shape in shapes]
    return [random.normal(size=shape) for shape in shapes]


def run(model: Any, built: Built, inputs: list[Any], *, xla: bool) -> Any:
    """What the compiled model returns, as it returns it."""
    named = {f"in{number}": array for number, array in enumerate(inputs)}
    named = {name: named[name] for name in map(_name, model.inputs)}
    given: Any = named if built.recipe.named else list(named.values())
    if isinstance(given, list) and len(built.recipe.inputs) == 1:
        given = given[0]
    # Without it Keras 3 has all that comes after a training call train as well.
    return compiled(lambda tensors: model(tensors, training=False), given, xla=xla)


def _name(tensor: Any) -> str:
    return str(tensor.name).partition(":")[0]


def flat(outputs: Any) -> list[Any]:
    """The outputs in the order of the recipe."""
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs, key=lambda name: int(name[3:]))]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def disturbed(built: Built, inputs: list[Any], *, xla: bool) -> list[Any]:
    """The outputs when everything that is read is moved a little."""
    return list(compiled(lambda tensors: built.run(tensors, _Noise()), inputs, xla=xla))


class _Noise:
    """Moves each tensor by another relative error."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, tensor: Any) -> Any:
        import tensorflow as tf

        if not tensor.dtype.is_floating:
            return tensor
        self.calls += 1
        unit = tf.random.stateless_normal(tf.shape(tensor), (self.calls, 0), dtype=tensor.dtype)
        moved = tensor * (1 + RELATIVE * unit)
        mask = getattr(tensor, "_keras_mask", None)
        if mask is not None:
            moved._keras_mask = mask
        return moved


def compiled(function: Callable[[Any], Any], given: Any, *, xla: bool) -> Any:
    import tensorflow as tf

    tensors = tf.nest.map_structure(tf.convert_to_tensor, given)
    traced = tf.function(function, autograph=False, jit_compile=True) if xla else function
    return tf.nest.map_structure(lambda each: np.asarray(each, np.float64), traced(tensors))
