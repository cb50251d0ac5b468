"""The matrix: a case is a model, what folding must say about it, and what must be left.

A case's expectation is a line of words. ``bn>conv`` means that the layer ``bn`` is
folded into the layer ``conv``, ``bn>a+b`` into both, ``bn!activation@conv`` that it is
refused for the reason "activation" because of ``conv``. What is left is a line of
types in any order, operations by their canonical lower-case name.

Whatever the case, outputs must agree, the model must be as it was, the plan must
agree with the result, and folding again must change nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pytest_layercount.model.graph import values_in
from tests.kerases import generation, load_keras

Build = Callable[["Kit"], Any]


class Kit:
    """Keras as the cases use it: every layer is an attribute."""

    def __init__(self) -> None:
        self.keras = load_keras()
        self.generation = generation(self.keras)
        self.version = tuple(map(int, self.keras.__version__.split(".")[:2]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keras.layers, name)

    def input(self, *shape: int | None, **kwargs: Any) -> Any:
        return self.keras.Input(shape, **kwargs)

    def bn(self, name: str = "bn", **kwargs: Any) -> Any:
        return self.keras.layers.BatchNormalization(name=name, **kwargs)

    def model(self, inputs: Any, outputs: Any, **kwargs: Any) -> Any:
        return self.keras.Model(inputs, outputs, **kwargs)

    def chain(self, shape: tuple[int | None, ...], *layers: Any, **kwargs: Any) -> Any:
        """A functional model of one layer after the other."""
        first = tensor = self.keras.Input(shape, **kwargs)
        for layer in layers:
            tensor = layer(tensor)
        return self.model(first, tensor)


@dataclass(frozen=True)
class Case:
    """A model by how it is built, what is folded or refused, and what is left.

    ``needs`` is the Keras generation it exists in, or a version to have at least;
    ``unless`` is a version that cannot build it.
    """

    name: str
    build: Build
    expected: str
    left: str
    needs: int | tuple[int, int] | None = None
    unless: tuple[int, int] | None = None
    tolerance: float = 1e-9
    variances: tuple[float, float] = (1e-3, 10.0)
    removed: str = ""
    floatx: str = "float64"
    training: bool | None = None
    xla: bool = False  # TensorFlow itself has no channels_first convolution in float64

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.encode())


def matrix(*cases: Case) -> Any:
    """The decorator that runs a test once for each case."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def check(case: Case, kit: Kit) -> None:
    """Everything that must hold of a case."""
    from pytest_layercount.folding import fold, plan_fold

    skip_unless(case, kit)
    kit.keras.backend.set_floatx(case.floatx)
    model = case.build(kit)
    randomise(model, case.seed, case.variances)
    before = snapshot(model)
    result = fold(model)
    assert said(result) == sorted(case.expected.split()), result.refusals
    assert " ".join(result.removed) == case.removed
    left = sorted(types_of_model(result.model))
    assert left == sorted(types_of(result.plan.graph))
    assert left == sorted(case.left.split())
    assert unchanged(before, snapshot(model))
    assert said(plan_fold(model, resolve=True)) == said(result)
    unfit = ("overflow", "non-finite")  # seen only when the new weights are computed
    if not any(no.reason in unfit for no in result.refusals):
        certain = {fold.layer for fold in plan_fold(model).folds if not fold.condition}
        assert certain <= {fold.layer for fold in result.folds}
    assert_same_outputs(model, result.model, case)
    again = fold(result.model)
    assert not again.folds
    assert not again.removed
    assert sorted(types_of_model(again.model)) == left


def skip_unless(case: Case, kit: Kit) -> None:
    needs = case.needs
    if kit.version == case.unless:
        pytest.skip(f"this Keras cannot build {case.name}")
    if isinstance(needs, int) and kit.generation != needs:
        pytest.skip(f"needs Keras {needs}")
    if isinstance(needs, tuple) and kit.version < needs:
        pytest.skip(f"needs Keras {'.'.join(map(str, needs))}")


def said(result: Any) -> list[str]:
    """Folds and refusals in the words of a case."""
    folds = [f"{fold.layer}>{'+'.join(sorted(fold.into))}" for fold in result.folds]
    return sorted(folds + [f"{no.layer}!{no.reason}@{no.blocker}" for no in result.refusals])


def types_of(graph: Any) -> list[str]:
    """The type behind each call, but not of those that only compute masks.

    Keras 3 records these where a mask comes in as an argument, Keras 2 never does.
    """
    needed: set[int] = set()
    pending = [value.node for value in values_in(graph.outputs)]
    while pending:
        number = pending.pop()
        if number not in needed:
            needed.add(number)
            node = graph.nodes[number]
            kwargs = {key: item for key, item in node.kwargs.items() if not key.endswith("mask")}
            pending += [value.node for value in values_in((node.args, kwargs))]
    called = [graph.layer_of(number) for number in sorted(needed)]
    return [layer.operation or layer.type for layer in called if layer.kind != "input"]


def types_of_model(model: Any) -> list[str]:
    from pytest_layercount import read_graph

    return types_of(read_graph(model))


def parts(model: Any) -> Iterator[Any]:
    """Every layer, those inside models and wrappers included."""
    yield from model._flatten_layers()


def randomise(model: Any, seed: int, variances: tuple[float, float]) -> None:
    """Statistics as trained models have them: a third of the gammas negative, some zero."""
    random = np.random.default_rng(seed)
    for layer in parts(model):
        for variable in own_variables(layer):
            name = variable.name.rpartition("/")[2].partition(":")[0]
            value = drawn(random, name, tuple(map(int, variable.shape)), variances)
            if np.issubdtype(np.asarray(variable.numpy()).dtype, np.floating):
                variable.assign(value)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def own_variables(layer: Any) -> list[Any]:
    parts = [part for part in layer._flatten_layers() if part is not layer]
    inner = {id(variable) for part in parts for variable in part.weights}
    return [variable for variable in layer.weights if id(variable) not in inner]


def drawn(
    random: np.random.Generator, name: str, shape: tuple[int, ...], variances: tuple[float, float]
) -> Any:
    value = random.normal(size=shape)
    if name in ("moving_variance", "variance"):
        low, high = np.log10(variances)
        return 10 ** random.uniform(low, high, shape)
    if name in ("gamma", "scale"):
        value = np.abs(value) + 0.2
        value = np.where(random.random(shape) < 1 / 3, -value, value)
        return np.where(random.random(shape) < 1 / 8, 0.0, value)
    return value * 0.5 if name.endswith("kernel") else value


def snapshot(model: Any) -> list[Any]:
    """All that folding must leave as it is."""
    layers = list(parts(model))
    configs = [repr(layer.get_config()) for layer in layers if has_config(layer)]
    flags = [layer.trainable for layer in layers]
    return [[id(layer) for layer in layers], configs, flags, model.get_weights()]


def has_config(layer: Any) -> bool:
    return not any(base.__name__ == "Model" for base in type(layer).__mro__)


def unchanged(before: list[Any], after: list[Any]) -> bool:
    weights = zip(before[-1], after[-1], strict=True)
    return before[:-1] == after[:-1] and all(np.array_equal(a, b) for a, b in weights)


def assert_same_outputs(model: Any, folded: Any, case: Case) -> None:
    inputs = inputs_for(model, case.seed)
    ours, theirs = (outputs_of(each, inputs, case) for each in (model, folded))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert np.isfinite(one).all()
        assert np.abs(one).max() > 0
        difference = np.abs(one - other).max() / np.abs(one).max()
        assert difference <= case.tolerance, f"outputs differ by {difference:.1e}"


def inputs_for(model: Any, seed: int) -> Any:
    """Random inputs of the shapes and types that the model takes."""
    random = np.random.default_rng(seed + 1)
    tensors = model.inputs
    arrays = [array_for(random, tensor) for tensor in tensors]
    if isinstance(getattr(model, "_nested_inputs", None), dict):  # Keras 2
        names = list(model._nested_inputs)
        by_id = {id(tensor): array for tensor, array in zip(tensors, arrays, strict=True)}
        return {name: by_id[id(model._nested_inputs[name])] for name in names}
    if isinstance(getattr(model, "_inputs_struct", None), dict):  # Keras 3
        struct = model._inputs_struct
        by_id = {id(tensor): array for tensor, array in zip(tensors, arrays, strict=True)}
        return {name: by_id[id(tensor)] for name, tensor in struct.items()}
    return arrays[0] if len(arrays) == 1 else arrays


def array_for(random: np.random.Generator, tensor: Any) -> Any:
    shape = tuple(tensor.shape)
    sizes = [(3 if axis == 0 else 9) if size is None else size for axis, size in enumerate(shape)]
    dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
    if "int" in dtype:
        return random.integers(0, 5, sizes).astype(dtype)
    return random.normal(size=sizes).astype(dtype)


def outputs_of(model: Any, inputs: Any, case: Case) -> list[Any]:
    """What the compiled model returns."""
    import tensorflow as tf

    flag = {} if case.training is None else {"training": case.training}
    call = tf.function(lambda given: model(given, **flag), autograph=False, jit_compile=case.xla)
    outputs = call(inputs)
    return [np.asarray(tensor).astype(np.float64) for tensor in tf.nest.flatten(outputs)]
