"""From a recipe to a live model, and the same model run step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.kerases import generation
from tests.property.recipe import Recipe, Step

Touch = Callable[[Any], Any]
TRAINED = (
    "BatchNormalization",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Model",
    "SpatialDropout1D",
    "SpatialDropout2D",
)


@dataclass(frozen=True)
class Built:
    """``calls`` holds, for each step, what is called: a layer, operation or model."""

    keras: Any
    recipe: Recipe
    model: Any
    calls: tuple[Any, ...]

    def run(self, inputs: Sequence[Any], touch: Touch, *, training: bool = False) -> list[Any]:
        """The outputs at inference, with ``touch`` applied to everything that a step reads.

        In Keras 2 training calls remain what they are.
        """
        values = list(inputs)
        for step, call in zip(self.recipe.steps, self.calls, strict=True):
            given = [touch(values[number]) for number in step.inputs]
            flag = (training or step.training) and generation(self.keras) == 2
            if isinstance(call, Built):
                values += call.run(given, touch, training=flag)
            else:
                values += _called(step, call, given, flag)
        return [values[number] for number in self.recipe.outputs]


def build(keras: Any, recipe: Recipe, name: str = "net") -> Built:
    """The model that ``recipe`` describes, with the weights that Keras gives it."""
    dtype = "int32" if recipe.tokens else None
    inputs = [
        keras.Input(shape, dtype=dtype, name=f"in{number}")
        for number, shape in enumerate(recipe.inputs)
    ]
    values: list[Any] = list(inputs)
    calls: list[Any] = []
    for number, step in enumerate(recipe.steps):
        call = calls[step.again] if step.again is not None else _make(keras, step, number)
        calls.append(call)
        given = [values[each] for each in step.inputs]
        target = call.model if isinstance(call, Built) else call
        values += _called(step, target, given, step.training)
    if recipe.sequential:
        model = keras.Sequential([inputs[0], *map(_layer, calls)], name=name)
    else:
        outputs = [values[number] for number in recipe.outputs]
        model = keras.Model(*_ends(recipe, inputs, outputs), name=name)
    return Built(keras, recipe, model, tuple(calls))


def _layer(call: Any) -> Any:
    return call.model if isinstance(call, Built) else call


def _ends(recipe: Recipe, inputs: list[Any], outputs: list[Any]) -> tuple[Any, Any]:
    if recipe.named:
        named = {f"out{n}": tensor for n, tensor in enumerate(outputs)}
        backwards = dict(reversed(named.items()))
        return {f"in{n}": tensor for n, tensor in enumerate(inputs)}, backwards
    single = len(outputs) == 1
    return inputs[0] if len(inputs) == 1 else inputs, outputs[0] if single else outputs


def _called(step: Step, call: Any, given: list[Any], training: bool) -> list[Any]:
    flag = {"training": True} if training and step.kind in TRAINED else {}
    if step.kind == "MultiHeadAttention":
        out = call(given[0], given[0])
    elif step.kind.islower():
        out = call(*given)
    else:
        out = call(given if len(given) > 1 else given[0], **flag)
    return list(out) if isinstance(out, (list, tuple)) else [out]


def _make(keras: Any, step: Step, number: int) -> Any:
    name = f"s{number}_{step.kind.lower()}"
    if step.kind == "Model":
        return build(keras, step.config["recipe"], name)
    if step.kind.islower():
        return _operation(keras, step)
    config = dict(step.config)
    if step.kind == "TimeDistributed":
        inner, arguments = config["layer"]
        config["layer"] = getattr(keras.layers, inner)(**arguments)
    return getattr(keras.layers, step.kind)(**config, name=name)


def _operation(keras: Any, step: Step) -> Callable[..., Any]:
    config = step.config
    if "constant" in config:
        swapped = config.get("swapped", False)
        return _with_constant(keras, step.kind, config["constant"], swapped=swapped)
    if generation(keras) == 3:
        return _operation3(keras, step)
    import tensorflow as tf

    if step.kind == "reshape":
        return lambda x: tf.reshape(x, (-1, *config["target_shape"]))
    if step.kind == "transpose":
        return lambda x: tf.transpose(x, (0, *config["dims"]))
    if step.kind == "concatenate":
        return lambda *xs: tf.concat(list(xs), config["axis"])
    if step.kind == "relu":
        return tf.nn.relu
    return {**ARITHMETIC, "maximum": tf.maximum}[step.kind]


def _operation3(keras: Any, step: Step) -> Callable[..., Any]:
    ops, config = keras.ops, step.config
    if step.kind == "reshape":
        return lambda x: ops.reshape(x, (-1, *config["target_shape"]))
    if step.kind == "transpose":
        return lambda x: ops.transpose(x, (0, *config["dims"]))
    if step.kind == "concatenate":
        return lambda *xs: ops.concatenate(list(xs), config["axis"])
    if step.kind == "relu":
        return ops.relu
    return {**ARITHMETIC, "maximum": ops.maximum}[step.kind]


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
}


def _with_constant(keras: Any, kind: str, constant: Any, *, swapped: bool) -> Callable[[Any], Any]:
    numbers = isinstance(constant, tuple)
    value = np.asarray(constant, keras.backend.floatx()) if numbers else constant
    function = ARITHMETIC[kind]
    return lambda x: function(value, x) if swapped else function(x, value)
