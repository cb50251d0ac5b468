"""Layers made of layers: opened where something in them folds, whole where that is not sure.

Whatever becomes of them, the folded model computes what ``predict`` of the user's own
model does, and that model is as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.folding.harness import snapshot, unchanged
from tests.kerases import generation, load_keras, skip_in_keras_3_3

pytestmark = needs_keras

if has_keras():
    import tensorflow as tf

    from pytest_layercount import (
        check_equivalence,
        check_fold,
        count_layers,
        explain,
        fold,
        plan_fold,
    )
    from pytest_layercount.folding.cache import graph_of, plan_of

    keras = load_keras()
    layers = keras.layers
    square = keras.ops.square if generation(keras) == 3 else tf.square
    exp = keras.ops.exp if generation(keras) == 3 else tf.exp

    class Block(layers.Layer):  # type: ignore[misc,name-defined]
        """Convolution, normalization, activation; subclasses do something else with it."""

        def __init__(self, filters: int = 4, **kwargs: Any):
            super().__init__(**kwargs)
            self.filters = filters
            self.conv = layers.Conv2D(filters, 3, padding="same", use_bias=False, name="conv")
            self.bn = layers.BatchNormalization(name="bn")
            self.act = layers.ReLU(name="act")

        def build(self, shape: Any) -> None:
            self.conv.build(shape)
            self.bn.build((*shape[:-1], self.filters))
            super().build(shape)

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.act(self.bn(self.conv(inputs), training=training))

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], self.filters)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "filters": self.filters}

    class Residual(Block):
        def call(self, inputs: Any, training: Any = None) -> Any:
            return inputs + super().call(inputs, training=training)

    class Outer(layers.Layer):  # type: ignore[misc,name-defined]
        """Two blocks, one in the other's place the second time."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.first, self.second = Block(name="first"), Residual(name="second")

        def build(self, shape: Any) -> None:
            self.first.build(shape)
            self.second.build((*shape[:-1], 4))
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            return self.second(self.second(self.first(inputs)))

    class Scaled(Block):
        """A weight of its own, read by an operation."""

        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(4,), initializer="ones")
            super().build(shape)

        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs, training=training) * self.scale

    class Pair(Block):
        """Takes a dictionary and returns one; layers without weights are made in the call."""

        def build(self, shape: Any) -> None:
            super().build(shape["x"])

        def call(self, inputs: Any, training: Any = None) -> Any:
            made = super().call(inputs["x"], training=training)
            return {"sum": layers.Add()([made, inputs["y"]]), "made": made}

        def compute_output_shape(self, shape: Any) -> Any:
            return {"sum": shape["y"], "made": shape["y"]}

    class Named(Block):
        """Takes its second input by keyword."""

        def call(self, inputs: Any, other: Any = None, training: Any = None) -> Any:
            return super().call(inputs, training=training) - other

    class Counting(Block):
        """Does something else every other time."""

        calls = 0

        def call(self, inputs: Any, training: Any = None) -> Any:
            self.calls += 1
            made = super().call(inputs, training=training)
            return made if self.calls % 2 else -made

    class Sized(Block):
        """Branches on the batch size."""

        def call(self, inputs: Any, training: Any = None) -> Any:
            made = super().call(inputs, training=training)
            return -made if inputs.shape[0] == 1 else made

    class Dividing(Block):
        """Computes with the batch size."""

        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs, training=training) / (inputs.shape[0] or 1)

    class Flagged(Block):
        """Branches on the flag, which is None while a model is made and False in ``predict``."""

        def call(self, inputs: Any, training: Any = None) -> Any:
            made = super().call(inputs, training=training)
            return made if training is None else 2 * made

    class Drops(Block):
        """Dropout that is always on, in ``predict`` as well, where rates of zero drop nothing."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.drop = layers.Dropout(0.5, seed=1)

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.drop(super().call(inputs, training=training), training=True)

    class Noisy(Block):
        """Draws a constant when it is followed, and another one every time."""

        def call(self, inputs: Any, training: Any = None) -> Any:
            noise = np.random.default_rng().random() / 1000
            return super().call(inputs, training=training) + noise

    class Derived(Block):
        """Computes with what is made of its weight, which the graph does not show."""

        def build(self, shape: Any) -> None:
            self.log_scale = self.add_weight(name="log_scale", shape=(4,), initializer="ones")
            super().build(shape)

        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs, training=training) * exp(self.log_scale)

    class Around(Block):
        """Does something around its call."""

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return 2 * super().__call__(*args, **kwargs)

    class Remembering(Block):
        """Keeps what it has seen."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.seen: Any = None

        def call(self, inputs: Any, training: Any = None) -> Any:
            self.seen = inputs.shape
            return super().call(inputs, training=training)

    class Collecting(Block):
        """Keeps a list of what it has seen."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.shapes: list[Any] = []

        def call(self, inputs: Any, training: Any = None) -> Any:
            self.shapes.append(len(self.shapes))
            return super().call(inputs, training=training)

    class Unused(Block):
        """Has a part with weights that the call leaves out."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.spare = layers.Dense(3)

        def build(self, shape: Any) -> None:
            self.spare.build(shape)
            super().build(shape)

    class PreActivation(Block):
        """Nothing in it folds."""

        def call(self, inputs: Any, training: Any = None) -> Any:
            made = self.act(self.bn(inputs, training=training))
            return inputs + self.conv(made)


def randomise(model: Any) -> Any:
    random = np.random.default_rng(3)
    for weight in model.weights:
        name, shape = str(getattr(weight, "path", weight.name)), tuple(weight.shape)
        if "seed" in name:
            continue
        drawn = random.uniform(0.5, 2, shape) if "variance" in name else None
        weight.assign(random.normal(0, 0.5, shape) if drawn is None else drawn)
    return model


def around(middle: Callable[[Any], Any], *, channels: int = 4) -> Any:
    """A functional model with a layer of the user's own in the middle."""
    entry = keras.Input((6, 6, channels))
    x = layers.ReLU(name="before")(layers.Conv2D(4, 1, name="stem")(entry))
    x = layers.GlobalAveragePooling2D(name="pool")(middle(x))
    return randomise(keras.Model(entry, layers.Dense(2, name="head")(x)))


def state(model: Any) -> Any:
    """Everything about a model that following a call could change."""
    parts = list(model._flatten_layers())
    plain = (bool, int, float, str, tuple, type(None))
    return (
        snapshot(model),
        [(len(part._inbound_nodes), len(part._outbound_nodes)) for part in parts],
        [sorted(vars(part)) for part in parts],
        [{key: each for key, each in vars(part).items() if type(each) in plain} for part in parts],
        [len(getattr(part, "shapes", ())) for part in parts],
    )


def folded(model: Any, **kwargs: Any) -> Any:
    """The fold of a model, after a look at what every fold must keep."""
    before = state(model)
    result = fold(model, **kwargs)
    after = state(model)
    assert unchanged(before[0], after[0])
    assert before[1:] == after[1:]
    assert result.before.total == len(model.layers)
    assert count_layers(graph_of(model)).total == len(model.layers)
    assert plan_fold(model, resolve=True).folds == plan_of(model).folds
    return result


def same(model: Any, result: Any) -> None:
    random = np.random.default_rng(1)
    inputs = [random.normal(size=(5, *entry.shape[1:])).astype("float32") for entry in model.inputs]
    expected = np.asarray(model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
    there = np.asarray(result.model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
    np.testing.assert_allclose(there, expected, rtol=1e-4, atol=1e-5)


def norms(model: Any) -> int:
    return sum(isinstance(part, layers.BatchNormalization) for part in model._flatten_layers())


@pytest.mark.parametrize("name", ["Block", "Residual", "Scaled", "Outer"])
def test_what_folds_inside_is_opened(name: str) -> None:
    model = around(globals()[name](name="block"))
    result = folded(model)
    same(model, result)
    assert result.opened[0] == "block"
    assert norms(result.model) == 0
    assert not result.refusals
    assert all(one.layer.startswith("block/") for one in result.folds)


@pytest.mark.parametrize("name", ["Block", "Scaled", "Outer"])
def test_the_fold_is_checked_and_explained(name: str) -> None:
    model = around(globals()[name](name="block"))
    check = check_fold(model)
    assert check.equivalence.equivalent, check.equivalence.worst
    result = fold(model)
    assert check_equivalence(model, result).equivalent
    assert check_equivalence(model, result.model).equivalent
    for there, back in ((model, result.model), (result.model, model)):
        explanation = explain(there, back)
        codes = {cause.code for cause in explanation.causes}
        assert codes - {"affine-folded"} == {"opened", "batch-norms-folded"}
        assert sum(cause.delta for cause in explanation.causes) == explanation.delta
        assert not explanation.changed
    assert explain(model, result.model).causes[0].before == ("block",)


def test_a_weight_that_an_operation_reads_is_no_warning(caplog: Any) -> None:
    assert plan_fold(around(Scaled(name="block"))).folds
    assert not caplog.records


def test_a_dictionary_of_tensors_and_one_by_keyword() -> None:
    model = around(lambda x: Pair(name="pair")({"x": x, "y": x})["sum"])
    result = folded(model)
    same(model, result)
    assert result.opened == ("pair",)
    entry, other = keras.Input((6, 6, 4)), keras.Input((6, 6, 4))
    model = randomise(keras.Model([entry, other], Named(name="named")(entry, other=other)))
    result = folded(model)
    same(model, result)
    assert result.opened == ("named",)


def test_in_a_sequential_and_in_a_nested_model() -> None:
    model = randomise(
        keras.Sequential([keras.Input((6, 6, 4)), Block(name="one"), Residual(name="two")])
    )
    result = folded(model)
    same(model, result)
    assert result.opened == ("one", "two")
    inner = keras.Input((6, 6, 4))
    nested = keras.Model(inner, Block(name="block")(inner), name="nested")
    model = around(nested)
    result = fold(model)
    same(model, result)
    assert result.opened == ("nested/block",)
    assert [one.layer for one in result.folds] == ["nested/block/bn"]


def test_a_sequential_inside_on_another_size_than_it_was_built_with() -> None:
    class Stack(layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            convolution = layers.Conv2D(4, 3, use_bias=False, name="conv")
            self.net = keras.Sequential([convolution, layers.BatchNormalization(name="bn")])

        def call(self, inputs: Any) -> Any:
            return self.net(inputs)

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], shape[1] - 2, shape[2] - 2, 4)

    stack = Stack(name="stack")
    stack(np.zeros((1, 8, 8, 3), "float32"))
    entry = keras.Input((16, 16, 3))
    planned = plan_fold(keras.Model(entry, stack(entry)))
    assert [fold.layer.rpartition("/")[2] for fold in planned.folds] == ["bn"]


def test_called_twice_it_is_shared() -> None:
    block = Block(name="block")
    model = around(lambda x: block(block(x)))
    result = folded(model)
    same(model, result)
    assert result.after.by_type["Conv2D"] == 2
    assert norms(result.model) == 0


def test_a_block_in_which_nothing_folds_stays_whole() -> None:
    model = around(lambda x: PreActivation(name="stays")(Block(name="block")(x)))
    result = folded(model)
    same(model, result)
    assert result.opened == ("block",)
    assert result.after.by_type["PreActivation"] == 1
    (refusal,) = result.refusals
    assert (refusal.layer, refusal.reason, refusal.blocker) == (
        "stays/bn",
        "several-consumers",
        "block/act",
    )
    assert plan_of(model).refusals == plan_fold(model).refusals == (refusal,)


WHOLE = [
    "Counting",
    "Sized",
    "Dividing",
    "Flagged",
    "Noisy",
    "Derived",
    "Around",
    "Remembering",
    "Collecting",
    "Unused",
    "Drops",
]


@pytest.mark.parametrize("name", WHOLE)
def test_what_may_compute_something_else_stays_whole(name: str) -> None:
    model = around(globals()[name](name="block"))
    before = state(model)
    plan = plan_fold(model)
    assert before[1:] == state(model)[1:]
    assert not [one for one in plan.folds if one.layer.startswith("block")]
    assert [(no.layer, no.reason, no.blocker) for no in plan.refusals] == [
        ("block/bn", "inside-layer", "block")
    ]
    assert [layer.type for layer in plan.graph.layers].count(name) == 1


def test_a_call_that_reads_a_mask_stays_whole() -> None:
    class Steps(layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.dense, self.bn = layers.Dense(4), layers.BatchNormalization(name="bn")
            self.supports_masking = True

        def build(self, shape: Any) -> None:
            self.dense.build(shape)
            self.bn.build((*shape[:-1], 4))
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            return self.bn(self.dense(inputs))

    entry = keras.Input((5, 3))
    masked = layers.Masking()(entry)
    model = randomise(keras.Model(entry, layers.LSTM(2)(Steps(name="steps")(masked))))
    assert [no.layer for no in plan_fold(model).refusals] == ["steps/bn"]
    free = randomise(keras.Model(entry, layers.LSTM(2)(Steps(name="steps")(entry))))
    assert [one.layer for one in plan_fold(free).folds] == ["steps/bn"]


def test_a_call_with_training_true_stays_whole() -> None:
    model = around(lambda x: Block(name="block")(x, training=True))
    assert [no.reason for no in plan_fold(model).refusals] == ["inside-layer"]


def test_half_precision_is_cast_where_the_layer_casts() -> None:
    entry = keras.Input((6, 6, 4))
    block = Block(name="block", dtype="float64")
    model = keras.Model(entry, block(entry))
    assert not plan_fold(model).folds


def test_a_wrapper_around_a_model_names_what_is_in_it() -> None:
    skip_in_keras_3_3("has no TimeDistributed of a model: Sequential tells it no output shape")
    inner = keras.Sequential(
        [keras.Input((6, 4)), layers.Conv1D(4, 3), layers.BatchNormalization(name="bn")],
        name="inner",
    )
    entry = keras.Input((5, 6, 4))
    model = randomise(keras.Model(entry, layers.TimeDistributed(inner, name="steps")(entry)))
    result = folded(model)
    same(model, result)
    (refusal,) = result.refusals
    assert (refusal.layer, refusal.reason) == ("steps/inner/bn", "inside-layer")
    assert "steps" in refusal.message


def test_a_class_that_only_has_another_name_folds() -> None:
    class BatchNorm(layers.BatchNormalization):  # type: ignore[misc,name-defined]
        """Another default."""

        def __init__(self, epsilon: float = 0.1, **kwargs: Any):
            super().__init__(epsilon=epsilon, **kwargs)

        @property
        def told(self) -> str:
            return self.name

    entry = keras.Input((5,))
    model = randomise(keras.Model(entry, BatchNorm(name="bn")(layers.Dense(4, name="d")(entry))))
    result = folded(model)
    same(model, result)
    assert [(one.layer, one.type, one.into) for one in result.folds] == [
        ("bn", "BatchNorm", ("d",))
    ]
    assert {cause.code for cause in explain(model, result.model).causes} == {"batch-norms-folded"}


def test_a_class_that_changes_more_is_refused_by_name() -> None:
    class Frozen(layers.BatchNormalization):  # type: ignore[misc,name-defined]
        def call(self, inputs: Any, training: Any = None) -> Any:
            return 2 * super().call(inputs, training=False)

    class Mixin:
        def call(self, inputs: Any, training: Any = None) -> Any:
            return inputs

    class Mixed(Mixin, layers.BatchNormalization):  # type: ignore[misc,name-defined]
        pass

    for cls in (Frozen, Mixed):
        entry = keras.Input((5,))
        model = randomise(keras.Model(entry, cls(name="bn")(layers.Dense(4)(entry))))
        result = folded(model)
        same(model, result)
        assert [(no.layer, no.type, no.reason) for no in result.refusals] == [
            ("bn", cls.__name__, "own-class")
        ]


def test_one_whose_call_was_replaced_is_refused() -> None:
    entry = keras.Input((5,))
    norm = layers.BatchNormalization(name="bn")
    plain = norm.call
    norm.call = lambda inputs, training=None: square(plain(inputs, training=training))
    model = randomise(keras.Model(entry, norm(layers.Dense(4)(entry))))
    assert [no.reason for no in plan_fold(model).refusals] == ["own-class"]


@pytest.mark.parametrize("seed", range(4))
def test_random_composites(seed: int) -> None:
    random = np.random.default_rng(seed)

    class Drawn(layers.Layer):  # type: ignore[misc,name-defined]
        """Layers in a row with a branch, drawn at random."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.row = [self.drawn(number) for number in range(5)]
            self.beside = layers.Conv2D(4, 1)
            self.way = int(random.integers(3))

        def drawn(self, number: int) -> Any:
            return [
                lambda: layers.Conv2D(4, 3, padding="same", name=f"conv{number}"),
                lambda: layers.BatchNormalization(name=f"bn{number}"),
                lambda: layers.ReLU(name=f"relu{number}"),
                lambda: layers.DepthwiseConv2D(3, padding="same", name=f"dw{number}"),
                lambda: Block(name=f"block{number}"),
            ][int(random.integers(5))]()

        def build(self, shape: Any) -> None:
            for part in (*self.row, self.beside):
                part.build((*shape[:-1], 4))
            super().build(shape)

        def call(self, inputs: Any, training: Any = None) -> Any:
            made = inputs
            for part in self.row:
                made = part(made)
            if self.way:
                made = made + self.beside(inputs) if self.way == 1 else made * 2.0 - inputs
            return made

    model = around(lambda x: Drawn(name="one")(Drawn(name="two")(x)))
    # The class cannot be made from its configuration: it is opened, or it is not copied.
    plan = plan_fold(model)
    within = {one.layer.partition("/")[0] for one in plan.folds if "/" in one.layer}
    if within == {"one", "two"}:
        result = folded(model)
        same(model, result)
        assert check_equivalence(model, result).equivalent
